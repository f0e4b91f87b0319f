"""Exact search: every vector is compared."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import faiss
import numpy as np
import numpy.typing as npt

from kosim.index.vectors.alive_rows import AliveRows
from kosim.index.vectors.exact import search_exactly
from kosim.index.vectors.faiss_io import Progress
from kosim.index.vectors.finder import Finder, Settings
from kosim.index.vectors.recall import DEPTH, calibration_samples, recall
from kosim.index.vectors.stored import (
    FILE,
    Storage,
    StoredVectors,
    VectorType,
    in_blocks,
    open_stored,
    write_stored,
)

_SELECTED_BELOW = 0.5
"""Share of alive rows below which FAISS is told which rows to skip from the start."""
_ROUNDING = 4e-6
"""How far FAISS's scores of unit vectors may be from those that are returned."""


class FlatFinder(Finder):
    """A mapped index of FAISS's that holds nothing but the vectors."""

    minimum_rows = 0
    exact = True

    def __init__(self, index: faiss.IndexFlatCodes) -> None:
        self._index = index
        self.stored = StoredVectors.of(index)

    @classmethod
    def files(cls, type: VectorType) -> tuple[str, ...]:
        """Return the name of the one file."""
        return (FILE,)

    @classmethod
    def write(
        cls,
        folder: Path,
        vectors: npt.NDArray[np.float32],
        storage: Storage,
        progress: Progress | None,
    ) -> Settings:
        """Stream the vectors behind FAISS's header: never more than a block is in memory."""
        write_stored(folder / FILE, vectors.shape, in_blocks(vectors), storage, progress)
        if storage.type == "fp32" or not len(vectors):
            return {"recall@10": 1.0}
        rows, dimension = vectors.shape
        stored = cls.open(folder, rows, dimension, storage.type, {}).stored
        _, measured_on = calibration_samples(stored, StoredVectors(vectors))
        found = search_exactly(stored, measured_on.queries, DEPTH)
        return {"recall@10": recall(found, measured_on.truth)}

    @classmethod
    def open(
        cls, folder: Path, rows: int, dimension: int, type: VectorType, settings: Settings
    ) -> Self:
        """Map the file."""
        return cls(open_stored(folder / FILE, rows, dimension, type))

    def propose(
        self, queries: npt.NDArray[np.float32], k: int, alive: AliveRows | None
    ) -> npt.NDArray[np.int64]:
        """Return all rows that may be among the k best, those with the k-th score included.

        FAISS is asked for some more than ``k``. A query is settled when the worst of them is
        clearly worse than its k-th alive row; the others are asked again for more.
        """
        width = k + 8 + k // 8
        selected = alive is not None and alive.share < _SELECTED_BELOW
        if alive is not None and not selected:
            width = int(width / alive.share)
        found = np.full((len(queries), 0), -1, dtype=np.int64)
        open_queries = np.arange(len(queries))
        while True:
            width = min(width, self._index.ntotal)
            parameters = faiss.SearchParameters(sel=alive.selector) if alive and selected else None
            scores, rows = self._index.search(queries[open_queries], width, params=parameters)
            if alive is not None and not selected:
                rows[~alive.mask[rows]] = -1
            if len(open_queries) == len(queries):
                found = rows
            else:
                found = np.pad(found, ((0, 0), (0, width - found.shape[1])), constant_values=-1)
                found[open_queries] = rows
            settled = _settled(scores, rows, k) | (width == self._index.ntotal)
            open_queries = open_queries[~settled]
            if len(open_queries) == 0:
                return found
            width *= 4
            # What hides the best rows of these queries may be a cluster of removed ones.
            selected = alive is not None


def _settled(
    scores: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], k: int
) -> npt.NDArray[np.bool_]:
    """Whether each query's k-th alive row is clearly better than all that were not returned."""
    counts = np.cumsum(rows >= 0, axis=1)
    kth = np.argmax(counts >= k, axis=1)
    kth_scores = np.take_along_axis(scores, kth[:, None], axis=1)[:, 0]
    # FAISS fills up with its lowest number when there are no more rows: then all were returned.
    return (counts[:, -1] >= k) & (kth_scores - scores[:, -1] > _ROUNDING)
