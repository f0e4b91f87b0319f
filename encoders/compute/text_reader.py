"""Texts as tokens: each text once, on any thread, with nothing but the library `tokenizers`."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass
from tokenizers import Encoding, Tokenizer, models

from kosim.encoders.errors import ArtifactError
from kosim.encoders.records import Pair
from kosim.encoders.tokenizers.composition import composing
from kosim.encoders.tokenizers.text_step import TextStep, make_text_step, step_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Lengths = npt.NDArray[np.int64]
Side = Literal["left", "right"]

_INPUTS = ("input_ids", "token_type_ids", "attention_mask")
_SURE = 8
"""Token ids without special ones that do not mean the same in another tokenizer by chance."""


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class InputLayout:
    """How token ids become the input of a network, which no ``tokenizer.json`` says.

    ``names`` are the network's inputs, in its order; padding and cutting happen on a side.
    ``mask_token`` stands for a word that is left out.
    """

    names: tuple[str, ...] = _INPUTS
    padding_side: Side = "right"
    truncation_side: Side = "right"
    pad_id: int = 0
    pad_type_id: int = 0
    mask_token: str | None = None

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> InputLayout:
        """Return that of a tokenizer of transformers."""
        return cls(
            names=input_names(tokenizer),
            padding_side=tokenizer.padding_side,
            truncation_side=tokenizer.truncation_side,
            pad_id=int(tokenizer.pad_token_id or 0),
            pad_type_id=int(getattr(tokenizer, "pad_token_type_id", 0)),
            mask_token=tokenizer.mask_token,
        )


class Encodings(list[Encoding]):
    """A list that is freed item by item, between which other threads get their turn.

    Thousands of long texts at once would hold the interpreter for tens of milliseconds.
    """

    def __del__(self) -> None:
        while self:
            self.pop()


@dataclass(frozen=True)
class Tokens:
    """Inputs of a network: n encodings, cut, and how long they were before: (n,)."""

    encodings: list[Encoding]
    lengths: Lengths


class TextReader:
    """Makes tokens of texts and pairs, and counts them.

    No setting of the tokenizer changes from call to call, so that many threads may use one reader.

    Args:
        tokenizer: makes tokens of a text; this removes its settings of cutting and padding.
        layout: how they become an input.
        max_length: tokens after which an input is cut.
        prompt: is put before every text of `texts`.
        step: is applied to every text first.
    """

    def __init__(
        self,
        tokenizer: Any,
        layout: InputLayout,
        max_length: int,
        *,
        prompt: str = "",
        step: TextStep | None = None,
    ) -> None:
        self.layout = layout
        self.max_length = max_length
        self._tokenizer: Any = tokenizer
        self._prompt = prompt
        self._step = step
        # WordPiece gives a longer word up, and makes one unknown token of it.
        longest = getattr(tokenizer.model, "max_input_chars_per_word", None)
        self._long_word = None if longest is None else re.compile(rf"\w{{{longest}}}(?=\w)")
        # What cuts two texts together needs no vocabulary, only the tokens that are put around.
        self._cutting: Any = Tokenizer(models.WordLevel({"": 0}, unk_token=""))
        if tokenizer.post_processor is not None:
            self._cutting.post_processor = tokenizer.post_processor
        self._cutting.enable_truncation(
            max_length, strategy="longest_first", direction=layout.truncation_side
        )

    @classmethod
    def of(
        cls, tokenizer: PreTrainedTokenizerBase, max_length: int, *, prompt: str = ""
    ) -> TextReader:
        """Return what reads as a fast tokenizer of transformers, with its text step."""
        return cls(
            tokenizer.backend_tokenizer,
            InputLayout.of(tokenizer),
            max_length,
            prompt=prompt,
            step=step_of(tokenizer),
        )

    @classmethod
    def open(
        cls,
        path: Path,
        layout: InputLayout,
        max_length: int,
        *,
        prompt: str = "",
        text_step: str | None = None,
    ) -> TextReader:
        """Open a ``tokenizer.json``; texts are composed (NFC), whether it says so or not.

        Raises:
            ArtifactError: it cannot be read.
            ConfigError: there is no such text step.
            MissingExtraError: the text step needs a package that is not installed.
        """
        step = None if text_step is None else make_text_step(text_step)
        return cls(open_tokenizer(path), layout, max_length, prompt=prompt, step=step)

    def texts(self, texts: Sequence[str]) -> Tokens:
        """Return the tokens of n texts, prompt included."""
        parts = self._encoded([self._prompt + text for text in texts])
        special = self._tokenizer.num_special_tokens_to_add(False)
        lengths = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts)) + special
        return Tokens(Encodings(self._cutting.post_process(part) for part in parts), lengths)

    def pairs(self, pairs: Sequence[Pair]) -> Tokens:
        """Return the tokens of n pairs, each as one sequence.

        A text that stands in several pairs, such as a query beside its candidates, is tokenised
        once; the longer text of a pair is cut first, as sentence-transformers does.
        """
        positions = {text: n for n, text in enumerate(dict.fromkeys(t for p in pairs for t in p))}
        parts = self._encoded(list(positions))
        special = self._tokenizer.num_special_tokens_to_add(True)
        both = [(parts[positions[first]], parts[positions[second]]) for first, second in pairs]
        lengths = np.array([len(a) + len(b) + special for a, b in both], dtype=np.int64)
        return Tokens(Encodings(self._cutting.post_process(a, b) for a, b in both), lengths)

    def parts(self, texts: Sequence[str]) -> list[Encoding]:
        """Return the tokens of n texts, uncut, without special ones and prompt."""
        return self._encoded(list(texts))

    def texts_of(self, inputs: Sequence[Sequence[int]]) -> list[str] | None:
        """Return the texts of n lists of token ids, None if another tokenizer made them.

        Ids of another tokenizer mean other texts here, whose tokens are other ids again. A few of
        them can agree by chance: lists without this tokenizer's special ones need some length.
        """
        most = self._tokenizer.get_vocab_size()
        if any(not 0 <= one < most for ids in inputs for one in ids):
            return None
        texts: list[str] = self._tokenizer.decode_batch([list(ids) for ids in inputs])
        framed, bare = (
            [one.ids for one in self._plain().encode_batch_fast(texts, add_special_tokens=special)]
            for special in (True, False)
        )
        unframed = 0
        for ids, whole, part in zip(inputs, framed, bare, strict=True):
            if list(ids) != whole or whole == part:
                if list(ids) != part:
                    return None
                unframed += len(part)
        return texts if not unframed or unframed >= _SURE else None

    def _encoded(self, texts: list[str]) -> Encodings:
        prepared = texts if self._step is None else list(self._step.apply(texts))
        if (long := self._long_word) is not None:
            prepared = [_broken(text, long) if long.search(text) else text for text in prepared]
        return Encodings(self._plain().encode_batch_fast(prepared, add_special_tokens=False))

    def _plain(self) -> Any:
        remove_call_settings(self._tokenizer)
        return self._tokenizer


def _broken(text: str, long: re.Pattern[str]) -> str:
    """Return a text with a space after every run of letters and digits that is too long."""
    return long.sub(r"\g<0> ", unicodedata.normalize("NFC", text))


def remove_call_settings(tokenizer: Any) -> None:
    """Take from a tokenizer the cutting and padding that transformers' calls leave in it."""
    if tokenizer.truncation is not None:
        tokenizer.no_truncation()
    if tokenizer.padding is not None:
        tokenizer.no_padding()


def open_tokenizer(path: Path) -> Tokenizer:
    """Open a ``tokenizer.json``, and let it compose texts (NFC).

    Raises:
        ArtifactError: it cannot be read.
    """
    try:
        tokenizer: Any = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing more exact
        raise ArtifactError(f"{path} cannot be read ({error}); restore the encoder") from error
    tokenizer.normalizer = composing(tokenizer.normalizer)
    opened: Tokenizer = tokenizer
    return opened


def content_of(tokenizer: Tokenizer) -> Any:
    """Return all that a tokenizer does to a text, as JSON has it, without cutting and padding."""
    content = json.loads(tokenizer.to_str())
    return {**content, "truncation": None, "padding": None}


def input_names(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """Return the inputs that the tokenizer makes for its model."""
    return tuple(name for name in _INPUTS if name in tokenizer.model_input_names)
