"""Approximate search in lists of compressed vectors, which the stored vectors rescore."""

from __future__ import annotations

import math
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

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
from kosim.index.vectors.recall import DEPTH, Sample, calibration_samples, recall
from kosim.index.vectors.stored import (
    FILE,
    Storage,
    StoredVectors,
    VectorType,
    in_blocks,
    open_stored,
    write_stored,
)

TRAINING_POINTS = 39
"""Training vectors a centroid that FAISS asks for at least."""
_MAX_LISTS = 16_384
_REFINEMENTS = (2, 4, 8, 16, 32, 64)
_BLOCK = 65_536
_SEED = 0


class ListsFinder(Finder):
    """Lists of compressed vectors, mapped, beside the vectors, which give the exact scores.

    A query visits ``nprobe`` of the lists; the best ``refine`` times k of their compressed
    vectors become candidates. ``lists`` is the file of an index of the class ``whole``, with lists
    of the class ``kind``. ``target`` is the recall@10 that ``nprobe`` and ``refine`` are calibrated
    to, and ``refinement_cost`` that of reading and scoring a stored vector, in bytes of codes that
    are looked at meanwhile.

    FAISS does not notice when the last 1 to 7 bytes of the lists are missing: who keeps the files
    compares their sizes before opening them.
    """

    exact = False
    lists: ClassVar[str]
    whole: ClassVar[type[faiss.Index]]
    kind: ClassVar[type[faiss.IndexIVF]]
    target: ClassVar[float]
    refinement_cost: ClassVar[float]
    centroids: ClassVar[int]

    def __init__(self, index: faiss.Index, stored: StoredVectors, nprobe: int, refine: int) -> None:
        self._index = index
        self._lists = self.ivf(index)
        self._nprobe = nprobe
        self._refine = refine
        self.stored = stored

    @classmethod
    def files(cls, type: VectorType) -> tuple[str, ...]:
        """Return the names of both files."""
        return (cls.lists, FILE)

    @classmethod
    @abstractmethod
    def empty(cls, rows: int, dimension: int) -> faiss.Index:
        """Return an index without vectors, not trained."""

    @staticmethod
    def ivf(index: faiss.Index) -> faiss.IndexIVF:
        """Return the lists of an index that `empty` made."""
        return index

    @staticmethod
    @abstractmethod
    def parameters(nprobe: int, selector: faiss.IDSelector | None) -> Any:
        """Return FAISS's parameters of a search."""

    @classmethod
    def write_vectors(
        cls, folder: Path, vectors: npt.NDArray[np.float32], storage: Storage
    ) -> None:
        """Write the vectors that rescore candidates."""
        write_stored(folder / FILE, vectors.shape, in_blocks(vectors), storage)

    @classmethod
    def open_vectors(
        cls, folder: Path, rows: int, dimension: int, type: VectorType
    ) -> StoredVectors:
        """Map the vectors that rescore candidates."""
        return StoredVectors.of(open_stored(folder / FILE, rows, dimension, type))

    @classmethod
    def write(
        cls,
        folder: Path,
        vectors: npt.NDArray[np.float32],
        storage: Storage,
        progress: Progress | None,
    ) -> Settings:
        """Train on a sample, add in blocks, and calibrate.

        Lists: four times the root of the rows, as FAISS's guidelines say, but not more than the
        rows can train. Memory: the training sample (at most 640,000 vectors), the codes, and a
        block.
        """
        rows, dimension = vectors.shape
        index = cls.empty(rows, dimension)
        points = TRAINING_POINTS * max(cls.ivf(index).nlist, cls.centroids)
        index.train(_training_sample(vectors, points))
        cls.write_vectors(folder, vectors, storage)
        add_in_blocks(index, vectors, _BLOCK, progress)
        write_index(index, folder / cls.lists)
        lists = cls.ivf(index)
        settings = {"lists": int(lists.nlist), "code_bytes": int(lists.code_size)}
        del lists, index
        opened = {"nprobe": 1, "refine": 1}
        finder = cls.open(folder, rows, dimension, storage.type, opened)
        nprobe, refine, measured = finder._calibrated(
            StoredVectors(vectors, rounded=storage.type != "fp32")
        )
        return {
            **settings,
            "nprobe": nprobe,
            "refine": refine,
            "target": cls.target,
            "recall@10": measured,
        }

    @classmethod
    def open(
        cls, folder: Path, rows: int, dimension: int, type: VectorType, settings: Settings
    ) -> Self:
        """Map both files."""
        nprobe, refine = (setting(settings, name, folder) for name in ("nprobe", "refine"))
        index = map_index(folder / cls.lists, rows, dimension)
        expect_kind(index, cls.whole, folder / cls.lists)
        expect_kind(cls.ivf(index), cls.kind, folder / cls.lists)
        return cls(index, cls.open_vectors(folder, rows, dimension, type), nprobe, refine)

    def propose(
        self, queries: npt.NDArray[np.float32], k: int, alive: AliveRows | None
    ) -> npt.NDArray[np.int64]:
        """Return ``refine`` times k candidates, from more lists where k were not found."""
        width = min(max(k, DEPTH) * self._refine, self._index.ntotal)
        # The neighbours of a deeper search lie in more lists. The fifth root keeps recall@k: 0.967
        # at 10, 0.969 at 100 and 0.970 at 300 of 20,000 sentences; fixed lists: 0.935 and 0.894.
        deeper = max(1.0, k / DEPTH) ** 0.2
        if alive is not None:  # so do those of a query whose neighbours are removed
            deeper /= alive.share
        nprobe = min(math.ceil(self._nprobe * deeper), self._lists.nlist)
        found = self._search(queries, width, nprobe, alive)
        while nprobe < self._lists.nlist:
            short = np.flatnonzero((found >= 0).sum(axis=1) < k)
            if len(short) == 0:
                break
            nprobe = min(4 * nprobe, self._lists.nlist)
            found[short] = self._search(queries[short], width, nprobe, alive)
        return found

    def _search(
        self, queries: npt.NDArray[np.float32], width: int, nprobe: int, alive: AliveRows | None
    ) -> npt.NDArray[np.int64]:
        selector = None if alive is None else alive.selector
        parameters = self.parameters(nprobe, selector)
        rows: npt.NDArray[np.int64] = self._index.search(queries, width, params=parameters)[1]
        return rows

    def _calibrated(self, originals: StoredVectors) -> tuple[int, int, float]:
        """Return the cheapest nprobe and refine that reach the target, and their recall.

        Where none does, those with the highest recall. The choice is made on one sample and the
        recall measured on another.
        """
        chosen_on, measured_on = calibration_samples(self.stored, originals)
        cheapest: tuple[float, int, int] | None = None
        most = (-1.0, 1, 1)
        for nprobe in _doubled(self._lists.nlist):
            for refine, reached in self._recalls(chosen_on, nprobe):
                most = max(most, (reached, nprobe, refine))
                if reached >= self.target:
                    option = (self._cost(nprobe, refine), nprobe, refine)
                    cheapest = min(cheapest or option, option)
            if cheapest is not None and self._cost(nprobe, 0) > cheapest[0]:
                break
        _, nprobe, refine = cheapest or most
        self._nprobe, self._refine = nprobe, refine
        found = self.propose(measured_on.queries, min(DEPTH, self.stored.rows), None)
        scores = score_rows(self.stored, measured_on.queries, found)
        return nprobe, refine, recall(best_first(scores, found, DEPTH)[1], measured_on.truth)

    def _recalls(self, sample: Sample, nprobe: int) -> list[tuple[int, float]]:
        """Return each refine and its recall@10: candidates are rescored exactly, so that a true
        row is found if it is among them.
        """
        width = min(DEPTH * _REFINEMENTS[-1], self._index.ntotal)
        found = self._search(sample.queries, width, nprobe, None)
        return [(by, recall(found[:, : DEPTH * by], sample.truth)) for by in _REFINEMENTS]

    def _cost(self, nprobe: int, refine: int) -> float:
        """Return the bytes of codes that a query at k of 10 looks at, reading vectors included."""
        visited = nprobe * self._index.ntotal / self._lists.nlist
        return visited * self._lists.code_size + refine * DEPTH * self.refinement_cost


def list_count(rows: int) -> int:
    """Return the number of lists that so many rows are divided among."""
    return max(1, min(4 * math.isqrt(rows), rows // TRAINING_POINTS, _MAX_LISTS))


def _doubled(most: int) -> list[int]:
    return [*(1 << power for power in range(most.bit_length()) if 1 << power < most), most]


def _training_sample(vectors: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    count = min(count, len(vectors))
    rows = np.random.default_rng(_SEED).choice(len(vectors), size=count, replace=False)
    return np.ascontiguousarray(vectors[np.sort(rows)])
