"""The terms under which a Korean sentence is found: its content morphemes, by Kiwi.

Particles, endings, auxiliaries and the copula are left out and stems are given in their
dictionary form, so that ``호스트가 친절했다`` and ``친절한 호스트`` have the same two terms.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from kosim.encoders.errors import ConfigError
from kosim.encoders.tokenizers.kiwi import composed, kiwi_version, load_kiwi

if TYPE_CHECKING:
    from kiwipiepy import Token

_TAG_SET = 2
"""Raise this with every change of what a text's terms are: stored postings are then rebuilt."""

_EARLIER = 1
"""Terms of texts that were only composed; indexes whose postings have these keep them."""

_STEMS = frozenset({"VV", "VA", "VCN"})
"""Verbs, adjectives and 아니다, indexed as ``덥다``: a stem alone may be another word's form."""

_CONTENT = _STEMS | {
    *("NNG", "NNP", "NNB", "NR", "XR", "MM", "MAG", "SN", "SL", "SH", "UN"),
    *("W_URL", "W_EMAIL", "W_HASHTAG", "W_MENTION", "W_SERIAL", "W_EMOJI"),
}
"""Nouns, numerals, roots, determiners, adverbs, numbers, other scripts, and what Kiwi tells by its
pattern. Not XSV, XSA and XSN: 친절하다 is found by 친절."""

_LONG_RUN = re.compile(r"(.)\1{2,}", re.DOTALL)

_NO_JAMO = re.compile("[^\u3130-\u318f]+")
"""What NFKC may touch: it would make the parts of a syllable of ㅋㅋ, which Kiwi does not know."""

_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,]*\d)")
_PLUSES, _SHARP = re.compile(r"(?<=[a-z])\+\+(?![a-z+])"), re.compile(r"(?<=[a-z])#(?![a-z#])")


class Analyzer(Protocol):
    """Turns texts into terms."""

    @property
    def version(self) -> str:
        """Two analysers of the same version give the same terms for every text."""

    def terms(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield each text's terms, in order and with repetitions; none for a blank text."""

    def query_terms(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield the terms by which each text finds documents."""


class MorphemeAnalyzer:
    """Turns Korean sentences into content morphemes.

    Args:
        num_workers: threads that analyse; as many as this process may use cores when None. Kiwi
            is loaded once a process, so the first analysis decides for all.
        earlier: give the terms of kosim 0.1, for postings that it stored.

    Raises:
        MissingExtraError: kiwipiepy is not installed.
        ConfigError: ``num_workers`` is below 1.
    """

    def __init__(self, *, num_workers: int | None = None, earlier: bool = False) -> None:
        if num_workers is not None and num_workers < 1:
            raise ConfigError(f"num_workers is {num_workers}; give at least 1 thread")
        self.num_workers = num_workers or len(os.sched_getaffinity(0))
        self._version = kiwi_version("lexical search")
        self._tag_set, self._normal = (_EARLIER, _lower) if earlier else (_TAG_SET, normal_form)

    @property
    def version(self) -> str:
        """Kiwi's version, that of its model, and ours."""
        return f"{self._version}+terms-{self._tag_set}"

    def terms(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield each text's terms, in order and with repetitions.

        A text without any content morpheme (``ㅋㅋㅋ``, ``이거?``) has all its morphemes as terms,
        and where Kiwi sees none, its words, so that it can still be found by itself. Texts are
        read a few at a time; memory does not grow with their number.

        Raises:
            DataError: a text is not a string.
        """
        tokens = load_kiwi(self.num_workers).tokenize(map(self._normal, texts), echo=True)
        for morphemes, text in tokens:
            yield _content(morphemes) or _all(morphemes) or _shortened(text).split()

    query_terms = terms


def normal_form(text: str) -> str:
    """Return the text as words are compared.

    That is NFKC in lower case, numbers without thousands separators. The signs of ``c++`` and
    ``c#`` become letters (those of clicks), so that they and ``c`` are three words.

    Raises:
        DataError: it is not a string.
    """
    text = _NO_JAMO.sub(lambda found: unicodedata.normalize("NFKC", found[0]), composed(text))
    text = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text.lower())
    return _SHARP.sub("ǃ", _PLUSES.sub("ǂ", text))


def _lower(text: str) -> str:
    return composed(text).lower()


def _content(morphemes: list[Token]) -> list[str]:
    return [_term(token) for token in morphemes if _tag(token) in _CONTENT]


def _all(morphemes: list[Token]) -> list[str]:
    return [_shortened(_term(token)) for token in morphemes]


def _term(token: Token) -> str:
    return str(token.lemma if _tag(token) in _STEMS else token.form)


def _tag(token: Token) -> str:
    """Return the tag without the mark of irregular (-I) or regular (-R) conjugation."""
    return str(token.tag).partition("-")[0]


def _shortened(text: str) -> str:
    """Cut laughter and dots to three: ``ㅋㅋㅋㅋㅋ`` finds ``ㅋㅋㅋ``."""
    return _LONG_RUN.sub(r"\1\1\1", text)
