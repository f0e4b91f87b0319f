"""Batches by tokens: inputs sorted by length and padded into buffers that are used again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding

from kosim.encoders.compute.runtime import TokenBatch
from kosim.encoders.compute.text_reader import InputLayout

Rows = npt.NDArray[np.int64]

_MANY = 8
"""Rounds of batches from which on the last one's idle threads do not matter."""

_FEWEST_TOKENS = 64
"""Padded tokens below which a batch is not divided for the sake of more threads."""


def batches_by_tokens(lengths: Rows, budget: int, *, most: int | None = None) -> Iterator[Rows]:
    """Yield the rows of each batch, the longest inputs first.

    Sorted, the inputs of a batch are about equally long, and what does not fit into memory
    fails at once and not after an hour.

    Args:
        lengths: (n,) tokens of each input.
        budget: padded tokens of a batch; an input that is longer gets one of its own.
        most: inputs of a batch at most, if they are limited too.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, int(lengths[order[start]])))
        if most is not None:
            size = min(size, most)
        yield order[start : start + size]
        start += size


def shared_batches(
    lengths: Rows, budget: int, at_once: int, *, most: int | None = None
) -> list[Rows]:
    """Return the rows of batches of which ``at_once`` are computed at a time.

    Where there are few, they are made smaller and about equal, so that nobody waits long for who
    computes the last.

    Args:
        lengths: (n,) tokens of each input.
        budget: padded tokens of a batch at most, as in `batches_by_tokens`.
        at_once: how many are computed at a time.
        most: inputs of a batch at most, if they are limited too.
    """
    batches = list(batches_by_tokens(lengths, budget, most=most))
    if at_once == 1 or len(batches) > _MANY * at_once:
        return batches
    wanted = -(-len(batches) // at_once) * at_once
    smaller = range(min(_FEWEST_TOKENS, budget), budget)

    def surplus(some: int) -> int:
        return wanted - len(list(batches_by_tokens(lengths, some, most=most)))

    # The number of batches falls with the budget: the least one that does not give too many.
    first = bisect_left(smaller, 0, key=surplus)
    least = smaller[first] if first < len(smaller) else budget
    return list(batches_by_tokens(lengths, least, most=most))


class PaddedBuffers:
    """Token ids as rectangles, one buffer for each input of the model.

    A batch is valid until the next one is made.
    """

    def __init__(self, layout: InputLayout, encodings: Sequence[Encoding]) -> None:
        self._encodings = encodings
        self._left = layout.padding_side == "left"
        self._fill = {
            "input_ids": layout.pad_id,
            "token_type_ids": layout.pad_type_id,
            "attention_mask": 0,
        }
        self._buffers = {name: np.empty(0, dtype=np.int64) for name in layout.names}

    def batch(self, rows: Rows) -> TokenBatch:
        """Return the inputs at ``rows``, padded to the longest of them."""
        chosen = [self._encodings[row] for row in rows.tolist()]
        shape = (len(chosen), max(map(len, chosen)))
        arrays = {name: self._cleared(name, shape) for name in self._buffers}
        for row, encoding in enumerate(chosen):
            length = len(encoding)
            span = slice(shape[1] - length, None) if self._left else slice(length)
            arrays["input_ids"][row, span] = encoding.ids
            if "attention_mask" in arrays:
                arrays["attention_mask"][row, span] = 1
            if "token_type_ids" in arrays:
                arrays["token_type_ids"][row, span] = encoding.type_ids
        return arrays

    def _cleared(self, name: str, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
        size = shape[0] * shape[1]
        if len(self._buffers[name]) < size:
            self._buffers[name] = np.empty(size, dtype=np.int64)
        array = self._buffers[name][:size].reshape(shape)
        array.fill(self._fill[name])
        return array
