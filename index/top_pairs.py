"""The pairs of vectors with the highest cosines, without holding all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from encoders.base import FloatArray
from encoders.errors import ConfigError
from index.store.snapshot import Snapshot

Places = npt.NDArray[np.int64]
Pairs = tuple[FloatArray, Places, Places]
"""Scores (m,), best first, and the smaller and larger position of each pair (m,)."""

_BLOCK = 2048


class _BestPairs:
    """Keeps the best ``count`` pairs of all that it is given; ties by positions."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.threshold = np.float32(-np.inf)
        nothing = np.zeros(0, dtype=np.int64)
        self._kept: Pairs = (np.zeros(0, dtype=np.float32), nothing, nothing)
        self._waiting: list[Pairs] = []
        self._waiting_count = 0

    def add(self, scores: FloatArray, first: Places, second: Places) -> None:
        """Take pairs, of which those below the threshold are of no use."""
        self._waiting.append((scores, first, second))
        self._waiting_count += len(scores)
        if self._waiting_count > max(self.count, _BLOCK):
            self._prune()

    def best(self) -> Pairs:
        """Return the best pairs in order."""
        self._prune()
        return self._kept

    def _prune(self) -> None:
        parts = zip(self._kept, *self._waiting, strict=True)
        scores, first, second = (np.concatenate(part) for part in parts)
        self._waiting, self._waiting_count = [], 0
        if len(scores) > self.count:
            # Only what ties with the last place or is better has to be sorted.
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
    """Return what :func:`top_pairs` does, of ``size`` vectors that ``rows(start, stop)`` reads.

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
    places: Places,
    count: int,
    *,
    neighbours: int,
    progress: Callable[[int, int], None] | None = None,
) -> Pairs:
    """Return the best pairs among each document and its nearest neighbours.

    Args:
        snapshot: the state of an index that is searched.
        places: (n,) places of its live documents, ascending.
        count: how many pairs.
        neighbours: of each document, itself not counted.
        progress: called with (documents done, documents).

    Returns:
        As :func:`top_pairs`; positions are those in ``places``.
    """
    # Most pairs are found from both sides, so twice as many are kept until they are merged.
    best = _BestPairs(2 * count)
    for start in range(0, len(places), _BLOCK):
        own = places[start : start + _BLOCK]
        scores, found = snapshot.search(snapshot.vectors(own), neighbours + 1)
        pairs = (found >= 0) & (found != own[:, None]) & (scores >= best.threshold)
        rows, columns = np.nonzero(pairs)
        first, second = rows + start, np.searchsorted(places, found[rows, columns])
        best.add(scores[rows, columns], np.minimum(first, second), np.maximum(first, second))
        if progress:
            progress(min(start + _BLOCK, len(places)), len(places))
    scores, first, second = best.best()
    _, once = np.unique(first * len(places) + second, return_index=True)
    scores, first, second = scores[once], first[once], second[once]
    order = np.lexsort((second, first, -scores))[:count]
    return scores[order], first[order], second[order]
