"""What people say to homes and shops, of lodgings and in news, with ways to say the same and not.

``commands.txt`` begins with the words of each slot. Below the name of a contrast, each line holds
two meanings divided by ``/``, each in several wordings divided by ``|``. Wordings of one meaning
are paraphrases; one of each meaning are the contrast. The other meaning of a line without ``/`` is
its own with ``{who1}`` and ``{who2}``, two words of one slot, exchanged. ``{room:을}`` is a word
with the particle that its final consonant wants; ``{n}`` and ``{m}`` are two numbers, ``{t}`` and
``{u}`` two tens; ``{end}`` ends a past tense in any style.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).parent / "commands.txt"
_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
_TWO = re.compile(r"(\{[a-z]+)([12])")
_OPEN = {"을": "를", "은": "는", "이": "가", "과": "와", "이야": "야", "이래": "래"}
_OPEN |= {"이다": "다", "으로": "로"}
_RIEUL, _HANGUL, _FINALS = 8, 0xAC00, 28

SAME_WORDS = 0.6
"""Share of the contrasts that keep the wording: what an encoder of shared words takes for the same.

The wordings of both meanings of a line stand in the same order.
"""

ENDINGS = ("어", "어요", "다", "습니다")

SYNONYMOUS = frozenset({"light"})
"""Slots whose words all mean the same: paraphrases exchange them, and no contrast does."""


@cache
def read_commands() -> tuple[dict[str, list[str]], dict[str, list[list[str]]]]:
    """Return the words of each slot, and for each contrast its lines of two meanings."""
    words: dict[str, list[str]] = {}
    lines: dict[str, list[list[str]]] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            lines[line[2:]] = []
        elif lines and line:
            sides = line.split(" / ")
            lines[list(lines)[-1]].append(sides if len(sides) == 2 else [line, _exchanged(line)])
        elif line:
            slot, _, listed = line.partition(": ")
            words[slot] = listed.split(", ")
    return words, lines


def _exchanged(forms: str) -> str:
    """Let the two words of each slot change places: ``{who1}`` and ``{who2}``."""
    return _TWO.sub(lambda match: match[1] + ("2" if match[2] == "1" else "1"), forms)


KINDS = ("name", *read_commands()[1])
"""The contrasts that commands can have."""


def with_particle(word: str, particle: str) -> str:
    """Return a Hangul word with a particle, given in its form after a consonant, such as 을."""
    final = (ord(word[-1]) - _HANGUL) % _FINALS
    opened = not final or (particle == "으로" and final == _RIEUL)
    return word + (_OPEN[particle] if opened else particle)


def topics(text: str) -> set[str]:
    """Return the slots of which a text has a word: what it speaks of."""
    return {slot for slot, words in read_commands()[0].items() if any(one in text for one in words)}


class Said(NamedTuple):
    """A command, the same in other words, and one that it must not be taken for."""

    sentence: str
    paraphrase: str
    contrast: str


def commands(kind: str, rng: random.Random) -> Iterator[Said]:
    """Yield drawn commands without end; those of "name" differ by the word in one slot."""
    words, lines = read_commands()
    every = [line for listed in lines.values() for line in listed]
    while True:
        line = rng.choice(every if kind == "name" else lines[kind])
        one, other = (side.split(" | ") for side in rng.sample(line, 2))
        found = {match[1] for form in one for match in _SLOT.finditer(form)}
        slots = sorted(one for one in found if one.rstrip("12") in set(words) - SYNONYMOUS)
        first, second = rng.sample(range(2, 12), 2)
        tens, others = rng.sample(range(15, 100, 5), 2)
        chosen = {slot: rng.choice(words[slot]) for slot in words}
        for slot in words:
            chosen[f"{slot}1"], chosen[f"{slot}2"] = rng.sample(words[slot], 2)
        chosen |= {"n": str(first), "m": str(second), "t": str(tens), "u": str(others)}
        chosen["end"] = rng.choice(ENDINGS)
        again = chosen | {slot: rng.choice(words[slot]) for slot in sorted(SYNONYMOUS)}
        again["end"] = rng.choice(ENDINGS)
        changed = dict(chosen)
        if kind == "name":
            if not slots:
                continue
            slot, other = rng.choice(slots), one
            kind_of = slot.rstrip("12")
            used = {chosen[each] for each in slots if each.rstrip("12") == kind_of}
            changed[slot] = rng.choice([word for word in words[kind_of] if word not in used])
        said, again_said = rng.sample(range(len(one)), 2)
        same_words = said < len(other) and rng.random() < SAME_WORDS
        yield Said(
            _filled(one[said], chosen),
            _filled(one[again_said], again),
            _filled(other[said] if same_words else rng.choice(other), changed),
        )


def _filled(form: str, chosen: Mapping[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        word, particle = chosen[match[1]], match[2]
        return with_particle(word, particle) if particle else word

    return _SLOT.sub(fill, form)
