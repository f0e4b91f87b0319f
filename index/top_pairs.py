"""The pairs of vectors with the highest cosines, without holding all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kosim.encoders.base import FloatArray
from kosim.encoders.errors import ConfigError
from kosim.index.ranking import Rows
from kosim.index.store.snapshot import Snapshot

Pairs = tuple[FloatArray, Rows, Rows]
"""Scores (m,), best first, and the smaller and larger position of each pair (m,)."""

_BLOCK = 2048


class _BestPairs:
    """Keeps the best ``count`` pairs of all that it is given; ties by positions.

    ``repeated``: the same pair may be given several times, and counts once.
    """

    def __init__(self, count: int, *, repeated: bool = False) -> None:
        self.count = count
        self.repeated = repeated
        self.threshold = np.float32(-np.inf)
        nothing = np.zeros(0, dtype=np.int64)
        self._kept: Pairs = (np.zeros(0, dtype=np.float32), nothing, nothing)
        self._waiting: list[Pairs] = []
        self._waiting_count = 0

    def add(self, scores: FloatArray, first: Rows, second: Rows) -> None:
        """Take pairs, of which those below the threshold are of no use."""
        self._waiting.append((scores, first, second))
        self._waiting_count += len(scores)
        if self._waiting_count > max(self.count, _BLOCK):
            self.prune()

    def best(self) -> Pairs:
        """Return the best pairs in order."""
        self.prune()
        return self._kept

    def prune(self) -> None:
        """Drop what is not among the best, and raise the threshold accordingly."""
        parts = zip(self._kept, *self._waiting, strict=True)
        scores, first, second = (np.concatenate(part) for part in parts)
        self._waiting, self._waiting_count = [], 0
        if self.repeated:
            order = np.lexsort((-scores, second, first))
            scores, first, second = scores[order], first[order], second[order]
            new = np.ones(len(scores), dtype=np.bool_)
            new[1:] = (np.diff(first) != 0) | (np.diff(second) != 0)
            scores, first, second = scores[new], first[new], second[new]
        if len(scores) > self.count:
            # Only what ties with the last one or is better has to be sorted.
            last = -np.partition(-scores, self.count - 1)[self.count - 1]
            good = scores >= last
            scores, first, second = scores[good], first[good], second[good]
        order = np.lexsort((second, first, -scores))[: self.count]
        self._kept = (scores[order], first[order], second[order])
        if len(order) == self.count:
            self.threshold = self._kept[0][-1]


def top_pairs(
    vectors: FloatArray, count: int, *, progress: Callable[[int, int], None] | None = None
) -> Pairs:
    """Return the ``count`` pairs of rows with the highest inner products.

    Args:
        vectors: (n, d) float32, rows of unit length.
        count: how many pairs; fewer where there are fewer.
        progress: called with (rows done, rows).

    Returns:
        Scores (m,) float32, best first, and both rows of each pair (m,), the smaller one first;
        ties by rows.

    Raises:
        ConfigError: ``count`` is below 1.
    """
    return top_pairs_of_blocks(
        lambda start, stop: vectors[start:stop], len(vectors), count, progress=progress
    )


def top_pairs_of_blocks(
    rows: Callable[[int, int], FloatArray],
    size: int,
    count: int,
    *,
    block: int = _BLOCK,
    progress: Callable[[int, int], None] | None = None,
) -> Pairs:
    """Return what `top_pairs` does, of ``size`` vectors that ``rows(start, stop)`` reads.

    It holds two blocks of vectors, one block of products and some ``count`` pairs at a time.
    """
    if count < 1:
        raise ConfigError(f"count is {count}; ask for at least 1 pair")
    best = _BestPairs(count)
    for start in range(0, size, block):
        ours = rows(start, min(start + block, size))
        for other in range(start, size, block):
            theirs = ours if other == start else rows(other, min(other + block, size))
            products = ours @ theirs.T
            good = products >= best.threshold
            if other == start:
                good = np.triu(good, 1)
            first, second = np.nonzero(good)
            best.add(products[first, second], first + start, second + other)
        if progress:
            progress(min(start + block, size), size)
    return best.best()


def neighbour_pairs(
    snapshot: Snapshot,
    live: Rows,
    count: int,
    *,
    neighbours: int,
    progress: Callable[[int, int], None] | None = None,
) -> Pairs:
    """Return the best pairs among each document and its nearest neighbours.

    A document whose farthest neighbour is still nearer than the last of the best pairs may have
    more of them: it is searched again, four times as deep. Such documents are few, since their
    neighbours are among the best pairs.

    Args:
        snapshot: what is searched.
        live: (n,) rows of its live documents, ascending.
        count: how many pairs.
        neighbours: of each document at first, itself not counted.
        progress: called with (documents done, documents) while all are searched.

    Returns:
        As `top_pairs`; positions are those in ``live``.
    """
    best = _BestPairs(count, repeated=True)
    asked, depth = np.arange(len(live)), neighbours
    while len(asked):
        farthest = np.empty(len(asked), dtype=np.float32)
        for start in range(0, len(asked), _BLOCK):
            block = asked[start : start + _BLOCK]
            own = live[block]
            scores, found = snapshot.search(snapshot.vectors(own), depth + 1)
            farthest[start : start + len(block)] = scores[:, -1]
            pairs = (found >= 0) & (found != own[:, None]) & (scores >= best.threshold)
            rows, columns = np.nonzero(pairs)
            first, second = block[rows], np.searchsorted(live, found[rows, columns])
            best.add(scores[rows, columns], np.minimum(first, second), np.maximum(first, second))
            if progress and len(asked) == len(live):
                progress(min(start + _BLOCK, len(live)), len(live))
        best.prune()
        asked = asked[farthest > best.threshold] if depth + 1 < len(live) else asked[:0]
        depth = min(4 * depth, len(live) - 1)
    return best.best()
