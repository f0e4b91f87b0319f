"""The retrieval evaluation: every way to search, on the same queries, with tests and times."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kosim.encoders.errors import ConfigError
from kosim.encoders.metrics import Floats
from kosim.experiments.retrieval import metrics
from kosim.experiments.retrieval.queries import RetrievalTask
from kosim.experiments.retrieval.rankings import (
    ABSENT,
    Contender,
    Places,
    Progress,
    available,
    contenders,
    latencies,
    rerank_scores,
    reranked,
    retrieve,
)
from kosim.experiments.retrieval.significance import GroupedQueries, compare_rows
from kosim.index.searcher import Searcher

METRICS = ("ndcg@10", "mrr@10", "recall@1", "recall@10", "recall@100")
PRIMARY = "ndcg@10"
_HITS = 100
"""Metrics look at this many ranks at most."""


@dataclass(frozen=True)
class RetrievalSettings:
    """What may be chosen about an evaluation.

    ``depths`` are the numbers of hits that the cross-encoder reranks, ``latency_queries`` the
    single queries that are timed, ``resamples`` those of the bootstrap, drawn by ``seed``.
    """

    depths: tuple[int, ...] = (10, 50, 100)
    latency_queries: int = 30
    resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.depths or min(self.depths) < 1:
            raise ConfigError(
                f"depths are {', '.join(map(str, self.depths)) or 'none'}; "
                "give numbers of hits to rerank, each at least 1"
            )
        if self.latency_queries < 1:
            raise ConfigError(f"{self.latency_queries} queries cannot be timed; give at least 1")


def silent(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def evaluate_retrieval(
    task: RetrievalTask,
    searcher: Searcher,
    places: Places,
    settings: RetrievalSettings,
    *,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Evaluate BM25, hybrid, the bi-encoder, and the bi-encoder reranked at each depth.

    The cross-encoder scores the hits of the largest depth once; smaller depths are cut from
    that. Behind the depth, hits stay in the bi-encoder's order.

    Args:
        task: queries and what is relevant to them.
        searcher: over an index of the corpus; without a reranker there are no reranked rows.
        places: (n,) the place in the index of each document of the task.
        settings: depths and the like.
        progress: told what is being done.

    Returns:
        ``primary``, ``task`` (facts), ``settings``, ``rows`` (key, name, depth, metrics with
        intervals, latency_ms, cross_encoder_calls), ``left_out`` (reasons), ``best_possible``
        (the mean of each metric if all relevant documents came first) and ``comparisons``.

    Raises:
        DataError: the queries make fewer than two groups.
    """
    queries = GroupedQueries(task.groups, resamples=settings.resamples, seed=settings.seed)
    depths = settings.depths if searcher.reranker is not None else ()
    rows, left_out = available(searcher, contenders(depths))
    if searcher.reranker is None:
        left_out.append("bi-encoder, then cross-encoder: no --reranker was given")
    judged = _Judgements(task, places)
    values = {
        row.key: judged.measure(found)
        for row, found in _rankings(task, searcher, rows, judged.own, depths, progress)
    }
    sample = _spread(task.queries, settings.latency_queries)
    seconds = latencies(searcher, rows, sample, _HITS, progress)
    progress("resampling", 0, 1)
    return {
        "primary": PRIMARY,
        "task": dict(task.facts),
        "settings": asdict(settings),
        "rows": [_row(row, values[row.key], seconds[row.key], queries) for row in rows],
        "left_out": left_out,
        "best_possible": {name: float(found.mean()) for name, found in judged.best().items()},
        "comparisons": compare_rows(queries, values),
    }


def _rankings(
    task: RetrievalTask,
    searcher: Searcher,
    rows: Sequence[Contender],
    own: Sequence[Collection[int]],
    depths: Sequence[int],
    progress: Progress,
) -> list[tuple[Contender, Places]]:
    width = max(_HITS, *depths, 1)
    retrieved = {
        row.mode: retrieve(searcher, task.queries, own, width, row.mode, progress)
        for row in rows
        if row.depth is None
    }
    scores = np.zeros((len(task), 0))
    if depths:
        candidates = retrieved["dense"][:, : max(depths)]
        scores = rerank_scores(searcher, task.queries, candidates, progress)
    return [
        (row, retrieved[row.mode])
        if row.depth is None
        else (row, reranked(retrieved[row.mode], scores, row.depth))
        for row in rows
    ]


def _row(
    row: Contender, values: Mapping[str, Floats], seconds: Floats, queries: GroupedQueries
) -> dict[str, Any]:
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    return {
        "key": row.key,
        "name": row.name,
        "mode": row.mode,
        "depth": row.depth,
        "metrics": {name: asdict(queries.estimate(found)) for name, found in values.items()},
        "latency_ms": {"p50": float(p50), "p95": float(p95), "queries": len(seconds)},
        "cross_encoder_calls": row.depth or 0,
    }


class _Judgements:
    """What is relevant to each query, by the places of an index."""

    def __init__(self, task: RetrievalTask, places: Places) -> None:
        self._gains = [
            {int(places[position]): gain for position, gain in found.items()}
            for found in task.relevant
        ]
        self.own = [frozenset(int(places[position]) for position in mine) for mine in task.own]
        self._relevant = np.array([len(found) for found in self._gains], dtype=np.float64)
        self._ideal = np.zeros((len(self._gains), _HITS))
        for row, found in enumerate(self._gains):
            best = sorted(found.values(), reverse=True)[:_HITS]
            self._ideal[row, : len(best)] = best

    def measure(self, ranked: Places) -> dict[str, Floats]:
        """Return every metric of each query, (q,), for places ranked best first, (q, m)."""
        gains = np.array(
            [
                [gains.get(place, 0.0) if place != ABSENT else 0.0 for place in row]
                for gains, row in zip(self._gains, ranked[:, :_HITS].tolist(), strict=True)
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


def _spread(queries: Sequence[str], count: int) -> list[str]:
    """Return up to ``count`` queries, evenly spaced."""
    chosen = np.linspace(0, len(queries) - 1, min(count, len(queries))).round().astype(int)
    return [queries[i] for i in chosen]
