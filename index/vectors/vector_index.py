"""An immutable, memory-mapped set of vectors, searched by inner product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self, get_args

import faiss
import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, CorpusIndexError, DataError
from kosim.index.vectors.alive_rows import AliveRows
from kosim.index.vectors.exact import best_first, score_rows, search_exactly
from kosim.index.vectors.faiss_io import Progress
from kosim.index.vectors.finder import Finder, Settings
from kosim.index.vectors.flat import FlatFinder
from kosim.index.vectors.hnsw import HnswFinder
from kosim.index.vectors.ivfpq import IvfpqFinder
from kosim.index.vectors.rabitq import RabitqFinder
from kosim.index.vectors.stored import Ranges, Storage, VectorType, ranges_of

IndexType = Literal["flat", "hnsw", "ivfpq", "rabitq"]

_FINDERS: dict[IndexType, type[Finder]] = {
    "flat": FlatFinder,
    "hnsw": HnswFinder,
    "ivfpq": IvfpqFinder,
    "rabitq": RabitqFinder,
}

FLAT_ROWS = 20_000
HNSW_ROWS = 2_000_000
_FEW_ALIVE = 0.05
"""Share of alive rows below which reading them all costs less than finding them."""
_CHECKED = 65_536
"""Rows that are checked at a time."""


def choose_type(rows: int) -> tuple[IndexType, str]:
    """Return the type that suits a number of rows, and why, in a sentence.

    Measured with 384 dimensions on one core: comparing all of 20,000 takes 1.3 ms a query, and
    grows with the rows; a graph takes 0.5 ms and hardly grows, at a recall@10 of 0.99. Building
    one takes 4 d + 300 bytes of memory a row (at d = 384 and 2,000,000 rows 3.7 GB), less where
    vectors are stored as fewer bytes.
    """
    if rows <= FLAT_ROWS:
        return "flat", f"{rows:,} rows are at most {FLAT_ROWS:,}: comparing all is exact and fast"
    if rows <= HNSW_ROWS:
        return "hnsw", (
            f"{rows:,} rows are more than {FLAT_ROWS:,}, where comparing all gets slow, and at "
            f"most {HNSW_ROWS:,}, of which a graph can be built in memory"
        )
    return "ivfpq", (
        f"{rows:,} rows are more than {HNSW_ROWS:,}: lists of compressed vectors are built in "
        "bounded memory"
    )


@contextmanager
def search_threads(count: int) -> Iterator[None]:
    """Let FAISS use ``count`` threads for what the calling thread does inside the block.

    FAISS and torch each start as many threads as there are cores; where both work at once, as in
    a service that encodes and searches, give each its share. Nothing is set at import.

    Raises:
        ConfigError: ``count`` is less than 1.
    """
    if count < 1:
        raise ConfigError(f"{count} threads cannot search; give at least 1")
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class VectorIndex:
    """One set of vectors that never changes; its files are mapped, not read.

    There is no ``add``: FAISS ends the process when a mapped index is written to.
    """

    def __init__(self, type: IndexType, rows: int, dimension: int, finder: Finder) -> None:
        self.type = type
        self.rows = rows
        self.dimension = dimension
        self._finder = finder
        self._alive: AliveRows | None = None

    @staticmethod
    def files(type: IndexType, vector_type: VectorType = "fp32") -> tuple[str, ...]:
        """Return the names of the files that ``write`` makes."""
        return _finder(type).files(vector_type)

    @staticmethod
    def minimum_rows(type: IndexType) -> int:
        """Return the number of rows that ``write`` needs at least."""
        return _finder(type).minimum_rows

    @staticmethod
    def write(
        folder: Path,
        vectors: npt.NDArray[np.float32],
        type: IndexType,
        *,
        stored: VectorType = "fp32",
        ranges: Ranges | None = None,
        progress: Progress | None = None,
    ) -> Settings:
        """Write the files of an index into an existing folder.

        Args:
            folder: where; files of the same names are replaced.
            vectors: (n, d) float32 with unit rows; may be mapped, and is then read in blocks.
            type: all but hnsw, which holds all vectors, need a bounded amount of memory.
            stored: how the vectors are kept; scores are those of what is kept.
            ranges: of int8 vectors that were written before, and are kept where they fit.
            progress: called with the number of rows that are done, n at last.

        Returns:
            What ``open`` needs and what was measured, as JSON values, with ``recall@10``
            against exact search of ``vectors`` on a sample of queries.

        Raises:
            ConfigError: a type is unknown, or there are too few rows for it.
            DataError: the vectors are no float32 matrix, or hold NaN or infinity.
            StorageError: FAISS could not write a file. An OSError, of a full disk for instance,
                is passed on.
        """
        finder = _finder(type)
        _check_vectors(vectors)
        if len(vectors) < finder.minimum_rows:
            raise ConfigError(
                f"an index of type {type} needs at least {finder.minimum_rows:,} vectors to be "
                f"trained on, not {len(vectors):,}; use flat or hnsw"
            )
        check_vector_type(stored)
        kept = Storage(stored, ranges_of(stored, vectors, ranges))
        return finder.write(folder, vectors, kept, progress)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        type: IndexType,
        rows: int,
        dimension: int,
        settings: Settings,
        stored: VectorType = "fp32",
    ) -> Self:
        """Map the files that ``write`` made.

        Args:
            folder: of the files.
            type: as given to ``write``.
            rows: number of vectors.
            dimension: of the vectors.
            settings: what ``write`` returned.
            stored: as given to ``write``.

        Raises:
            ConfigError: the type is unknown.
            CorpusIndexError: a file is missing, cut short, or is not what was promised.
        """
        finder = _finder(type)
        for name in finder.files(stored):
            if not (folder / name).is_file():
                raise CorpusIndexError(
                    f"{folder / name} does not exist; build the index again or restore the file"
                )
        return cls(type, rows, dimension, finder.open(folder, rows, dimension, stored, settings))

    @property
    def ranges(self) -> Ranges | None:
        """The ranges of int8 vectors; None of others."""
        return self._finder.stored.ranges

    def search(
        self,
        queries: npt.NDArray[np.float32],
        k: int,
        *,
        alive: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Return the best rows of each query, best first.

        A score is the inner product with the vector as it is stored, computed in float32 whatever
        the type, and the same in every batch. Equal scores are ordered by the smaller row. With
        flat this holds at the k-th rank too: of rows that tie there, the smallest are returned.
        The others may miss rows, also among equal ones, but always return k where k are alive.

        Args:
            queries: (q, d) float32, finite.
            k: at least 1.
            alive: (rows,) mask of the rows that may be found; all when None. A mask that is not
                writeable is prepared once, for as many searches as follow with the same object; a
                writeable one costs some 0.1 ms a million rows in each search.

        Returns:
            Scores (q, k) and rows (q, k); where fewer than k rows are alive, -inf and -1.

        Raises:
            ConfigError: k is less than 1.
            DataError: the queries or the mask are of another shape or type, or a query is not
                finite.
        """
        queries = self._checked_queries(queries, k)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        living = None if alive is None else self._prepared(alive)
        count = self.rows if living is None else living.count
        if count == self.rows:
            living = None
        wanted = min(k, count)
        if wanted and len(queries):
            found = self._find(queries, wanted, living)
            best = best_first(score_rows(self._finder.stored, queries, found), found, wanted)
            scores[:, :wanted], rows[:, :wanted] = best
        return scores, rows

    def vectors(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return copies of the stored vectors (m, d) of some rows (m,), float32 of length 1.

        Raises:
            CorpusIndexError: there is no such row.
        """
        asked = np.asarray(rows, dtype=np.int64)
        wrong = asked[(asked < 0) | (asked >= self.rows)]
        if len(wrong):
            raise CorpusIndexError(f"there is no row {wrong[0]} among {self.rows:,} vectors")
        return self._finder.stored.vectors(asked)

    def decoded(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return vectors of any length that are the same bytes when they are written again."""
        return self._finder.stored.decoded(rows)

    def _find(
        self, queries: npt.NDArray[np.float32], k: int, alive: AliveRows | None
    ) -> npt.NDArray[np.int64]:
        """Return at least k columns; at least k of each line are rows."""
        stored, finder = self._finder.stored, self._finder
        if alive is not None and not finder.exact and alive.share < _FEW_ALIVE:
            return search_exactly(stored, queries, k + 8, alive.rows)
        found = finder.propose(queries, k, alive)
        short = np.flatnonzero((found >= 0).sum(axis=1) < k)
        if len(short):
            among = None if alive is None else alive.rows
            found[short, :k] = search_exactly(stored, queries[short], k, among)
            found[short, k:] = -1
        return found

    def _prepared(self, alive: npt.NDArray[np.bool_]) -> AliveRows:
        if alive.shape != (self.rows,) or alive.dtype != np.bool_:
            raise DataError(
                f"the mask of alive rows is {alive.dtype} of shape {alive.shape}, not bool of "
                f"shape ({self.rows},)"
            )
        known = self._alive
        if known is not None and known.mask is alive and not alive.flags.writeable:
            return known
        prepared = AliveRows(alive)
        self._alive = None if alive.flags.writeable else prepared
        return prepared

    def _checked_queries(self, queries: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.float32]:
        if k < 1:
            raise ConfigError(f"k is {k}; ask for at least 1 hit")
        queries = np.ascontiguousarray(queries)
        if queries.dtype != np.float32 or queries.shape[1:] != (self.dimension,):
            raise DataError(
                f"the queries are {queries.dtype} of shape {queries.shape}, not float32 of shape "
                f"(queries, {self.dimension})"
            )
        if not np.isfinite(queries).all():
            raise DataError("a query vector holds NaN or infinity; check the encoder")
        return queries


def check_vector_type(type: str) -> None:
    """Refuse what is no `VectorType`.

    Raises:
        ConfigError: it is none.
    """
    if type not in get_args(VectorType):
        raise ConfigError(
            f"vectors are to be stored as {type!r}; choose from {', '.join(get_args(VectorType))}"
        )


def _finder(type: IndexType) -> type[Finder]:
    if type not in _FINDERS:
        raise ConfigError(
            f"unknown index type {type!r}; known are {', '.join(get_args(IndexType))}"
        )
    return _FINDERS[type]


def _check_vectors(vectors: npt.NDArray[np.float32]) -> None:
    if vectors.ndim != 2 or vectors.shape[1] < 1 or vectors.dtype != np.float32:
        raise DataError(
            f"the vectors are {vectors.dtype} of shape {vectors.shape}, not float32 of shape "
            "(rows, dimension)"
        )
    for start in range(0, len(vectors), _CHECKED):
        finite = np.isfinite(vectors[start : start + _CHECKED]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise DataError(f"vector {row} holds NaN or infinity; check the encoder")
