"""Text cut into morphemes, for tokenizers that read morphemes as words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kosim.encoders.tokenizers.kiwi import composed, kiwi_version, load_kiwi

_RULES = 1
"""Raise this with every change of what `MorphemeSegmentation` makes of a text."""

_LETTERS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_FINAL_CONSONANTS = {0x11A8 + place: letter for place, letter in enumerate(_LETTERS)}
"""Kiwi writes ending consonants as final jamo; vocabularies know the letters of keyboards."""


class MorphemeSegmentation:
    """A text step: morphemes in their own form, with a space between every two.

    ``날씨가 더웠다`` becomes ``날씨 가 덥 었 다``: a contracted or irregular form is written out.
    Where a word began is lost. A text in which Kiwi sees nothing stays as it is.

    Raises:
        MissingExtraError: kiwipiepy is not installed.
    """

    name = "morphemes"

    def __init__(self) -> None:
        self._version = f"{kiwi_version('segmentation into morphemes')}+segments-{_RULES}"

    @property
    def version(self) -> str:
        """Two steps of the same version make the same of every text."""
        return self._version

    def apply(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield each text segmented; texts are read a few at a time.

        Raises:
            DataError: a text is not a string.
        """
        tokens = load_kiwi().tokenize(map(composed, texts), echo=True)
        for morphemes, text in tokens:
            forms = " ".join(token.form for token in morphemes)
            yield forms.translate(_FINAL_CONSONANTS) or text
