"""The grammar of pairs: a rule for each kind of pair, with its share of the data set."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.sample.frames import Frame, Meaning, Phrase, Wording
from benchmarks.sample.labels import Said, say

SaidPair = tuple[Said, Said]

_PLAIN: tuple[Wording, ...] = ("plain",)
_LOOSE: tuple[Wording, ...] = ("loose",)
_LESS: tuple[Wording, ...] = ("less",)
_DENIED: tuple[Wording, ...] = ("denied",)
_ANY: tuple[Wording, ...] = ("plain", "loose", "less", "denied")


@dataclass(frozen=True)
class Rule:
    """A kind of pair within one frame.

    ``share`` is its part of all pairs, ``first`` and ``second`` the wordings
    the sentences may have, ``major`` and ``minor`` how many slots get another entry,
    ``verbatim`` the probability that both sentences use the same phrasing, so that they
    differ in nothing but the changed words.
    """

    share: float
    first: tuple[Wording, ...]
    second: tuple[Wording, ...]
    major: int = 0
    minor: int = 0
    exchange: bool = False
    verbatim: float = 0.0

    def fits(self, frame: Frame) -> bool:
        """Return whether the frame has the slots that the rule changes."""
        if self.exchange:
            return frame.roles is not None
        return len(frame.major) >= self.major and len(frame.minor) >= self.minor

    def make(self, frame: Frame, rng: random.Random) -> SaidPair:
        """Make one pair from a frame that fits."""
        meaning = frame.draw(rng)
        first = rng.choice(frame.worded(*self.first))
        second = first
        if rng.random() >= self.verbatim:
            second = rng.choice([p for p in frame.worded(*self.second) if p != first])
        return (
            say(frame, first, meaning, rng),
            say(frame, second, self._changed(frame, meaning, (first, second), rng), rng),
        )

    def _changed(
        self, frame: Frame, meaning: Meaning, phrases: tuple[Phrase, Phrase], rng: random.Random
    ) -> Meaning:
        if self.exchange and frame.roles:
            giver, taker = frame.roles
            return {**meaning, giver: meaning[taker], taker: meaning[giver]}
        mentioned = phrases[0].slots & phrases[1].slots
        names: list[str] = []
        for slots, count in ((frame.major, self.major), (frame.minor, self.minor)):
            names += rng.sample([name for name in slots if name in mentioned], count)
        return frame.change(meaning, names, rng)


GRAMMAR = (
    Rule(0.135, _PLAIN, _PLAIN),
    Rule(0.065, _PLAIN, _LOOSE),
    Rule(0.095, _PLAIN, _LESS),
    Rule(0.025, _LOOSE, _LESS),
    Rule(0.035, _DENIED, _DENIED),
    Rule(0.095, _PLAIN, _PLAIN, minor=1, verbatim=0.35),
    Rule(0.020, _DENIED, _DENIED, minor=1, verbatim=0.25),
    Rule(0.035, _PLAIN, _LOOSE, minor=1),
    Rule(0.060, _PLAIN, _PLAIN, major=1, verbatim=0.55),
    Rule(0.015, _DENIED, _DENIED, major=1, verbatim=0.5),
    Rule(0.020, _PLAIN, _PLAIN, exchange=True, verbatim=0.65),
    Rule(0.045, _PLAIN, _PLAIN, major=1, minor=1, verbatim=0.2),
    Rule(0.055, _PLAIN, _DENIED),
    Rule(0.025, _PLAIN, _DENIED, minor=1),
    Rule(0.020, _PLAIN, _PLAIN, major=2, verbatim=0.2),
)
SIBLING_SHARE, OTHER_TOPIC_SHARE = 0.075, 0.125
"""Shares of pairs from two frames of one topic, and of one domain; the rest joins two domains."""


def pair_across(first: Frame, second: Frame, rng: random.Random) -> SaidPair:
    """Make a pair of two sentences from two frames."""
    said = [
        say(frame, rng.choice(frame.worded(*_ANY)), frame.draw(rng), rng)
        for frame in (first, second)
    ]
    return said[0], said[1]


def share_a_word(pair: SaidPair) -> bool:
    """Return whether the two sentences, of two frames, mention a slot entry in common."""
    words = [{word for name in said.phrase.slots for word in said.meaning[name]} for said in pair]
    return not words[0].isdisjoint(words[1])
