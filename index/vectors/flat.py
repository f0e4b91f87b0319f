"""Exact search: every vector is compared."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import faiss
import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import CorpusIndexError
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

    def __init__(self, index: faiss.IndexFlatCodes, deviation: float) -> None:
        self._index = index
        self._margin = _ROUNDING + 2.1 * deviation
        self._spare = 8 if deviation == 0 else 32
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
        if storage.type == "fp32":
            return {"recall@10": 1.0}
        if not len(vectors):
            return {"recall@10": 1.0, "deviation": 0.0}
        rows, dimension = vectors.shape
        opened = cls.open(folder, rows, dimension, storage.type, {"deviation": 0.0})
        stored = opened.stored
        _, measured_on = calibration_samples(stored, StoredVectors(vectors, rounded=True))
        found = search_exactly(stored, measured_on.queries, DEPTH)
        measured = recall(found, measured_on.truth)
        return {"recall@10": measured, "deviation": stored.deviation()}

    @classmethod
    def open(
        cls, folder: Path, rows: int, dimension: int, type: VectorType, settings: Settings
    ) -> Self:
        """Map the file."""
        return cls(
            open_stored(folder / FILE, rows, dimension, type), _deviation(settings, type, folder)
        )

    def propose(
        self, queries: npt.NDArray[np.float32], k: int, alive: AliveRows | None
    ) -> npt.NDArray[np.int64]:
        """Return all rows that may be among the k best, those with the k-th score included.

        FAISS is asked for some more than ``k``. A query is settled when the worst of them is
        clearly worse than its k-th alive row; the others are asked again for more. FAISS compares
        int8 and fp16 vectors with the lengths that rounding gave them: these may put a row as far
        from its place as they deviate from 1.
        """
        width = k + self._spare + k // 8
        selected = alive is not None and alive.share < _SELECTED_BELOW
        if alive is not None and not selected:
            width = int(width / alive.share)
        queries = self.stored.turned(queries)
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
            settled = _settled(scores, rows, k, self._margin) | (width == self._index.ntotal)
            open_queries = open_queries[~settled]
            if len(open_queries) == 0:
                return found
            width *= 4
            # What hides the best rows of these queries may be a cluster of removed ones.
            selected = alive is not None


def _deviation(settings: Settings, type: VectorType, folder: Path) -> float:
    """Return how far the lengths of the stored vectors are from 1 at most."""
    value = 0.0 if type == "fp32" else settings.get("deviation")
    if not isinstance(value, float) or not 0 <= value < 1:
        raise CorpusIndexError(
            f"{folder}: the setting deviation is {value!r}, not a number from 0 to 1; build the "
            "index again or restore its manifest"
        )
    return value


def _settled(
    scores: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], k: int, margin: float
) -> npt.NDArray[np.bool_]:
    """Whether each query's k-th alive row is clearly better than all that were not returned."""
    counts = np.cumsum(rows >= 0, axis=1)
    kth = np.argmax(counts >= k, axis=1)
    kth_scores = np.take_along_axis(scores, kth[:, None], axis=1)[:, 0]
    # FAISS fills up with its lowest number when there are no more rows: then all were returned.
    return (counts[:, -1] >= k) & (kth_scores - scores[:, -1] > margin)
