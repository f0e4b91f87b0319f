"""Texts and pairs as tokens: in bulk, each text once."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from tokenizers import Encoding, Tokenizer
from transformers import PreTrainedTokenizerBase
from transformers.tokenization_utils_base import TruncationStrategy
from transformers.utils import PaddingStrategy

from kosim.encoders.records import Pair
from kosim.encoders.tokenizers.text_step import stepped

_LONGEST_FIRST = TruncationStrategy.LONGEST_FIRST
_LOCK = threading.Lock()
"""Where a tokenizer cuts is a setting of it, which must not change under another thread's call."""


def tokenise_texts(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int
) -> list[Encoding]:
    """Return the tokens of n texts with the model's special ones, cut to ``max_length``."""
    prepared = stepped(tokenizer, texts)
    with _LOCK:
        return _cutting(tokenizer, max_length).encode_batch_fast(prepared)


def tokenise_whole(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[Encoding]:
    """Return the tokens of n texts, uncut and without special ones."""
    prepared = stepped(tokenizer, texts)
    with _LOCK:
        return _cutting(tokenizer, None).encode_batch_fast(prepared, add_special_tokens=False)


def tokenise_pairs(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], max_length: int
) -> list[Encoding]:
    """Return the tokens of n pairs, each as one sequence, cut to ``max_length``.

    A text that stands in several pairs, such as a query beside its candidates, is tokenised
    once; the longer text of a pair is cut first, as sentence-transformers does.
    """
    distinct = dict.fromkeys(text for pair in pairs for text in pair)
    positions = {text: position for position, text in enumerate(distinct)}
    prepared = stepped(tokenizer, positions)
    with _LOCK:
        # Uncut: which of two texts is the longer one decides how they are cut together.
        whole = _cutting(tokenizer, None)
        parts = whole.encode_batch_fast(prepared, add_special_tokens=False)
        joined = _cutting(tokenizer, max_length)
        return [
            joined.post_process(parts[positions[first]], parts[positions[second]])
            for first, second in pairs
        ]


def count_cut(encodings: Sequence[Encoding]) -> int:
    """Return how many inputs had more tokens than were wanted."""
    return sum(bool(encoding.overflowing) for encoding in encodings)


def _cutting(tokenizer: PreTrainedTokenizerBase, max_length: int | None) -> Tokenizer:
    """Return the tokenizer underneath, set as transformers sets it for one call."""
    cut = TruncationStrategy.DO_NOT_TRUNCATE if max_length is None else _LONGEST_FIRST
    tokenizer.set_truncation_and_padding(
        padding_strategy=PaddingStrategy.DO_NOT_PAD,
        truncation_strategy=cut,
        max_length=max_length,
        stride=0,
        pad_to_multiple_of=None,
        padding_side=None,
    )
    backend: Tokenizer = tokenizer.backend_tokenizer
    return backend
