"""What people say to homes and shops, of lodgings and in news, with ways to say the same and not.

``commands.txt`` begins with the words of each slot. Below the name of a contrast, each line holds
two meanings divided by ``/``, each in several wordings divided by ``|``. Wordings of one meaning
are paraphrases; one of each meaning are the contrast. ``{room:을}`` is a word with the particle
that its final consonant wants; ``{n}`` and ``{m}`` are two numbers, ``{t}`` and ``{u}`` two tens.
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
_OPEN = {"을": "를", "은": "는", "이": "가", "과": "와", "이야": "야", "이다": "다", "으로": "로"}
_RIEUL, _HANGUL, _FINALS = 8, 0xAC00, 28

SAME_WORDS = 0.6
"""Share of the contrasts that keep the wording: what an encoder of shared words takes for the same.

The wordings of both meanings of a line stand in the same order.
"""

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
            lines[list(lines)[-1]].append(line.split(" / "))
        elif line:
            slot, _, listed = line.partition(": ")
            words[slot] = listed.split(", ")
    return words, lines


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
        slots = sorted(found & set(words) - SYNONYMOUS)
        first, second = rng.sample(range(2, 12), 2)
        tens, others = rng.sample(range(15, 100, 5), 2)
        chosen = {slot: rng.choice(words[slot]) for slot in words}
        chosen |= {"n": str(first), "m": str(second), "t": str(tens), "u": str(others)}
        again = chosen | {slot: rng.choice(words[slot]) for slot in sorted(SYNONYMOUS)}
        changed = dict(chosen)
        if kind == "name":
            if not slots:
                continue
            slot, other = rng.choice(slots), one
            changed[slot] = rng.choice([word for word in words[slot] if word != chosen[slot]])
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
