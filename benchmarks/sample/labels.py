"""Labelled pairs from frames: the rule of the labels."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.sample.frames import Frame, Meaning, Phrase

_BARE_ENDING = 0.3
"""Share of reviews and commands written without their full stop, as people do."""


@dataclass(frozen=True)
class Said:
    """A sentence together with what it was made from."""

    frame: Frame
    phrase: Phrase
    meaning: Meaning
    text: str


def say(frame: Frame, phrase: Phrase, meaning: Meaning, rng: random.Random) -> Said:
    """Render one sentence."""
    text = phrase.render(meaning, rng)
    if frame.domain != "policy-news" and rng.random() < _BARE_ENDING:
        text = text.removesuffix(".")
    return Said(frame, phrase, meaning, text)


def _roles_exchanged(first: Said, second: Said) -> bool:
    if first.frame.roles is None:
        return False
    giver, taker = first.frame.roles
    exchanged = {**first.meaning, giver: first.meaning[taker], taker: first.meaning[giver]}
    return second.meaning == exchanged


def _wording_label(first: Said, second: Said) -> float:
    kinds = {first.phrase.wording, second.phrase.wording}
    if "less" in kinds:
        left_out = first.phrase.slots ^ second.phrase.slots
        return 3.5 if left_out & first.frame.major.keys() else 4.0
    return 4.0 if kinds == {"denied"} and first.phrase != second.phrase else 5.0


def _same_frame_label(first: Said, second: Said) -> float:
    mentioned = first.phrase.slots & second.phrase.slots
    changed = {name for name in mentioned if first.meaning[name] != second.meaning[name]}
    if (first.phrase.wording == "denied") != (second.phrase.wording == "denied"):
        return 1.0 if changed else 1.5
    if not changed:
        return _wording_label(first, second)
    if _roles_exchanged(first, second):
        return 2.0
    changed_major = len(changed & first.frame.major.keys())
    if changed_major > 1:
        return 1.0
    changed_minor = len(changed) - changed_major
    if changed_major:
        return 1.5 if changed_minor else 2.0
    return 3.0 if changed_minor == 1 else 2.5


def label(first: Said, second: Said) -> float:
    """Return the similarity, 0-5, of two sentences of which it is known how they were made.

    5.0 the same content; 4.0 a detail left out, or a denial worded in two ways; 3.5 a major
    detail left out; 3.0 one minor slot differs (2.5 two); 2.0 one major slot differs or the
    roles are exchanged; 1.5 a major and a minor slot differ, or the fact is denied; 1.0
    several major slots differ, or it is denied and a slot differs; 0.5 another frame of the
    same topic; 0.0 another topic. Loose wording on one side takes off 0.5, down to 0.5.
    """
    if first.frame is not second.frame:
        same_topic = (first.frame.domain, first.frame.topic) == (
            second.frame.domain,
            second.frame.topic,
        )
        return 0.5 if same_topic else 0.0
    base = _same_frame_label(first, second)
    loose = "loose" in {first.phrase.wording, second.phrase.wording}
    return max(0.5, base - 0.5) if loose else base
