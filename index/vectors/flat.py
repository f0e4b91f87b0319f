"""Exact search: every vector is compared."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import faiss
import numpy as np
import numpy.typing as npt

from kosim.encoders.durable_file import DurableFile
from kosim.index.vectors.alive_rows import AliveRows
from kosim.index.vectors.exact import StoredVectors
from kosim.index.vectors.finder import Finder, Progress, Settings, expect_kind, map_index

FILE = "vectors.faiss"
_BLOCK = 8192
_SELECTED_BELOW = 0.5
"""Share of alive rows below which FAISS is told which rows to skip from the start."""
_ROUNDING = 4e-6
"""How far FAISS's scores of unit vectors may be from those that are returned."""


class FlatFinder(Finder):
    """``IndexFlatIP``, mapped."""

    files = (FILE,)
    minimum_rows = 0
    exact = True

    def __init__(self, index: faiss.IndexFlatIP) -> None:
        self._index = index
        self.stored = stored_vectors(index)

    @classmethod
    def write(
        cls, folder: Path, vectors: npt.NDArray[np.float32], progress: Progress | None
    ) -> Settings:
        """Stream the vectors behind FAISS's header: never more than a block is in memory."""
        starts = range(0, len(vectors), _BLOCK)
        blocks = (vectors[start : start + _BLOCK] for start in starts)
        write_flat(folder / FILE, vectors.shape, blocks, progress)
        return {"recall@10": 1.0}

    @classmethod
    def open(cls, folder: Path, rows: int, dimension: int, settings: Settings) -> Self:
        """Map the file."""
        index = map_index(folder / FILE, rows, dimension)
        expect_kind(index, faiss.IndexFlatIP, folder / FILE)
        return cls(index)

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


def write_flat(
    path: Path,
    shape: tuple[int, ...],
    blocks: Iterable[npt.NDArray[np.float32]],
    progress: Progress | None = None,
) -> None:
    """Write an ``IndexFlatIP`` of blocks whose rows together have the ``shape`` (n, d).

    Raises:
        OSError: it could not be written.
    """
    written = 0
    with DurableFile(path) as file:
        file.write(_header(*shape))
        for block in blocks:
            file.write(np.ascontiguousarray(block).data)
            written += len(block)
            if progress is not None:
                progress(written)


def stored_vectors(index: faiss.IndexFlatIP) -> StoredVectors:
    """Return the vectors of an index; they stay mapped as long as the index lives."""
    if index.ntotal == 0:
        return StoredVectors(np.empty((0, index.d), dtype=np.float32))
    data = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d)
    return StoredVectors(data.reshape(index.ntotal, index.d))


def _header(rows: int, dimension: int) -> bytes:
    """Return what FAISS writes before the vectors of a flat index.

    It is FAISS's own for an empty index, with the two counts filled in: the rows, which follow
    the four letters of the kind and the dimension, and the number of floats, which comes last.
    Opening checks both.
    """
    header = bytearray(faiss.serialize_index(faiss.IndexFlatIP(dimension)).tobytes())
    struct.pack_into("<q", header, 8, rows)
    struct.pack_into("<Q", header, len(header) - 8, rows * dimension)
    return bytes(header)
