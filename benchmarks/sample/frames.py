"""Frames: what a sentence says, its slots for words, and the ways to say or deny it.

A frame is written as a block of lines in ``frames/DOMAIN.SPLIT.txt``::

    # name topic
    !p: 기차역, 시장=장터     a major slot (time, number, place, thing) and its entries
    ?n: 3, 5                  a minor slot (a side detail); "=" joins synonyms of one entry
    @ a b                     slots whose exchange turns round who does what to whom
    = {p:이} {n}분 거리예요.  the whole fact, plainly ({p:이} chooses the particle)
    ~ ...                     the whole fact in loose or figurative words
    - ...                     the fact with a detail left out
    x ...                     the fact denied or reversed
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from benchmarks.sample.josa import with_josa
from kosim.encoders.errors import DataError

DOMAINS = ("lodging-review", "policy-news", "smart-home")
"""The three domains, which are also the pairs' source names."""

Split = Literal["train", "test"]
Wording = Literal["plain", "loose", "less", "denied"]
Entry = tuple[str, ...]
Meaning = Mapping[str, Entry]

_FOLDER = Path(__file__).parent / "frames"
_WORDINGS: dict[str, Wording] = {"=": "plain", "~": "loose", "-": "less", "x": "denied"}
_SLOT = re.compile(r"\{(\w)(?::(\w+))?\}")


@dataclass(frozen=True)
class Phrase:
    """One way to say a frame's fact: a text with slots, and how it relates to the fact."""

    wording: Wording
    text: str

    @cached_property
    def slots(self) -> frozenset[str]:
        """The names of the slots that the text mentions."""
        return frozenset(match[1] for match in _SLOT.finditer(self.text))

    def render(self, meaning: Meaning, rng: random.Random) -> str:
        """Fill the slots with ``meaning``'s entries, choosing among synonyms by ``rng``."""

        def fill(match: re.Match[str]) -> str:
            word = rng.choice(meaning[match[1]])
            return with_josa(word, match[2]) if match[2] else word

        return _SLOT.sub(fill, self.text)


@dataclass
class Frame:
    """One template: a fact of a domain, the entries of its slots, and its phrasings.

    ``major`` and ``minor`` map slot names to entries, an entry being a tuple of synonyms.
    ``roles`` are two slots to exchange, where the fact has a giver and a taker.
    """

    domain: str
    name: str
    topic: str
    major: dict[str, list[Entry]] = field(default_factory=dict)
    minor: dict[str, list[Entry]] = field(default_factory=dict)
    phrases: list[Phrase] = field(default_factory=list)
    roles: tuple[str, str] | None = None

    @property
    def slots(self) -> dict[str, list[Entry]]:
        """All slots and their entries."""
        return self.major | self.minor

    def worded(self, *wordings: Wording) -> list[Phrase]:
        """Return the phrasings of the given kinds."""
        return [phrase for phrase in self.phrases if phrase.wording in wordings]

    def draw(self, rng: random.Random) -> Meaning:
        """Return a random entry for each slot, no entry twice."""
        meaning: dict[str, Entry] = {}
        for name, entries in self.slots.items():
            meaning[name] = rng.choice([e for e in entries if e not in meaning.values()])
        return meaning

    def change(self, meaning: Meaning, names: list[str], rng: random.Random) -> Meaning:
        """Return ``meaning`` with other entries, new to it, in the named slots."""
        changed = dict(meaning)
        for name in names:
            new = [e for e in self.slots[name] if e not in (*meaning.values(), *changed.values())]
            changed[name] = rng.choice(new) if new else meaning[name]
        return changed


def _read_line(frame: Frame, mark: str, line: str) -> None:
    if mark in "!?":
        name, entries = line[1:].split(": ")
        slots = frame.major if mark == "!" else frame.minor
        slots[name] = [tuple(entry.split("=")) for entry in entries.split(", ")]
    elif mark == "@":
        _, giver, taker = line.split()
        frame.roles = (giver, taker)
    else:
        frame.phrases.append(Phrase(_WORDINGS[mark], line[2:]))


def read_frames(domain: str, split: Split) -> list[Frame]:
    """Return a domain's frames of one split, in the order of its file.

    Raises:
        DataError: a line is none of the forms in this module's description.
    """
    path = _FOLDER / f"{domain}.{split}.txt"
    frames: list[Frame] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line:
            continue
        try:
            if line.startswith("# "):
                _, name, topic = line.split()
                frames.append(Frame(domain, name, topic))
            else:
                _read_line(frames[-1], line[0], line)
        except (ValueError, KeyError, IndexError) as error:
            raise DataError(
                f"{path.name}, line {number}: {line!r} is no line of a frame; "
                "the forms are listed in grammar.py"
            ) from error
    return frames
