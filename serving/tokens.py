"""Counting tokens beside a network that is at work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from kosim.encoders.base import PairEncoder
from kosim.encoders.records import Pair
from kosim.encoders.tokenizers.text_step import stepped

Lengths = npt.NDArray[np.int64]


class TokenCounter:
    """Counts the tokens of a text or pair, uncut.

    It has a tokenizer of its own: that of a network must not be used by two threads at once.
    Any thread may ask.
    """

    def __init__(self, encoder: PairEncoder, *, prompt: str = "") -> None:
        self._source = encoder.tokenizer
        self._tokenizer: Any = Tokenizer.from_str(self._source.backend_tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._prompt = prompt

    def texts(self, texts: Sequence[str]) -> Lengths:
        """Return the tokens of n texts, prompt included: (n,)."""
        return self._count(stepped(self._source, [self._prompt + text for text in texts]))

    def pairs(self, pairs: Sequence[Pair]) -> Lengths:
        """Return the tokens of n pairs, each as one sequence: (n,)."""
        firsts = stepped(self._source, [first for first, _ in pairs])
        seconds = stepped(self._source, [second for _, second in pairs])
        return self._count(list(zip(firsts, seconds, strict=True)))

    def _count(self, inputs: list[Any]) -> Lengths:
        encoded = self._tokenizer.encode_batch_fast(inputs)
        return np.array([len(one) for one in encoded], dtype=np.int64)
