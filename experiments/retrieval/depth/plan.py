"""What is chosen about an evaluation of depth, and which documents are scored for it.

Hits beyond the retrieved documents are rare, and the rarer the further away. A uniform sample
would hardly ever draw one, and each drawn would stand for hundreds of documents. So the rest is
cut into bands of cosine rank, each twice as deep as the one before it, and every band gets the
same number of draws: a stratified sample without replacement (Cochran 1977, chapter 5). A drawn
document has the weight (documents in its band) / (draws from it), the inverse of its chance to
be drawn, so that weighted sums estimate sums over all documents without bias
(Horvitz & Thompson 1952).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.metrics import Floats
from kosim.encoders.texts import comparable
from kosim.experiments.retrieval.rankings import check_candidates
from kosim.index.corpus_index import CorpusIndex
from kosim.index.ranking import Rows

FEASIBLE = 2_000_000
"""Up to so many pairs everything is scored, unless a sample is asked for."""
DEFAULT_SAMPLE = 1_000
DEFAULT_DEPTHS = (1, 5, 10, 20, 30, 50, 75, 100, 150, 200)
DEFAULT_FIT_QUERIES = 200
DOCUMENTS_AT_A_TIME = 1 << 15


@dataclass(frozen=True)
class DepthSettings:
    """What may be chosen about an evaluation of depth.

    ``depths`` are shown, ``top`` retrieved documents are scored (at least the largest depth) and
    ``draws`` others a query: None decides by the number of pairs, 0 scores all. ``k`` hits are
    wanted and a share ``keep`` of them is to survive. The adaptive policy is fitted on
    ``fit_queries`` sentences of the corpus, ``fit_depth`` deep; 0 queries fit none.
    ``interpolation`` is the bi-encoder's share in the scores by which hits are ordered; the policy
    knows the reranker's alone.
    """

    depths: tuple[int, ...] = DEFAULT_DEPTHS
    top: int | None = None
    draws: int | None = None
    k: int = 10
    keep: float = 0.99
    fit_queries: int = DEFAULT_FIT_QUERIES
    fit_depth: int = 200
    interpolation: float = 0.0
    latency_queries: int = 10
    resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        check_candidates(self.depths)
        if self.top is not None and self.top < max(self.depths):
            raise ConfigError(
                f"the top {self.top} are scored, but {max(self.depths)} candidates are asked for; "
                f"give --sample-top of at least {max(self.depths)}"
            )
        if self.k < 1:
            raise ConfigError(f"k is {self.k}; ask for at least 1 hit")
        if not 0 < self.keep <= 1:
            raise ConfigError(f"keep is {self.keep:g}; give a share above 0, at most 1")
        for name, value in (("exhaustive-sample", self.draws), ("fit-queries", self.fit_queries)):
            if value is not None and value < 0:
                raise ConfigError(f"--{name} is {value}; it cannot be negative")
        if self.interpolation and self.fit_queries:
            raise ConfigError(
                "--candidates auto is fitted on the reranker's scores alone; give --fit-queries 0 "
                "with --interpolation"
            )
        if self.fit_depth < 1 or self.latency_queries < 1:
            raise ConfigError("--fit-candidates and --latency-queries must be at least 1")

    @property
    def retrieved(self) -> int:
        """How many retrieved documents are scored."""
        return max(self.top or 0, *self.depths, self.fit_depth if self.fit_queries else 0, self.k)


@dataclass(frozen=True)
class Band:
    """The documents of cosine rank above ``start`` up to ``stop``, of which ``drawn`` are scored.

    Ranks are counted over all documents but the query's own, the retrieved ones first.
    """

    start: int
    stop: int
    drawn: int

    @property
    def weight(self) -> float:
        """How many documents a drawn one stands for."""
        return (self.stop - self.start) / self.drawn


def bands(top: int, documents: int, draws: int | None) -> list[Band]:
    """Cut the ranks above ``top`` into bands, each twice as deep, and share out the draws.

    Args:
        top: how many documents are scored anyway.
        documents: how many there are.
        draws: how many more to score; None for all.
    """
    rest = documents - top
    if rest <= 0:
        return []
    if draws is None or draws >= rest:
        return [Band(top, documents, rest)]
    edges = [top]
    while edges[-1] < documents:
        edges.append(min(2 * edges[-1], documents))
    # A last band much smaller than the others joins the one before it.
    if len(edges) > 2 and edges[-1] - edges[-2] < (edges[-2] - edges[-3]) / 2:
        del edges[-2]
    cut, left = [], max(draws, len(edges) - 1)
    for number, (start, stop) in enumerate(pairwise(edges)):
        drawn = min(left // (len(edges) - 1 - number), stop - start)
        cut.append(Band(start, stop, drawn))
        left -= drawn
    return cut


def draw(
    order: npt.NDArray[np.int64], cut: list[Band], random: np.random.Generator
) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int64]]:
    """Draw from every band without replacement.

    Args:
        order: (m,) the documents beyond the retrieved ones, by falling cosine.
        cut: bands that begin behind the retrieved documents and cover ``order``.
        random: source of the draws.

    Returns:
        The members of ``order`` that were drawn, the weight of each, and the band of each.
    """
    drawn, weights, numbers = [], [], []
    for number, band in enumerate(cut):
        inside = order[band.start - cut[0].start : band.stop - cut[0].start]
        chosen = np.sort(random.permutation(len(inside))[: band.drawn])
        drawn.append(inside[chosen])
        weights.append(np.full(len(chosen), band.weight))
        numbers.append(np.full(len(chosen), number, dtype=np.int64))
    if not cut:
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64)
    return np.concatenate(drawn), np.concatenate(weights), np.concatenate(numbers)


@dataclass(frozen=True)
class ScoringPlan:
    """What is scored: the first ``top`` retrieved and a sample of the others, drawn by ``seed``.

    ``own`` holds the rows of each query's own text, which are left out. ``bands`` are the same
    for all queries: they begin behind the retrieved and end at the last document.
    """

    queries: tuple[str, ...]
    own: tuple[Rows, ...]
    top: int
    bands: tuple[Band, ...]
    seed: int

    @classmethod
    def make(
        cls, index: CorpusIndex, queries: Sequence[str], *, top: int, draws: int | None, seed: int
    ) -> ScoringPlan:
        """Plan for an index: ``draws`` documents beyond the retrieved, None for all of them.

        Raises:
            DataError: there is nothing in the index beside a query's own text.
        """
        own = own_rows(index, queries)
        # A query with its own text in the corpus has fewer others; the last band ends for it there.
        others = len(index) - max((len(rows) for rows in own), default=0)
        if others < 1:
            raise DataError(f"{index.folder} holds nothing but the queries themselves")
        top = min(top, others)
        return cls(tuple(queries), own, top, tuple(bands(top, len(index), draws)), seed)

    @property
    def pairs(self) -> int:
        """Pairs to score for one query."""
        return self.top + sum(band.drawn for band in self.bands)

    @property
    def exhaustive(self) -> bool:
        """Whether every document is scored."""
        return all(band.weight == 1 for band in self.bands)


def own_rows(index: CorpusIndex, queries: Sequence[str]) -> tuple[Rows, ...]:
    """Return for each query the rows of the documents with its text."""
    wanted: dict[str, list[int]] = {comparable(query): [] for query in queries}
    rows = index.rows()
    for start in range(0, len(rows), DOCUMENTS_AT_A_TIME):
        part = rows[start : start + DOCUMENTS_AT_A_TIME]
        for row, text in zip(part.tolist(), index.texts(part), strict=True):
            same = wanted.get(comparable(text))
            if same is not None:
                same.append(row)
    return tuple(np.array(wanted[comparable(query)], dtype=np.int64) for query in queries)


def default_depths(top: int | None) -> tuple[int, ...]:
    """Return the depths that are shown where none are chosen: none above ``top``."""
    if top is None or top >= max(DEFAULT_DEPTHS) or top < 1:
        return DEFAULT_DEPTHS
    return (*(depth for depth in DEFAULT_DEPTHS if depth < top), top)


def plan_scoring(
    index: CorpusIndex, queries: Sequence[str], settings: DepthSettings
) -> ScoringPlan:
    """Return what to score: everything if that is feasible or asked for, else a sample."""
    draws = settings.draws
    if draws == 0 or (draws is None and len(queries) * len(index) <= FEASIBLE):
        draws = None
    elif draws is None:
        draws = DEFAULT_SAMPLE
    return ScoringPlan.make(index, queries, top=settings.retrieved, draws=draws, seed=settings.seed)
