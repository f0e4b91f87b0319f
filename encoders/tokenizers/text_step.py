"""What is done to a text before its tokenizer sees it.

No tokenizer file can hold such a step: ``kosim.json`` names it (see `encoders.provenance`), and
our encoders apply it. Whoever opens a tokenizer without them applies it himself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from kosim.encoders.errors import ConfigError
from kosim.encoders.tokenizers.kiwi import composed, kiwi_version, load_kiwi

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TextStep(Protocol):
    """Changes texts; ``name`` is what ``kosim.json`` says."""

    name: str

    @property
    def version(self) -> str:
        """Two steps of the same version make the same of every text."""

    def apply(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield what becomes of each text, in order."""


_RULES = 1
"""Raise this with every change of what `MorphemeSegmentation` makes of a text."""

_LETTERS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_FINAL_CONSONANTS = {0x11A8 + number: letter for number, letter in enumerate(_LETTERS)}
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


TEXT_STEPS: dict[str, Callable[[], TextStep]] = {MorphemeSegmentation.name: MorphemeSegmentation}
"""How a step of each name is made."""


def make_text_step(name: str) -> TextStep:
    """Return the step of that name.

    Raises:
        ConfigError: there is none.
        MissingExtraError: it needs a package that is not installed.
    """
    if name not in TEXT_STEPS:
        raise ConfigError(f"text step {name!r} is unknown; known is {', '.join(TEXT_STEPS)}")
    return TEXT_STEPS[name]()


def step_of(tokenizer: PreTrainedTokenizerBase) -> TextStep | None:
    """Return the step that a tokenizer applies to its texts, if any."""
    step: TextStep | None = getattr(tokenizer, "_kosim_text_step", None)
    return step


def apply_before(tokenizer: PreTrainedTokenizerBase, name: str | None) -> None:
    """Make a fast tokenizer apply the step of that name to all its texts from now on.

    So the step reaches training, scoring and counting alike, however they call the tokenizer.
    On disk the tokenizer stays what it was.

    Raises:
        ConfigError: there is no such step, or the tokenizer has one already.
        MissingExtraError: the step needs a package that is not installed.
    """
    if name is None:
        return
    if step_of(tokenizer) is not None:
        raise ConfigError("the tokenizer has a text step already; load it again for another one")
    plain = type(tokenizer)
    # Of the same name, which is what the tokenizer's files say of it when it is saved.
    tokenizer.__class__ = type(plain.__name__, (_Stepped, plain), {"__module__": plain.__module__})
    tokenizer._kosim_text_step = make_text_step(name)


class _Stepped:
    """Mixed into a fast tokenizer's class: changes texts where every call passes."""

    _kosim_text_step: TextStep

    def _encode_plus(self, text: Any, text_pair: Any = None, **options: Any) -> Any:
        return super()._encode_plus(  # type: ignore[misc]
            self._changed(text), self._changed(text_pair), **options
        )

    def _changed(self, text: Any) -> Any:
        """Return one text, a list of texts or a list of pairs of texts with the step applied."""
        if isinstance(text, str):
            return next(iter(self._kosim_text_step.apply([text])))
        if text is None or len(text) == 0:
            return text
        if isinstance(text[0], str):
            return list(self._kosim_text_step.apply(text))
        firsts, seconds = zip(*text, strict=True)
        return list(zip(self._changed(firsts), self._changed(seconds), strict=True))
