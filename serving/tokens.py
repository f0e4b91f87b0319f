"""Texts as tokens beside a network that is at work: each text once, on any thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from kosim.encoders.base import PairEncoder
from kosim.encoders.records import Pair
from kosim.encoders.tokenizers.text_step import stepped

Lengths = npt.NDArray[np.int64]

_SURE = 8
"""Token ids without special ones that do not mean the same in another tokenizer by chance."""


@dataclass(frozen=True)
class Tokens:
    """Inputs of a network: n encodings, cut, and how long they were before: (n,)."""

    encodings: list[Encoding]
    lengths: Lengths


class TokenReader:
    """Makes tokens of texts and pairs as the encoder's own tokenizer does, and counts them.

    It has tokenizers of its own, whose settings never change: that of the encoder is set anew for
    every call, so that a small request would wait for a large one.
    """

    def __init__(self, encoder: PairEncoder, *, prompt: str = "") -> None:
        self._source = encoder.tokenizer
        self._prompt = prompt
        self._most = encoder.max_length
        content = self._source.backend_tokenizer.to_str()
        self._whole: Any = Tokenizer.from_str(content)
        self._whole.no_truncation()
        self._whole.no_padding()
        self._cutting: Any = Tokenizer.from_str(content)
        self._cutting.no_padding()
        self._cutting.enable_truncation(self._most, strategy="longest_first")

    def texts(self, texts: Sequence[str]) -> Tokens:
        """Return the tokens of n texts, prompt included."""
        parts = self._parts([self._prompt + text for text in texts])
        special = self._whole.num_special_tokens_to_add(False)
        lengths = np.array([len(part) + special for part in parts], dtype=np.int64)
        return Tokens([self._cutting.post_process(part) for part in parts], lengths)

    def pairs(self, pairs: Sequence[Pair]) -> Tokens:
        """Return the tokens of n pairs, each as one sequence."""
        positions = {text: n for n, text in enumerate(dict.fromkeys(t for p in pairs for t in p))}
        parts = self._parts(list(positions))
        special = self._whole.num_special_tokens_to_add(True)
        both = [(parts[positions[first]], parts[positions[second]]) for first, second in pairs]
        lengths = np.array([len(a) + len(b) + special for a, b in both], dtype=np.int64)
        return Tokens([self._cutting.post_process(a, b) for a, b in both], lengths)

    def texts_of(self, inputs: Sequence[Sequence[int]]) -> list[str] | None:
        """Return the texts of n lists of token ids, None if another tokenizer made them.

        Ids of another tokenizer mean other texts here, whose tokens are other ids again. A few of
        them can agree by chance: lists without this tokenizer's special ones need some length.
        """
        if any(not 0 <= one < self._whole.get_vocab_size() for ids in inputs for one in ids):
            return None
        texts: list[str] = self._whole.decode_batch([list(ids) for ids in inputs])
        framed, bare = (
            [one.ids for one in self._whole.encode_batch_fast(texts, add_special_tokens=special)]
            for special in (True, False)
        )
        unframed = 0
        for ids, whole, part in zip(inputs, framed, bare, strict=True):
            if list(ids) != whole or whole == part:
                if list(ids) != part:
                    return None
                unframed += len(part)
        return texts if not unframed or unframed >= _SURE else None

    def _parts(self, texts: list[str]) -> list[Encoding]:
        parts: list[Encoding] = self._whole.encode_batch_fast(
            stepped(self._source, texts), add_special_tokens=False
        )
        return parts
