"""One evaluation of depth: from an index and queries to what each depth loses and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.metrics import Floats
from kosim.encoders.texts import comparable
from kosim.experiments.retrieval.depth.adaptive import (
    clopper_pearson,
    fit_policy,
    judge_policy,
    padded,
)
from kosim.experiments.retrieval.depth.plan import DepthSettings, ScoringPlan, plan_scoring
from kosim.experiments.retrieval.depth.results import (
    Adaptive,
    BandResults,
    DepthResults,
    DepthRow,
    QueryCounts,
    Recommended,
    Scoring,
)
from kosim.experiments.retrieval.depth.scoring import DeepScores
from kosim.experiments.retrieval.depth.survival import (
    Calibrate,
    QueryLoss,
    ScoredQuery,
    measure,
    smallest_depth,
)
from kosim.experiments.retrieval.rankings import Way, latencies
from kosim.experiments.retrieval.run import describe_encoders, describe_index
from kosim.experiments.retrieval.significance import LEVEL, ratio_estimate, ratio_of_sums
from kosim.experiments.statistics.resampling import bootstrap, resample_weights
from kosim.experiments.study.figures import Estimate
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.study.results import Latency, header
from kosim.index.adaptive.policy import RELEVANT
from kosim.index.corpus import read_corpus
from kosim.index.searcher import Searcher


def read_queries(path: str, *, limit: int | None = None) -> list[str]:
    """Return the different sentences of a file, the first ``limit`` of them.

    Raises:
        DataError: the file cannot be read or holds no sentence.
    """
    if limit is not None and limit < 1:
        raise DataError(f"--limit-queries is {limit}; ask at least 1 query")
    kept: dict[str, str] = {}
    for document in read_corpus(path):
        kept.setdefault(comparable(document.text), document.text)
        if limit is not None and len(kept) == limit:
            break
    return list(kept.values())


def run_depth(
    searcher: Searcher,
    queries: Sequence[str],
    settings: DepthSettings,
    folder: Path,
    *,
    models: Mapping[str, str] | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> DepthResults:
    """Score the queries deep, and measure what each depth loses and costs.

    Args:
        searcher: with the reranker whose calls are to be saved.
        queries: different sentences; a document with the text of a query is left out of its list.
        settings: depths and the like.
        folder: where the scores are kept, and found again after a kill.
        models: where the encoders came from, by role, for the report.
        overwrite: replace scores of other settings there.
        progress: told what is being done.

    Raises:
        ConfigError: the searcher has no reranker, or its scores cannot be mixed.
        DataError: no query has a hit that counts, or the index is too small.
        StorageError: the folder holds other scores, or cannot be written.
    """
    if searcher.reranker is None:
        raise ConfigError("depth is about a reranker; give one with --reranker")
    searcher.check_interpolation(settings.interpolation)
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
        calibrate: Calibrate = searcher.reranker.calibration
        if settings.interpolation:
            query = query.mixed(partial(searcher.mixed, share=settings.interpolation))
            calibrate = np.asarray  # they are on 0-5 already
        losses.append(measure(query, calibrate, k=settings.k, depths=depths))
        _count(sampled, query)
    if not any(loss.hits > 0 for loss in losses):
        raise DataError(
            f"none of the {len(queries)} queries has a hit of at least {RELEVANT} of 5 in this "
            "corpus, so nothing can survive or be lost; give other queries"
        )
    seconds = latencies(
        searcher,
        [Way("dense", depth) for depth in depths],
        plan.queries,
        progress,
        count=settings.latency_queries,
    )
    recommended = _recommend(losses, settings)
    return DepthResults(
        **header(folder.name),
        settings=settings,
        scoring=_scoring(plan, losses, sampled, searcher),
        queries=QueryCounts(
            count=len(queries),
            with_hits=sum(loss.hits > 0 for loss in losses),
            without_hits=sum(loss.hits == 0 for loss in losses),
            hits=float(sum(loss.hits for loss in losses)),
            own_documents_left_out=sum(map(len, plan.own)),
        ),
        depths=[
            _depth(number, depth, losses, seconds[Way("dense", depth).key], settings)
            for number, depth in enumerate(depths)
        ],
        curve=_survival(losses).tolist(),
        recommended=recommended,
        adaptive=_fit(searcher, plan, lists, settings, recommended.depth, progress),
        index=describe_index(searcher.index),
        encoders=describe_encoders(searcher.encoder, searcher.reranker, models or {}),
    )


def _fit(
    searcher: Searcher,
    plan: ScoringPlan,
    lists: Sequence[tuple[Floats, Floats]],
    settings: DepthSettings,
    fixed: int | None,
    progress: Progress,
) -> Adaptive | None:
    """Fit the adaptive policy, if it is wanted, and judge it on the queries' lists."""
    if not settings.fit_queries:
        return None
    policy = fit_policy(
        searcher,
        queries=settings.fit_queries,
        depth=min(settings.fit_depth, plan.top),
        seed=settings.seed,
        progress=progress,
    )
    near = padded([cosines for cosines, _ in lists], policy.depth)
    far = padded([raw for _, raw in lists], policy.depth)
    return Adaptive(
        fitted_on=len(policy.cosines),
        sampled=min(settings.fit_queries, len(searcher.index)),
        depth=policy.depth,
        fixed_depth=fixed,
        chances=judge_policy(policy, near, far, k=settings.k, fixed=fixed),
    )


