"""Approximate search in a navigable graph (Malkov & Yashunin 2018, arXiv:1603.09320)."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import faiss
import numpy as np
import numpy.typing as npt

from kosim.index.vectors.alive_rows import AliveRows
from kosim.index.vectors.exact import best_first, score_rows
from kosim.index.vectors.faiss_io import (
    Progress,
    add_in_blocks,
    expect_kind,
    map_index,
    write_index,
)
from kosim.index.vectors.finder import Finder, Settings, setting
from kosim.index.vectors.recall import DEPTH, calibration_samples, recall
from kosim.index.vectors.rotation import turned
from kosim.index.vectors.stored import (
    BLOCK,
    QUANTIZERS,
    Storage,
    StoredVectors,
    VectorType,
    expect_stored,
    set_ranges,
)

FILE = "graph.faiss"
LINKS = 32
"""Links of a vector (M of the paper), twice as many on the lowest level."""
BUILD_DEPTH = 128
"""Candidates that are kept while a vector is linked (efConstruction)."""
TARGET = 0.985
"""Recall@10 that the search depth is calibrated to."""
_DEPTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)


class HnswFinder(Finder):
    """``IndexHNSWFlat``, or ``IndexHNSWSQ`` where vectors are not float32; mapped.

    FAISS keeps the vectors, as they are stored, and the graph in memory to build it: some 300
    bytes a row beside the vector.
    """

    minimum_rows = 0
    exact = False

    def __init__(self, index: faiss.IndexHNSW, stored: StoredVectors, depth: int) -> None:
        self._index = index
        self._depth = depth
        self.stored = stored

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
        """Build the graph, and find the smallest search depth that reaches ``TARGET``.

        The depth (efSearch) is chosen on one sample of queries and its recall measured on
        another; where no depth reaches the target, the largest is used.
        """
        rows, dimension = vectors.shape
        index = _empty(storage, dimension)
        index.hnsw.efConstruction = BUILD_DEPTH
        _reserve(index, rows)
        add_in_blocks(index, vectors, BLOCK, progress, turned if storage.rotated else None)
        write_index(index, folder / FILE)
        del index
        depth, measured = _DEPTHS[0], 1.0
        if rows > 0:
            finder = cls.open(folder, rows, dimension, storage.type, {"efSearch": depth})
            depth, measured = finder._calibrated(
                StoredVectors(vectors, rounded=storage.type != "fp32")
            )
        return {
            "M": LINKS,
            "efConstruction": BUILD_DEPTH,
            "efSearch": depth,
            "target": TARGET,
            "recall@10": measured,
        }

    @classmethod
    def open(
        cls, folder: Path, rows: int, dimension: int, type: VectorType, settings: Settings
    ) -> Self:
        """Map the file."""
        path, depth = folder / FILE, setting(settings, "efSearch", folder)
        index = map_index(path, rows, dimension)
        # Another type of vectors is named by them, another kind of index by its class.
        graph = isinstance(index, faiss.IndexHNSW)
        expect_kind(index, index.__class__ if graph else faiss.IndexHNSWFlat, path)
        storage = faiss.downcast_index(index.storage)
        expect_stored(storage, type, path)
        return cls(index, StoredVectors.of(storage), depth)

    def propose(
        self, queries: npt.NDArray[np.float32], k: int, alive: AliveRows | None
    ) -> npt.NDArray[np.int64]:
        """Search the graph, deeper where removed rows thin it out or fewer than k were found."""
        # As many more as there are more hits keep recall@k: 0.994 at 10, 0.991 at 100 and 0.994 at
        # 300 of 20,000 sentences, where a fixed depth fell to 0.972 at 100.
        depth = self._depth + max(0, k - DEPTH)
        if alive is not None:
            depth = int(depth / alive.share)
        depth = max(depth, k)
        # FAISS compares vectors of other lengths than 1 where they were rounded: all that it has
        # seen as candidates is rescored.
        width = min(depth, self._index.ntotal) if self.stored.bytewise else k
        queries = self.stored.turned(queries)
        found = self._search(queries, width, depth, alive)
        while depth < _DEPTHS[-1]:
            short = np.flatnonzero((found >= 0).sum(axis=1) < k)
            if len(short) == 0:
                break
            depth *= 2
            found[short] = self._search(queries[short], width, depth, alive)
        return found

    def _search(
        self, queries: npt.NDArray[np.float32], k: int, depth: int, alive: AliveRows | None
    ) -> npt.NDArray[np.int64]:
        selector = None if alive is None else alive.selector
        parameters = faiss.SearchParametersHNSW(efSearch=depth, sel=selector)
        rows: npt.NDArray[np.int64] = self._index.search(queries, k, params=parameters)[1]
        return rows

    def _calibrated(self, originals: StoredVectors) -> tuple[int, float]:
        chosen_on, measured_on = calibration_samples(self.stored, originals)
        k = min(DEPTH, self.stored.rows)

        def reached(depth: int, queries: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
            self._depth = depth
            found = self.propose(queries, k, None)
            return best_first(score_rows(self.stored, queries, found), found, k)[1]

        for depth in _DEPTHS:
            if recall(reached(depth, chosen_on.queries), chosen_on.truth) >= TARGET:
                break
        return depth, recall(reached(depth, measured_on.queries), measured_on.truth)


def _empty(storage: Storage, dimension: int) -> faiss.IndexHNSW:
    if storage.type == "fp32":
        return faiss.IndexHNSWFlat(dimension, LINKS, faiss.METRIC_INNER_PRODUCT)
    kind = QUANTIZERS[storage.type]
    index = faiss.IndexHNSWSQ(dimension, kind, LINKS, faiss.METRIC_INNER_PRODUCT)
    set_ranges(faiss.downcast_index(index.storage), storage)
    index.is_trained = True
    return index


def _reserve(index: faiss.IndexHNSW, rows: int) -> None:
    """Let FAISS's arrays have their final size from the start.

    Growing doubles them and copies, which would need three times the memory; emptying an array
    keeps its memory.
    """
    storage = faiss.downcast_index(index.storage)
    for array, size in (
        (storage.codes, rows * storage.sa_code_size()),
        (index.hnsw.neighbors, rows * LINKS * 33 // 16),
    ):
        array.resize(size)
        array.resize(0)
