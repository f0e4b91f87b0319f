"""The documents of the log, in memory: searched by brute force until they become a segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from kosim.index.store.block import Block, FloatArray
from kosim.index.store.identifiers import IntArray
from kosim.index.vectors.exact import best_first, score_rows
from kosim.index.vectors.stored import StoredVectors

_QUERIES = 64
_TEXTS = 8192
_FIRST_CAPACITY = 256
_ROUNDING = 4e-6
"""How far the scores of a matrix product may lie from those that are returned."""

BoolArray = npt.NDArray[np.bool_]


@dataclass
class _Store:
    """What all versions of a delta share; it only grows, so an older version stays as it was."""

    vectors: FloatArray
    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    rows_of: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Delta:
    """One version of the documents added since the last generation.

    ``alive``, (rows,), says which of them were not removed again.
    """

    rows: int
    alive: BoolArray
    vectors_in_use: FloatArray
    _store: _Store

    @classmethod
    def empty(cls, dimension: int) -> Delta:
        """Return a delta without documents."""
        vectors = np.empty((_FIRST_CAPACITY, dimension), dtype=np.float32)
        return cls(0, np.zeros(0, dtype=np.bool_), vectors[:0], _Store(vectors))

    def changed(self, removed: Sequence[int], added: Block) -> Delta:
        """Return the version after a change; only one thread may do so, on the newest version."""
        store, rows = self._store, self.rows + len(added)
        if rows > len(store.vectors):
            larger = np.empty((2 * rows, store.vectors.shape[1]), dtype=np.float32)
            larger[: self.rows] = store.vectors[: self.rows]
            # The old array stays with the older versions.
            store.vectors = larger
        store.vectors[self.rows : rows] = added.vectors
        store.ids.extend(added.ids)
        store.texts.extend(added.texts)
        store.extras.extend(added.extras)
        for row, name in enumerate(added.ids, self.rows):
            store.rows_of[name] = (*store.rows_of.get(name, ()), row)
        alive = np.ones(rows, dtype=np.bool_)
        alive[: self.rows] = self.alive
        alive[list(removed)] = False
        return Delta(rows, alive, store.vectors[:rows], store)

    def find(self, ids: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Yield (number in ``ids``, row) for the ids that are here, removed or not."""
        rows_of = self._store.rows_of
        for number, name in enumerate(ids):
            for row in rows_of.get(name, ()):
                if row < self.rows:
                    yield number, row

    def column(self, name: Literal["id", "text", "extra"], rows: Sequence[int]) -> list[str]:
        """Return one column of the given rows."""
        values = {"id": self._store.ids, "text": self._store.texts, "extra": self._store.extras}
        column = values[name]
        return [column[row] for row in rows]

    def batches(self, name: Literal["id", "text", "extra"]) -> Iterator[list[str]]:
        """Yield one column whole, in order, in batches."""
        for start in range(0, self.rows, _TEXTS):
            yield self.column(name, range(start, min(start + _TEXTS, self.rows)))

    def block(self, rows: IntArray) -> Block:
        """Return some documents with their vectors."""
        chosen = rows.tolist()
        return Block(
            self.column("id", chosen),
            self.column("text", chosen),
            self.column("extra", chosen),
            self.vectors(rows),
        )

    def vectors(self, rows: IntArray) -> FloatArray:
        """Return copies of the vectors of some rows: (m, dimension)."""
        return self.vectors_in_use[rows]

    def search(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        """Return the best living rows by inner product: scores and rows, (q, min(k, rows)).

        Ties go to the smaller row; where fewer rows live, the rest is -inf and -1.
        """
        k = min(k, self.rows)
        stored = StoredVectors(self.vectors_in_use)
        scores = np.empty((len(queries), k), dtype=np.float32)
        rows = np.empty((len(queries), k), dtype=np.int64)
        for start in range(0, len(queries), _QUERIES):
            part = slice(start, start + _QUERIES)
            near = self._near(queries[part], k)
            exact = score_rows(stored, queries[part], near)
            scores[part], rows[part] = best_first(exact, near, k)
        return scores, rows

    def _near(self, queries: FloatArray, k: int) -> IntArray:
        """Return all living rows that may be among the k best, at least k columns, rest -1."""
        scores = queries @ self.vectors_in_use.T
        scores[:, ~self.alive] = -np.inf
        kth = -np.partition(-scores, k - 1, axis=1)[:, k - 1]
        near = (scores >= kth[:, None] - _ROUNDING) & self.alive
        counts = near.sum(axis=1)
        found = np.full((len(queries), max(k, int(counts.max()))), -1, dtype=np.int64)
        numbers, rows = np.nonzero(near)
        firsts = np.cumsum(counts) - counts
        found[numbers, np.arange(len(numbers)) - firsts[numbers]] = rows
        return found
