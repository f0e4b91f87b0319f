"""The evaluation of candidate depth: scores in, figures of each depth out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.metrics import Floats
from kosim.experiments.depth.adaptive import clopper_pearson, fit_policy, judge_policy, padded
from kosim.experiments.depth.plan import DepthSettings, ScoringPlan, plan_scoring
from kosim.experiments.depth.scoring import DeepScores
from kosim.experiments.depth.survival import QueryLoss, ScoredQuery, measure, smallest_depth
from kosim.experiments.retrieval.evaluation import silent
from kosim.experiments.retrieval.rankings import Progress
from kosim.experiments.retrieval.significance import LEVEL, ratio_estimate, ratio_of_sums
from kosim.experiments.statistics.resampling import bootstrap, resample_weights
from kosim.index.adaptive.policy import RELEVANT
from kosim.index.searcher import Searcher


def evaluate_depth(
    searcher: Searcher,
    queries: Sequence[str],
    settings: DepthSettings,
    folder: Path,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Score the queries deep, and report what each depth loses and costs.

    Args:
        searcher: with the reranker whose calls are to be saved.
        queries: sentences; a document with the text of a query is left out of its list.
        settings: depths and the like.
        folder: where the scores are kept, and found again after a kill.
        overwrite: replace scores of other settings there.
        progress: told what is being done.

    Returns:
        ``settings``, ``scoring`` (what was scored, with the bands of the sample), ``queries``,
        ``depths`` (a record each), ``curve`` (survival at every depth), ``recommended`` (depth,
        with its interval; None where no depth is enough) and ``adaptive`` (None without a fit).

    Raises:
        ConfigError: the searcher has no reranker.
        DataError: no query has a hit that counts, or the index is too small.
        StorageError: the folder holds other scores, or cannot be written.
    """
    if searcher.reranker is None:
        raise ConfigError("depth is about a reranker; give one with --reranker")
    plan = plan_scoring(searcher.index, queries, settings)
    scores = DeepScores(folder, plan, searcher, overwrite=overwrite)
    scores.compute(progress)
    depths = [depth for depth in sorted(set(settings.depths)) if depth < plan.top]
    depths += [plan.top] if max(settings.depths) >= plan.top else []
    lists: list[tuple[Floats, Floats]] = []
    losses: list[QueryLoss] = []
    sampled = np.zeros(len(plan.bands), dtype=np.int64)
    for query in scores:
        lists.append((query.cosines, query.raw))
        losses.append(measure(query, searcher.reranker.calibration, k=settings.k, depths=depths))
        _count(sampled, query)
    if not any(loss.hits > 0 for loss in losses):
        raise DataError(
            f"none of the {len(queries)} queries has a hit of at least {RELEVANT} of 5 in this "
            "corpus, so nothing can survive or be lost; give other queries"
        )
    seconds = _latencies(searcher, plan, depths, settings, progress)
    recommended = _recommend(losses, settings)
    adaptive = None
    if settings.fit_queries:
        policy = fit_policy(
            searcher,
            queries=settings.fit_queries,
            depth=min(settings.fit_depth, plan.top),
            seed=settings.seed,
            progress=progress,
        )
        near = padded([cosines for cosines, _ in lists], policy.depth)
        far = padded([raw for _, raw in lists], policy.depth)
        fixed = recommended["depth"]
        adaptive = {
            "fitted_on": len(policy.cosines),
            "sampled": min(settings.fit_queries, len(searcher.index)),
            "depth": policy.depth,
            "fixed_depth": fixed,
            "chances": judge_policy(policy, near, far, k=settings.k, fixed=fixed),
        }
    return {
        "settings": asdict(settings),
        "scoring": _scoring(plan, losses, sampled, searcher),
        "queries": {
            "count": len(queries),
            "with_hits": sum(loss.hits > 0 for loss in losses),
            "without_hits": sum(loss.hits == 0 for loss in losses),
            "hits": float(sum(loss.hits for loss in losses)),
            "own_documents_left_out": sum(map(len, plan.own)),
        },
        "depths": [
            _depth(number, depth, losses, seconds[depth], settings)
            for number, depth in enumerate(depths)
        ],
        "curve": _survival(losses).tolist(),
        "recommended": recommended,
        "adaptive": adaptive,
    }


def _count(sampled: Any, query: ScoredQuery) -> None:
    found = np.bincount(query.rest_bands, minlength=len(sampled)) if len(sampled) else 0
    sampled += found


def _survival(losses: Sequence[QueryLoss]) -> Floats:
    """Return the survival at depths 1 to t over all queries."""
    survivors = sum(loss.survivors for loss in losses)
    survival = survivors / sum(loss.hits for loss in losses)
    return np.clip(np.asarray(survival), 0.0, 1.0)[1:]


