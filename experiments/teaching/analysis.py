"""Sentences as Kiwi's morphemes, which rules replace and Kiwi conjugates anew."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kosim.encoders.tokenizers.kiwi import composed, kiwi_version, load_kiwi
from kosim.experiments.teaching.word_lists import listed

STATEMENTS = listed("다 ᆫ다 는다 ᆸ니다 습니다 어요 에요 예요")
"""Endings of statements."""

ASKED = ("어떻", "어떻게", "어디", "언제", "뭐", "무엇", "무슨", "누구", "왜", "몇")

_SAID = re.compile(r"[가-힣0-9][가-힣0-9 ,]*[가-힣][.?!]?")
"""Sentences that are used: Hangul and digits, at most one sign, which ends them."""

_LENGTH = range(7, 46)
"""Characters of a sentence that is used; of a longer one a contrast is only a detail."""

_LONGEST_WORD = 8
"""Characters of the longest word; longer ones are mostly several that lack their spaces."""

_DO_NOT = re.compile(r"지 마 ?(?=주|줘|줄|줍)")

_AT_ONCE = 1_000
"""Sentences that Kiwi is given together."""


class Morpheme(NamedTuple):
    """A morpheme with its tag, and whether a space stands before it.

    ``conjugation`` is Kiwi's mark of a verb that is conjugated irregularly (-I) or not (-R).
    """

    form: str
    tag: str
    spaced: bool = False
    conjugation: str = ""

    def __str__(self) -> str:
        return f"{self.form}/{self.tag}"


@dataclass(frozen=True)
class Analysis:
    """A sentence of one clause end, which its morphemes give back when they are joined."""

    text: str
    morphemes: tuple[Morpheme, ...]

    @property
    def end(self) -> int:
        """Position of the sentence's final ending (EF)."""
        return len(self.morphemes) - (1 if self.morphemes[-1].tag == "EF" else 2)

    @property
    def asks(self) -> bool:
        """Whether the sentence ends in a question mark."""
        return self.text.endswith("?")

    def at(self, position: int) -> str:
        """Return a morpheme as form/tag; nothing beyond either end."""
        inside = 0 <= position < len(self.morphemes)
        return str(self.morphemes[position]) if inside else ""

    def has(self, *forms: str) -> bool:
        """Whether a morpheme has one of the forms."""
        return any(each.form in forms for each in self.morphemes)

    def replaced(self, start: int, stop: int, *morphemes: Morpheme) -> str:
        """Return the sentence with other morphemes in place of those from start to stop."""
        return joined([*self.morphemes[:start], *morphemes, *self.morphemes[stop:]])

    def swapped(self, position: int, written: str) -> str:
        """Return the sentence with another morpheme, written form/tag, in place of one."""
        form, _, tag = written.partition("/")
        other = Morpheme(form, tag, self.morphemes[position].spaced)
        return self.replaced(position, position + 1, other)


Rule = Callable[[Analysis, random.Random], str | None]


def joined(morphemes: Iterable[Morpheme]) -> str:
    """Return the text of morphemes, conjugated, with the spaces that they say."""
    marked = [(form, tag + conjugation, spaced) for form, tag, spaced, conjugation in morphemes]
    text: str = load_kiwi().join(marked)
    # Kiwi does not know that 말다 keeps its stem before 주다, nor how 못하다 is conjugated.
    return _DO_NOT.sub("지 말아 ", text).replace("하아요", "해요").strip()


def analyse(sentences: Iterable[str]) -> Iterator[Analysis]:
    """Analyse those of the sentences that rules can change: short, whole, and understood.

    A sentence is understood when its morphemes, joined again, give the same text.

    Raises:
        MissingExtraError: Kiwi is not installed.
    """
    kiwi_version("making minimal pairs")
    usable = (" ".join(composed(one).split()) for one in sentences)
    chunk: list[str] = []
    for text in usable:
        words = text.split(" ")
        short = len(text) in _LENGTH and max(map(len, words)) <= _LONGEST_WORD
        if short and len(words) > 1 and _SAID.fullmatch(text):
            chunk.append(text)
        if len(chunk) == _AT_ONCE:
            yield from _understood(chunk)
            chunk = []
    yield from _understood(chunk)


def _understood(texts: list[str]) -> Iterator[Analysis]:
    for text, tokens in zip(texts, load_kiwi().tokenize(texts), strict=True):
        # An ending that is fused with its stem, as in 켜, starts where the stem does.
        starts = [-1, *(token.start for token in tokens)]
        found = tuple(
            Morpheme(
                token.form,
                (tag := str(token.tag)).partition("-")[0],
                0 < token.start != before and text[token.start - 1] == " ",
                "".join(tag.partition("-")[1:]),
            )
            for before, token in zip(starts, tokens, strict=False)
        )
        tags = [each.tag for each in found]
        whole = tags.count("EF") == 1 and tags[-2 if tags[-1] == "SF" else -1] == "EF"
        known = all(tag[0] in "NVMJEX" or tag in ("SF", "SN", "SP") for tag in tags)
        if whole and known and joined(found) == text:
            yield Analysis(text, found)
