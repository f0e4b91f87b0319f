"""The retrieval evaluation: every way to search, on the same queries, with tests and times."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kosim.encoders.errors import ConfigError
from kosim.encoders.language import Line
from kosim.encoders.metrics import Floats
from kosim.experiments.retrieval import metrics
from kosim.experiments.retrieval.queries import RetrievalTask
from kosim.experiments.retrieval.rankings import (
    ABSENT,
    Way,
    available,
    check_candidates,
    interpolated_scores,
    latencies,
    rerank_scores,
    reranked,
    retrieve,
    ways_to_search,
)
from kosim.experiments.retrieval.results import (
    MEAN,
    NO_RERANKER,
    NOT_CALIBRATED,
    WayResults,
)
from kosim.experiments.retrieval.significance import GroupedQueries, compare_rows
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.study.results import Latency
from kosim.index.ranking import Rows
from kosim.index.searcher import Searcher

PRIMARY = "ndcg@10"
_HITS = 100
"""Metrics look at this many ranks at most."""


@dataclass(frozen=True)
class RetrievalSettings:
    """What may be chosen about an evaluation.

    ``candidates`` are the numbers of hits that the cross-encoder reranks, ``interpolation`` the
    bi-encoder's share in a second reranking of each, none where it is 0, ``latency_queries`` the
    single queries that are timed, ``resamples`` those of the bootstrap, drawn by ``seed``.
    """

    candidates: tuple[int, ...] = (10, 50, 100)
    interpolation: float = MEAN
    latency_queries: int = 30
    resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        check_candidates(self.candidates)
        if not 0 <= self.interpolation < 1:
            raise ConfigError(
                f"interpolation is {self.interpolation:g}; give a share from 0 to below 1"
            )
        if self.latency_queries < 1:
            raise ConfigError(f"{self.latency_queries} queries cannot be timed; give at least 1")


def evaluate_retrieval(
    task: RetrievalTask,
    searcher: Searcher,
    rows: Rows,
    settings: RetrievalSettings,
    *,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Evaluate BM25, hybrid, the bi-encoder, and the bi-encoder reranked at each depth.

    At each depth the hits are reranked by the cross-encoder's scores, and by those mixed with the
    bi-encoder's. The cross-encoder scores the hits of the largest depth once; smaller depths are
    cut from that. Behind the depth, hits stay in the bi-encoder's order.

    Args:
        task: queries and what is relevant to them.
        searcher: over an index of the corpus; without a reranker nothing is reranked.
        rows: (n,) the row in the index of each document of the task.
        settings: candidates and the like.
        progress: told what is being done.

    Returns:
        The fields of the results that depend on the searches.

    Raises:
        DataError: the queries make fewer than two groups.
    """
    queries = GroupedQueries(task.groups, resamples=settings.resamples, seed=settings.seed)
    depths: tuple[int, ...] = ()
    if searcher.reranker is not None:  # of a smaller corpus, all documents are candidates
        depths = tuple(dict.fromkeys(min(depth, len(rows)) for depth in settings.candidates))
    shares = [0.0]
    mixable = searcher.reranker is not None and searcher.reranker.calibrated
    if settings.interpolation and mixable and searcher.encoder.calibrated:
        shares.append(settings.interpolation)
    ways, left_out = available(searcher, ways_to_search(depths, shares))
    if searcher.reranker is None:
        left_out.append(NO_RERANKER.en)
    elif settings.interpolation and len(shares) == 1:
        left_out.append(NOT_CALIBRATED.en)
    judged = _Judgements(task, rows)
    values = {
        way.key: judged.measure(found)
        for way, found in _rankings(task, searcher, ways, judged.own, depths, progress)
    }
    timed = [way for way in ways if way.timed == way]
    seconds = latencies(
        searcher, timed, task.queries, progress, count=settings.latency_queries, hits=_HITS
    )
    progress(Line("resampling", "재표집"))
    return {
        "primary": PRIMARY,
        "task": dict(task.facts),
        "settings": asdict(settings),
        "rows": [
            WayResults(
                key=way.key,
                mode=way.mode,
                depth=way.depth,
                interpolation=way.interpolation,
                metrics={m: queries.estimate(found) for m, found in values[way.key].items()},
                latency_ms=Latency.of(seconds[way.timed.key], queries=len(seconds[way.timed.key])),
                cross_encoder_calls=way.depth or 0,
            )
            for way in ways
        ],
        "left_out": left_out,
        "best_possible": {name: float(found.mean()) for name, found in judged.best().items()},
        "comparisons": compare_rows(queries, values),
    }


def _rankings(
    task: RetrievalTask,
    searcher: Searcher,
    ways: Sequence[Way],
    own: Sequence[Collection[int]],
    depths: Sequence[int],
    progress: Progress,
) -> list[tuple[Way, Rows]]:
    width = max(_HITS, *depths, 1)
    retrieved = {
        way.mode: retrieve(searcher, task.queries, own, width, way.mode, progress)
        for way in ways
        if way.depth is None
    }
    scores = {0.0: np.zeros((len(task), 0))}
    if depths:
        candidates = retrieved["dense"][:, : max(depths)]
        scores[0.0] = rerank_scores(searcher, task.queries, candidates, progress)
        for share in {way.interpolation for way in ways} - {0.0}:
            scores[share] = interpolated_scores(
                searcher, task.queries, candidates, scores[0.0], share
            )
    return [
        (way, retrieved[way.mode])
        if way.depth is None
        else (way, reranked(retrieved[way.mode], scores[way.interpolation], way.depth))
        for way in ways
    ]


class _Judgements:
    """What is relevant to each query, by the rows of an index."""

    def __init__(self, task: RetrievalTask, rows: Rows) -> None:
        self._gains = [
            {int(rows[position]): gain for position, gain in found.items()}
            for found in task.relevant
        ]
        self.own = [frozenset(int(rows[position]) for position in mine) for mine in task.own]
        self._relevant = np.array([len(found) for found in self._gains], dtype=np.float64)
        self._ideal = np.zeros((len(self._gains), _HITS))
        for query, found in enumerate(self._gains):
            best = sorted(found.values(), reverse=True)[:_HITS]
            self._ideal[query, : len(best)] = best

    def measure(self, ranked: Rows) -> dict[str, Floats]:
        """Return every metric of each query, (q,), for rows ranked best first, (q, m)."""
        gains = np.array(
            [
                [gains.get(row, 0.0) if row != ABSENT else 0.0 for row in found]
                for gains, found in zip(self._gains, ranked[:, :_HITS].tolist(), strict=True)
            ]
        )
        return self._all(gains)

    def best(self) -> dict[str, Floats]:
        """Return what the metrics would be if the relevant documents came first."""
        return self._all(self._ideal)

    def _all(self, gains: Floats) -> dict[str, Floats]:
        return {
            "ndcg@10": metrics.ndcg(gains, self._ideal, 10),
            "mrr@10": metrics.reciprocal_rank(gains, 10),
            **{f"recall@{k}": metrics.recall(gains, self._relevant, k) for k in (1, 10, 100)},
        }