def _depth(
    number: int,
    depth: int,
    losses: Sequence[QueryLoss],
    seconds: Floats,
    settings: DepthSettings,
) -> dict[str, Any]:
    drawn = {"resamples": settings.resamples, "seed": settings.seed}
    kept = np.array([loss.survivors[depth] for loss in losses])
    hits = np.array([loss.hits for loss in losses])
    survival = ratio_estimate(kept, hits, **drawn)
    regret = np.array([loss.regret[number] for loss in losses])
    gain = np.array([loss.ndcg[number] for loss in losses])
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    return {
        "depth": depth,
        "survival": {
            name: float(np.clip(value, 0.0, 1.0)) for name, value in asdict(survival).items()
        },
        "regret": _mean(regret, (0.0, 5.0), settings),
        "ndcg": _mean(gain, (0.0, 1.0), settings),
        "latency_ms": {"p50": float(p50), "p95": float(p95), "queries": len(seconds)},
        "cross_encoder_calls": depth,
    }


def _mean(values: Floats, bounds: tuple[float, float], settings: DepthSettings) -> dict[str, float]:
    """Return the mean over queries with its interval."""
    value = float(np.clip(values.mean(), *bounds))
    if len(values) < 2:
        return {"value": value, "low": bounds[0], "high": bounds[1]}
    drawn = bootstrap(
        ratio_of_sums(values, np.ones(len(values))),
        len(values),
        resamples=settings.resamples,
        seed=settings.seed,
    )
    low, high = np.clip(drawn.skewed_interval(LEVEL), *bounds)
    return {"value": value, "low": float(low), "high": float(high)}


def _recommend(losses: Sequence[QueryLoss], settings: DepthSettings) -> dict[str, Any]:
    """Return the smallest depth that keeps enough, with its percentile interval over queries."""
    survivors = np.stack([loss.survivors[1:] for loss in losses])
    hits = np.array([loss.hits for loss in losses])
    deepest = survivors.shape[1]
    found = int(smallest_depth(_survival(losses)[None], settings.keep)[0])
    drawn = []
    for weights in resample_weights(len(losses), settings.resamples, settings.seed):
        totals = weights @ hits
        counted = totals > 0
        drawn.append(
            smallest_depth((weights[counted] @ survivors) / totals[counted, None], settings.keep)
        )
    low, high = np.quantile(
        np.concatenate(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf"
    )
    return {
        "keep": settings.keep,
        "depth": found if found <= deepest else None,
        "low": int(low) if low <= deepest else None,
        "high": int(high) if high <= deepest else None,
        "deepest": deepest,
    }


def _scoring(
    plan: ScoringPlan, losses: Sequence[QueryLoss], sampled: Any, searcher: Searcher
) -> dict[str, Any]:
    """Say what was scored and what the sample found in each band."""
    records = []
    found = np.zeros(len(plan.bands), dtype=np.int64)
    for loss in losses:
        np.add.at(found, loss.intruders, 1)
    for band, scored, hits in zip(plan.bands, sampled.tolist(), found.tolist(), strict=True):
        low, high = clopper_pearson(hits, max(scored, 1))
        inside = band.stop - band.start
        if band.weight == 1:
            low = high = hits / max(scored, 1)
        records.append(
            {
                "ranks": [band.start + 1, band.stop],
                "scored_per_query": band.drawn,
                "weight": band.weight,
                "scored": scored,
                "hits": hits,
                "hits_per_query": {
                    "value": hits / max(scored, 1) * inside,
                    "low": low * inside,
                    "high": high * inside,
                },
            }
        )
    return {
        "documents": len(searcher.index),
        "top": plan.top,
        "pairs": plan.pairs * len(plan.queries),
        "exhaustive": plan.exhaustive,
        "bands": records,
    }


def _latencies(
    searcher: Searcher,
    plan: ScoringPlan,
    depths: Sequence[int],
    settings: DepthSettings,
    progress: Progress,
) -> dict[int, Floats]:
    """Time retrieval and reranking of one query at a time, by depth."""
    count = min(settings.latency_queries, len(plan.queries))
    sample = [plan.queries[i] for i in np.linspace(0, len(plan.queries) - 1, count).astype(int)]
    seconds: dict[int, list[float]] = {depth: [] for depth in depths}
    _answer(searcher, sample[0], depths[0])
    for number, query in enumerate(sample):
        progress("timing single queries", number, count)
        for depth in depths:
            started = time.perf_counter()
            _answer(searcher, query, depth)
            seconds[depth].append(time.perf_counter() - started)
    return {depth: np.array(found) for depth, found in seconds.items()}


def _answer(searcher: Searcher, query: str, depth: int) -> None:
    _, places = searcher.retrieve([query], depth, "dense")
    searcher.rerank([query], places)