def _count(sampled: npt.NDArray[np.int64], query: ScoredQuery) -> None:
    if len(sampled):
        sampled += np.bincount(query.rest_bands, minlength=len(sampled))


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
) -> DepthRow:
    kept = np.array([loss.survivors[depth] for loss in losses])
    hits = np.array([loss.hits for loss in losses])
    survival = ratio_estimate(kept, hits, resamples=settings.resamples, seed=settings.seed)
    clipped = {name: float(np.clip(v, 0.0, 1.0)) for name, v in asdict(survival).items()}
    return DepthRow(
        depth=depth,
        survival=Estimate(**clipped),
        regret=_mean(np.array([loss.regret[number] for loss in losses]), (0.0, 5.0), settings),
        ndcg=_mean(np.array([loss.ndcg[number] for loss in losses]), (0.0, 1.0), settings),
        latency_ms=Latency.of(seconds, queries=len(seconds)),
        cross_encoder_calls=depth,
    )


def _mean(values: Floats, bounds: tuple[float, float], settings: DepthSettings) -> Estimate:
    """Return the mean over queries with its interval."""
    value = float(np.clip(values.mean(), *bounds))
    if len(values) < 2:
        return Estimate(value, *bounds)
    drawn = bootstrap(
        ratio_of_sums(values, np.ones(len(values))),
        len(values),
        resamples=settings.resamples,
        seed=settings.seed,
    )
    low, high = np.clip(drawn.skewed_interval(LEVEL), *bounds)
    return Estimate(value, float(low), float(high))


def _agreed(survivors: Floats, hits: Floats, settings: DepthSettings) -> bool:
    """Say whether a depth at which no query loses a hit surely keeps enough, or some lose one."""
    if (survivors < hits).any():
        return True
    kept = ratio_estimate(hits, hits, resamples=settings.resamples, seed=settings.seed)
    return kept.low >= settings.keep


def _recommend(losses: Sequence[QueryLoss], settings: DepthSettings) -> Recommended:
    """Return the smallest depth that keeps enough, with its percentile interval over queries.

    Where every query keeps all its hits at the upper end, no resample shows a loss there: the end
    is then known only if as many agreeing queries exclude one.
    """
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
    known = high <= deepest and _agreed(survivors[:, int(high) - 1], hits, settings)
    return Recommended(
        keep=settings.keep,
        depth=found if found <= deepest else None,
        low=int(low) if low <= deepest else None,
        high=int(high) if known else None,
        deepest=deepest,
    )


def _scoring(
    plan: ScoringPlan,
    losses: Sequence[QueryLoss],
    sampled: npt.NDArray[np.int64],
    searcher: Searcher,
) -> Scoring:
    """Say what was scored and what the sample found in each band."""
    bands = []
    found = np.zeros(len(plan.bands), dtype=np.int64)
    for loss in losses:
        np.add.at(found, loss.intruders, 1)
    for band, scored, hits in zip(plan.bands, sampled.tolist(), found.tolist(), strict=True):
        share = hits / max(scored, 1)
        low, high = clopper_pearson(hits, max(scored, 1)) if band.weight != 1 else (share, share)
        inside = band.stop - band.start
        bands.append(
            BandResults(
                ranks=(band.start + 1, band.stop),
                scored_per_query=band.drawn,
                weight=band.weight,
                scored=scored,
                hits=hits,
                hits_per_query=Estimate(share * inside, low * inside, high * inside),
            )
        )
    return Scoring(
        documents=len(searcher.index),
        top=plan.top,
        pairs=plan.pairs * len(plan.queries),
        exhaustive=plan.exhaustive,
        bands=bands,
    )
