"""Approximate search in a navigable graph (Malkov & Yashunin 2018, arXiv:1603.09320)."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import faiss
import numpy as np
import numpy.typing as npt

from kosim.index.vectors.alive_rows import AliveRows
from kosim.index.vectors.finder import (
    Finder,
    Progress,
    Settings,
    add_in_blocks,
    expect_kind,
    map_index,
    setting,
    write_index,
)
from kosim.index.vectors.flat import stored_vectors
from kosim.index.vectors.recall import DEPTH, calibration_samples, recall

FILE = "graph.faiss"
LINKS = 32
"""Links of a vector (M of the paper), twice as many on the lowest level."""
BUILD_DEPTH = 128
"""Candidates that are kept while a vector is linked (efConstruction)."""
TARGET = 0.985
"""Recall@10 that the search depth is calibrated to."""
_DEPTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
_BLOCK = 8192


class HnswFinder(Finder):
    """``IndexHNSWFlat``, mapped. FAISS keeps the vectors and the graph in memory to build it:
    some 4 d + 300 bytes a row.
    """

    files = (FILE,)
    minimum_rows = 0
    exact = False

    def __init__(self, index: faiss.IndexHNSWFlat, depth: int) -> None:
        self._index = index
        self._depth = depth
        self.stored = stored_vectors(faiss.downcast_index(index.storage))

    @classmethod
    def write(
        cls, folder: Path, vectors: npt.NDArray[np.float32], progress: Progress | None
    ) -> Settings:
        """Build the graph, and find the smallest search depth that reaches ``TARGET``.

        The depth (efSearch) is chosen on one sample of queries and its recall measured on
        another; where no depth reaches the target, the largest is used.
        """
        rows, dimension = vectors.shape
        index = faiss.IndexHNSWFlat(dimension, LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = BUILD_DEPTH
        _reserve(index, rows)
        add_in_blocks(index, vectors, _BLOCK, progress)
        write_index(index, folder / FILE)
        del index
        depth, measured = _DEPTHS[0], 1.0
        if rows > 0:
            finder = cls.open(folder, rows, dimension, {"efSearch": depth})
            depth, measured = finder._calibrated()
        return {
            "M": LINKS,
            "efConstruction": BUILD_DEPTH,
            "efSearch": depth,
            "target": TARGET,
            "recall@10": measured,
        }

    @classmethod
    def open(cls, folder: Path, rows: int, dimension: int, settings: Settings) -> Self:
        """Map the file."""
        depth = setting(settings, "efSearch", folder)
        index = map_index(folder / FILE, rows, dimension)
        expect_kind(index, faiss.IndexHNSWFlat, folder / FILE)
        return cls(index, depth)

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
        found = self._search(queries, k, depth, alive)
        while depth < _DEPTHS[-1]:
            short = np.flatnonzero((found >= 0).sum(axis=1) < k)
            if len(short) == 0:
                break
            depth *= 2
            found[short] = self._search(queries[short], k, depth, alive)
        return found

    def _search(
        self, queries: npt.NDArray[np.float32], k: int, depth: int, alive: AliveRows | None
    ) -> npt.NDArray[np.int64]:
        selector = None if alive is None else alive.selector
        parameters = faiss.SearchParametersHNSW(efSearch=depth, sel=selector)
        rows: npt.NDArray[np.int64] = self._index.search(queries, k, params=parameters)[1]
        return rows

    def _calibrated(self) -> tuple[int, float]:
        chosen_on, measured_on = calibration_samples(self.stored)
        k = min(DEPTH, self.stored.rows)

        def reached(depth: int, queries: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
            self._depth = depth
            return self.propose(queries, k, None)[:, :k]

        for depth in _DEPTHS:
            if recall(reached(depth, chosen_on.queries), chosen_on.truth) >= TARGET:
                break
        return depth, recall(reached(depth, measured_on.queries), measured_on.truth)


def _reserve(index: faiss.IndexHNSWFlat, rows: int) -> None:
    """Let FAISS's arrays have their final size from the start.

    Growing doubles them and copies, which would need three times the memory; emptying an array
    keeps its memory.
    """
    codes = faiss.downcast_index(index.storage).codes
    for array, size in (
        (codes, rows * index.d * 4),
        (index.hnsw.neighbors, rows * LINKS * 33 // 16),
    ):
        array.resize(size)
        array.resize(0)
