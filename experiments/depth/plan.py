"""What is chosen about an evaluation of depth, and which documents are scored for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kosim.encoders.errors import ConfigError, DataError
from kosim.experiments.data.cleaning import comparable
from kosim.experiments.depth.sampling import Band, bands
from kosim.experiments.retrieval.rankings import Places
from kosim.index.corpus_index import CorpusIndex

FEASIBLE = 2_000_000
"""Up to so many pairs everything is scored, unless a sample is asked for."""
DEFAULT_SAMPLE = 1_000
DEFAULT_DEPTHS = (1, 5, 10, 20, 30, 50, 75, 100, 150, 200)
DOCUMENTS_AT_A_TIME = 1 << 15


@dataclass(frozen=True)
class DepthSettings:
    """What may be chosen about an evaluation of depth.

    ``depths`` are shown, ``top`` retrieved documents are scored (at least the largest depth) and
    ``draws`` others a query: None decides by the number of pairs, 0 scores all. ``k`` hits are
    wanted and a share ``keep`` of them is to survive. The adaptive policy is fitted on
    ``fit_queries`` sentences of the corpus, ``fit_depth`` deep; 0 queries fit none.
    """

    depths: tuple[int, ...] = DEFAULT_DEPTHS
    top: int | None = None
    draws: int | None = None
    k: int = 10
    keep: float = 0.99
    fit_queries: int = 200
    fit_depth: int = 200
    latency_queries: int = 10
    resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.depths or min(self.depths) < 1:
            raise ConfigError(
                f"depths are {', '.join(map(str, self.depths)) or 'none'}; "
                "give numbers of candidates, each at least 1"
            )
        if self.top is not None and self.top < max(self.depths):
            raise ConfigError(
                f"the top {self.top} are scored, but depth {max(self.depths)} is asked for; "
                f"give --sample-top of at least {max(self.depths)}"
            )
        if self.k < 1:
            raise ConfigError(f"k is {self.k}; ask for at least 1 hit")
        if not 0 < self.keep <= 1:
            raise ConfigError(f"keep is {self.keep:g}; give a share above 0, at most 1")
        for name, value in (("exhaustive-sample", self.draws), ("fit-queries", self.fit_queries)):
            if value is not None and value < 0:
                raise ConfigError(f"--{name} is {value}; it cannot be negative")
        if self.fit_depth < 1 or self.latency_queries < 1:
            raise ConfigError("--fit-depth and --latency-queries must be at least 1")

    @property
    def retrieved(self) -> int:
        """How many retrieved documents are scored."""
        return max(self.top or 0, *self.depths, self.fit_depth if self.fit_queries else 0, self.k)


@dataclass(frozen=True)
class ScoringPlan:
    """What is scored: the first ``top`` retrieved and a sample of the others, drawn by ``seed``.

    ``own`` holds the places of each query's own text, which are left out. ``bands`` are the same
    for all queries: they begin behind the retrieved and end at the last document.
    """

    queries: tuple[str, ...]
    own: tuple[Places, ...]
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
        own = own_places(index, queries)
        # A query with its own text in the corpus has fewer others; the last band ends for it there.
        others = len(index) - max((len(places) for places in own), default=0)
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


def own_places(index: CorpusIndex, queries: Sequence[str]) -> tuple[Places, ...]:
    """Return for each query the places of the documents with its text."""
    wanted: dict[str, list[int]] = {comparable(query): [] for query in queries}
    places = index.rows()
    for start in range(0, len(places), DOCUMENTS_AT_A_TIME):
        part = places[start : start + DOCUMENTS_AT_A_TIME]
        for place, text in zip(part.tolist(), index.texts(part), strict=True):
            same = wanted.get(comparable(text))
            if same is not None:
                same.append(place)
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
