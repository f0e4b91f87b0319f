"""The ways to search of a retrieval evaluation: what each ranks first, and how long it takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kosim.encoders.errors import ConfigError, MissingExtraError
from kosim.encoders.language import Line, both
from kosim.encoders.metrics import Floats
from kosim.experiments.retrieval.results import way_name
from kosim.experiments.study.progress import Progress
from kosim.experiments.study.results import seconds_of
from kosim.index.ranking import Rows
from kosim.index.searchable import Mode
from kosim.index.searcher import Searcher

ABSENT = -1
_BLOCK = 32


@dataclass(frozen=True)
class Way:
    """One way to search: a mode of retrieval, and how many of its hits are reranked, if any.

    ``interpolation`` is the bi-encoder's share in the scores by which they are reranked.
    """

    mode: Mode
    depth: int | None = None
    interpolation: float = 0.0

    @property
    def key(self) -> str:
        """Its name in ``results.json``."""
        if self.depth is None:
            return self.mode
        return f"rerank-{self.depth}" + (f"-{self.interpolation:g}" if self.interpolation else "")

    @property
    def timed(self) -> Way:
        """The way that takes as long: mixing two scores that are there takes no time."""
        return replace(self, interpolation=0.0)


def check_candidates(numbers: Sequence[int]) -> None:
    """Check the numbers of candidates that are to be reranked.

    Raises:
        ConfigError: there are none, or one is below 1.
    """
    if not numbers or min(numbers) < 1:
        raise ConfigError(
            f"candidates are {', '.join(map(str, numbers)) or 'none'}; give numbers of hits to "
            "rerank, each at least 1"
        )


def ways_to_search(depths: Sequence[int], shares: Sequence[float] = (0.0,)) -> list[Way]:
    """Return the ways of an evaluation, from the cheapest to the dearest for each share."""
    plain: tuple[Mode, ...] = ("lexical", "hybrid", "dense")
    return [
        *map(Way, plain),
        *(Way("dense", depth, share) for share in shares for depth in sorted(set(depths))),
    ]


def retrieve(
    searcher: Searcher,
    queries: Sequence[str],
    own: Sequence[Collection[int]],
    width: int,
    mode: Mode,
    progress: Progress,
) -> Rows:
    """Return the rows that a mode retrieves without each query's own ones: (q, width).

    Raises:
        MissingExtraError: the mode needs a package that is not installed.
    """
    spare = max((len(rows) for rows in own), default=0)
    found = np.full((len(queries), width), ABSENT, dtype=np.int64)
    for start in range(0, len(queries), _BLOCK):
        progress(
            both("retrieving: {way}", "검색: {way}", way=way_name(mode, None)), start, len(queries)
        )
        part = slice(start, start + _BLOCK)
        _, rows = searcher.retrieve(list(queries[part]), width + spare, mode)
        found[part] = without_own(rows, own[part], width)
    return found


def without_own(rows: Rows, own: Sequence[Collection[int]], width: int) -> Rows:
    """Return the first ``width`` rows of each query that are not its own: (q, width).

    Args:
        rows: (q, m) rows of the index, best first, -1 where there is none.
        own: the rows to leave out, for each query.
        width: how many to keep; what is missing is -1.
    """
    kept = np.full((len(rows), width), ABSENT, dtype=np.int64)
    for query, (found, mine) in enumerate(zip(rows, own, strict=True)):
        keep = found != ABSENT
        if mine:
            keep &= ~np.isin(found, list(mine))
        left = found[keep][:width]
        kept[query, : len(left)] = left
    return kept


def rerank_scores(
    searcher: Searcher, queries: Sequence[str], rows: Rows, progress: Progress
) -> Floats:
    """Return the reranker's raw score of every row, (q, m); -inf where there is none."""
    scores = np.full(rows.shape, -np.inf)
    for start in range(0, len(queries), _BLOCK):
        progress(Line("reranking", "재순위화"), start, len(queries))
        part = slice(start, start + _BLOCK)
        scores[part] = searcher.rerank(list(queries[part]), rows[part])
    scores[rows == ABSENT] = -np.inf
    return scores


def interpolated_scores(
    searcher: Searcher, queries: Sequence[str], rows: Rows, raw: Floats, share: float
) -> Floats:
    """Return scores on 0-5 that mix the reranker's raw ones (q, m) with the bi-encoder's."""
    scores = np.full(rows.shape, -np.inf)
    for start in range(0, len(queries), _BLOCK):
        part = slice(start, start + _BLOCK)
        vectors = searcher.encode(list(queries[part]))
        scores[part] = searcher.mixed(searcher.cosines(vectors, rows[part]), raw[part], share)
    return scores


def reranked(rows: Rows, scores: Floats, depth: int) -> Rows:
    """Return ``rows`` (q, m) with the first ``depth`` in the order of their scores.

    Ties keep the order of retrieval, and so do the rows behind ``depth``.
    """
    head = np.argsort(-scores[:, :depth], axis=1, kind="stable")
    return np.hstack([np.take_along_axis(rows[:, :depth], head, axis=1), rows[:, depth:]])


def latencies(
    searcher: Searcher,
    ways: Sequence[Way],
    queries: Sequence[str],
    progress: Progress,
    *,
    count: int,
    hits: int = 1,
) -> dict[str, Floats]:
    """Time each way on one query at a time: the seconds of each query, by its key.

    Retrieval alone fetches ``hits``; with reranking it fetches what is reranked. The ways take
    turns on every query, so that a slower minute of the machine falls on all alike; each is
    warmed up by the first query once.

    Args:
        searcher: what is timed.
        ways: to search.
        queries: of which up to ``count``, evenly spaced, are asked.
        progress: told which query is timed.
        count: how many queries are timed.
        hits: that retrieval alone fetches.
    """
    chosen = np.linspace(0, len(queries) - 1, min(count, len(queries))).round().astype(int)
    sample = [queries[i] for i in chosen]
    seconds = {way.key: np.zeros(len(sample)) for way in ways}
    for way in ways:
        _answer(searcher, way, sample[0], hits)
    for number, query in enumerate(sample):
        progress(Line("timing single queries", "질의 하나씩 시간 측정"), number, len(sample))
        for way in ways:
            seconds[way.key][number] = seconds_of(_answer, searcher, way, query, hits)
    return seconds


def _answer(searcher: Searcher, way: Way, query: str, hits: int) -> None:
    _, rows = searcher.retrieve([query], way.depth or hits, way.mode)
    if way.depth is not None:
        searcher.rerank([query], rows)


def available(searcher: Searcher, ways: Sequence[Way]) -> tuple[list[Way], list[str]]:
    """Split off the ways that need a package that is not there, each with the reason."""
    usable, reasons = [], []
    for way in ways:
        try:
            if way.mode != "dense":
                searcher.retrieve(["가"], 1, way.mode)
        except MissingExtraError as error:
            reasons.append(f"{way_name(way.mode, way.depth, way.interpolation).en}: {error}")
        else:
            usable.append(way)
    return usable, reasons
