"""Terms for what stands in a text letter by letter: pairs of characters within its words.

Morphemes miss what their analysis cuts differently in a query and in a document: 한국전력 is one
morpheme, and so is 한국전력공사. Pairs of neighbouring characters (as in Lucene's CJK analysis)
find every part of a word wherever it stands. They weigh less than morphemes, so that they decide
only where morphemes do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import tee

from kosim.index.lexical.morphemes import MorphemeAnalyzer, normal_form

PART_WEIGHT = 0.2
"""The weight of a pair beside a morpheme's 1; chosen by ``benchmarks/word_parts.py``."""

_VERSION = 1
"""Raise this with every change of what a text's parts are: stored postings are then rebuilt."""

_MARK = "\x1f"
"""Stands before every part, so that none is taken for a morpheme; no word holds it."""

_WORD = re.compile(r"[^\W_]+")


class WordPartAnalyzer:
    """Turns Korean sentences into content morphemes and the parts of their words.

    Args:
        morphemes: gives the morphemes, and normalises as the parts do.
    """

    def __init__(self, morphemes: MorphemeAnalyzer) -> None:
        self._morphemes = morphemes

    @property
    def version(self) -> str:
        """That of the morphemes, and ours."""
        return f"{self._morphemes.version}+parts-{_VERSION}"

    def terms(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield each document's terms.

        Raises:
            DataError: a text is not a string.
        """
        return self._terms(texts, beginnings=True)

    def query_terms(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield each query's terms: of a word longer than one character, pairs alone.

        Raises:
            DataError: a text is not a string.
        """
        return self._terms(texts, beginnings=False)

    def _terms(self, texts: Iterable[str], *, beginnings: bool) -> Iterator[list[str]]:
        analysed, read = tee(texts)
        for morphemes, text in zip(self._morphemes.terms(analysed), read, strict=True):
            yield [*morphemes, *_parts(normal_form(text), beginnings=beginnings)]


def weight(term: str) -> float:
    """Return by how much the score of a term counts."""
    return PART_WEIGHT if term.startswith(_MARK) else 1.0


def _parts(text: str, *, beginnings: bool) -> Iterator[str]:
    """Yield the pairs of each word, or its only character; with ``beginnings`` its first one, too.

    The first character makes a document findable by one syllable or digit. A single Latin letter
    finds only words that consist of it: C is another language than C++.
    """
    for word in _WORD.findall(text):
        if len(word) == 1 or (beginnings and not "a" <= word[0] <= "z"):
            yield _MARK + word[0]
        for start in range(len(word) - 1):
            yield _MARK + word[start : start + 2]
