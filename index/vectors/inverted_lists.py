"""Approximate search in lists of compressed vectors, which the stored vectors rescore."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import faiss
import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import CorpusIndexError
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
MOST_TO_MEAN = 2
"""A query visits at most so many times as many lists as the mean."""
_NO_LIST = -1
_DEEPER = 0.1
"""The power of k with which the reach grows. It keeps recall@k: .945 at 10, .946 at 50, .944 at 100
and .946 at 300 of 20,000 Korean sentences in lists of product codes."""
_QUERIES = 1_024
"""Queries that are compared with the centres at a time."""
_BLOCK = 65_536
_SEED = 0


@dataclass(frozen=True)
class Visits:
    """How many lists a query visits, and how many candidates it takes from them for each hit.

    Of lists whose rows are alive in a ``share``, as many more are visited, and at least half of
    ``nprobe``: the reach of a query whose neighbours are removed says little of those left.
    """

    nprobe: int
    refine: int = 1
    reach: float = math.inf
    share: float = 1.0

    @classmethod
    def of(cls, settings: Settings, folder: Path) -> Self:
        """Read them from the settings of an index; kosim 0.2 knew no ``reach``.

        Raises:
            CorpusIndexError: a value is missing or no positive number.
        """
        nprobe, refine = (setting(settings, name, folder) for name in ("nprobe", "refine"))
        reach = settings.get("reach", math.inf)
        if not isinstance(reach, float) or not reach >= 0:
            raise CorpusIndexError(
                f"{folder}: the setting reach is {reach!r}, not a number of at least 0; build the "
                "index again or restore its manifest"
            )
        return cls(nprobe, refine, reach)

    def deeper(self, k: int, share: float) -> Visits:
        """Return what finds the ``k`` best of a ``share`` of alive rows as surely as the first 10.

        The neighbours of a deeper search, and those of a query whose neighbours are removed, lie
        in more lists.
        """
        rank = max(1.0, k / DEPTH)
        nprobe = math.ceil(self.nprobe * rank**0.2 / share)
        return replace(self, nprobe=nprobe, reach=self.reach * rank**_DEEPER, share=share)

    def counts(
        self, queries: npt.NDArray[np.float32], products: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.int64]:
        """Return how many lists each query visits.

        Args:
            queries: (q, d); the reach is that of a query of length 1.
            products: (q, l) with the centres of lists, in descending order.
        """
        lengths = np.linalg.norm(queries, axis=1, keepdims=True)
        reach = self.reach * np.maximum(lengths, np.finfo(np.float32).tiny)
        within = (products >= products[:, :1] - reach).sum(axis=1)
        counts = np.ceil(within / self.share).astype(np.int64)
        return counts if self.share == 1 else np.maximum(counts, self.nprobe // MOST_TO_MEAN)


class ListsFinder(Finder):
    """Lists of compressed vectors, mapped, beside the vectors, which give the exact scores.

    A query visits the lists whose centre is nearly as similar to it as the nearest centre, with an
    inner product less by ``reach`` at most, and never more than ``nprobe``; the best ``refine``
    times k of their compressed vectors become candidates. A query that lies between many centres
    so visits more than one beside a single centre: with 798,122 Korean sentences .997 of the true
    10 took 2.1 ms, where equally many lists for each query took 2.4 ms to find .996.

    ``lists`` is the file of an index of the class ``whole``, with lists of the class ``kind``.
    ``target`` is the recall@10 that the three are calibrated to, and ``refinement_cost`` that of
    reading and scoring a stored vector, in bytes of codes that are looked at meanwhile.

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

    def __init__(self, index: faiss.Index, stored: StoredVectors, visits: Visits) -> None:
        self._index = index
        self._lists = self.ivf(index)
        self._centres = faiss.downcast_index(self._lists.quantizer)
        self._visits = visits
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
    def in_lists(index: faiss.Index, queries: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return queries as the lists of an index that `empty` made take them."""
        return queries

    @staticmethod
    @abstractmethod
    def parameters(nprobe: int, selector: faiss.IDSelector | None) -> Any:
        """Return FAISS's parameters of a search in lists."""

    @classmethod
    def write_vectors(
        cls, folder: Path, vectors: npt.NDArray[np.float32], storage: Storage
    ) -> None:
        """Write the vectors that rescore candidates."""
        companded = replace(storage, companded=storage.rotated)
        write_stored(folder / FILE, vectors.shape, in_blocks(vectors), companded)

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
        finder = cls.open(folder, rows, dimension, storage.type, {"nprobe": 1, "refine": 1})
        visits, measured = finder._calibrated(
            StoredVectors(vectors, rounded=storage.type != "fp32")
        )
        return {
            **settings,
            "nprobe": visits.nprobe,
            "refine": visits.refine,
            "reach": visits.reach,
            "target": cls.target,
            "recall@10": measured,
        }

    @classmethod
    def open(
        cls, folder: Path, rows: int, dimension: int, type: VectorType, settings: Settings
    ) -> Self:
        """Map both files."""
        visits = Visits.of(settings, folder)
        index = map_index(folder / cls.lists, rows, dimension)
        expect_kind(index, cls.whole, folder / cls.lists)
        expect_kind(cls.ivf(index), cls.kind, folder / cls.lists)
        return cls(index, cls.open_vectors(folder, rows, dimension, type), visits)

    def propose(
        self, queries: npt.NDArray[np.float32], k: int, alive: AliveRows | None
    ) -> npt.NDArray[np.int64]:
        """Return ``refine`` times k candidates, from more lists where k were not found."""
        width = min(max(k, DEPTH) * self._visits.refine, self._index.ntotal)
        visits = self._visits.deeper(k, 1.0 if alive is None else alive.share)
        most = min(visits.nprobe, self._lists.nlist)
        found = self._search(queries, width, visits, alive)
        while most < self._lists.nlist:
            short = np.flatnonzero((found >= 0).sum(axis=1) < k)
            if len(short) == 0:
                break
            most = min(4 * most, self._lists.nlist)
            found[short] = self._search(queries[short], width, Visits(most), alive)
        return found

    def _search(
        self,
        queries: npt.NDArray[np.float32],
        width: int,
        visits: Visits,
        alive: AliveRows | None = None,
    ) -> npt.NDArray[np.int64]:
        """Return the ``width`` best of each query's lists."""
        selector = None if alive is None else alive.selector
        most = min(visits.nprobe, self._lists.nlist)
        found = np.empty((len(queries), width), dtype=np.int64)
        for start in range(0, len(queries), _QUERIES):
            part = self.in_lists(self._index, queries[start : start + _QUERIES])
            products, lists = self._centres.search(part, most)
            counts = np.minimum(visits.counts(part, products), most)
            lists[np.arange(most) >= counts[:, None]] = _NO_LIST
            wanted = int(counts.max())
            _search_lists(
                self._lists,
                part,
                lists[:, :wanted],
                products[:, :wanted],
                self.parameters(wanted, selector),
                found[start : start + _QUERIES],
            )
        return found

    def _calibrated(self, originals: StoredVectors) -> tuple[Visits, float]:
        """Return the cheapest visits that reach the target, and their recall.

        Where none do, those with the highest recall. The choice is made on one sample and the
        recall measured on another.
        """
        chosen_on, measured_on = calibration_samples(self.stored, originals)
        lists = self._lists.nlist
        queries = self.in_lists(self._index, chosen_on.queries)
        products = self._centres.search(queries, lists)[0]
        gaps = np.sort(products[:, :1] - products, axis=None)
        cheapest: tuple[float, Visits] | None = None
        most = (-1.0, Visits(1))
        for mean in _steps(lists):
            reach = float(gaps[min(math.ceil(mean * len(queries)), len(gaps)) - 1])
            tried = Visits(min(math.ceil(MOST_TO_MEAN * mean), lists), reach=reach)
            mean = float(tried.counts(queries, products[:, : tried.nprobe]).mean())
            for refine, reached in self._recalls(chosen_on, tried):
                option = (self._cost(mean, refine), replace(tried, refine=refine))
                most = max(most, (reached, option[1]), key=lambda one: one[0])
                if reached >= self.target and (cheapest is None or option[0] < cheapest[0]):
                    cheapest = option
            if cheapest is not None and self._cost(mean, 0) > cheapest[0]:
                break
        self._visits = most[1] if cheapest is None else cheapest[1]
        found = self.propose(measured_on.queries, min(DEPTH, self.stored.rows), None)
        scores = score_rows(self.stored, measured_on.queries, found)
        return self._visits, recall(best_first(scores, found, DEPTH)[1], measured_on.truth)

    def _recalls(self, sample: Sample, visits: Visits) -> list[tuple[int, float]]:
        """Return each refine and its recall@10: candidates are rescored exactly, so that a true
        row is found if it is among them.
        """
        width = min(DEPTH * _REFINEMENTS[-1], self._index.ntotal)
        found = self._search(sample.queries, width, visits)
        return [(by, recall(found[:, : DEPTH * by], sample.truth)) for by in _REFINEMENTS]

    def _cost(self, lists: float, refine: int) -> float:
        """Return the bytes of codes that a query at k of 10 looks at, reading vectors included."""
        visited = lists * self._index.ntotal / self._lists.nlist
        return visited * self._lists.code_size + refine * DEPTH * self.refinement_cost


def list_count(rows: int) -> int:
    """Return the number of lists that so many rows are divided among."""
    return max(1, min(4 * math.isqrt(rows), rows // TRAINING_POINTS, _MAX_LISTS))


def _steps(most: int) -> list[float]:
    """Return mean numbers of lists, each the root of two times the one before, and at last all."""
    steps = [2.0 ** (half / 2) for half in range(2 * most.bit_length())]
    return [*(step for step in steps if step < most), float(most)]


def _search_lists(
    index: faiss.IndexIVF,
    queries: npt.NDArray[np.float32],
    lists: npt.NDArray[np.int64],
    products: npt.NDArray[np.float32],
    parameters: Any,
    found: npt.NDArray[np.int64],
) -> None:
    """Search in each query's own lists (q, l), and write the rows into ``found`` (q, k).

    FAISS's wrapper in Python takes no parameters here, so its function is called as it is.
    """
    given = [np.ascontiguousarray(one) for one in (queries, lists, products)]
    distances = np.empty(found.shape, dtype=np.float32)
    pointers = [faiss.swig_ptr(one) for one in (*given, distances, found)]
    width = found.shape[1]
    index.search_preassigned_c(len(queries), pointers[0], width, *pointers[1:], False, parameters)


def _training_sample(vectors: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    count = min(count, len(vectors))
    rows = np.random.default_rng(_SEED).choice(len(vectors), size=count, replace=False)
    return np.ascontiguousarray(vectors[np.sort(rows)])
