"""The adaptive policy, fitted on the corpus's own sentences and judged on the given queries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy.stats import beta

from kosim.encoders.errors import ConfigError
from kosim.encoders.language import Line
from kosim.encoders.metrics import Floats
from kosim.experiments.retrieval.depth.results import Calls, Impossible, Replayed
from kosim.experiments.retrieval.significance import LEVEL
from kosim.experiments.study.figures import Estimate
from kosim.experiments.study.progress import Progress
from kosim.index.adaptive.deep_lists import sample_deep_lists
from kosim.index.adaptive.policy import RELEVANT, CandidatePolicy, PolicyIdentity
from kosim.index.reranking import raw_score
from kosim.index.searcher import Searcher

CHANCES = (0.01, 0.02, 0.05, 0.1, 0.2)


def fit_policy(
    searcher: Searcher, *, queries: int, depth: int, seed: int, progress: Progress
) -> CandidatePolicy:
    """Fit the policy of ``--candidates auto`` and keep it in the index.

    Args:
        searcher: with a reranker.
        queries: sentences of the corpus to draw.
        depth: candidates of each to rerank.
        seed: of the draw.
        progress: told what is being done.

    Raises:
        ConfigError: a number is below 1, or there is no reranker.
        DataError: the corpus has too few sentences.
        StorageError: the index cannot be written.
    """
    if searcher.reranker is None:
        raise ConfigError("a policy is fitted for a reranker; give one with --reranker")
    index = searcher.index
    cosines, scores = sample_deep_lists(
        searcher,
        queries=queries,
        depth=min(depth, len(index)),
        seed=seed,
        progress=partial(progress, Line("sampling lists for the policy", "정책용 목록 추출")),
    )
    identity = PolicyIdentity(
        encoder=index.encoder.fingerprint,
        reranker=searcher.reranker.fingerprint(),
        mode="dense",
        documents=len(index),
        generation=index.generation,
    )
    floor = raw_score(searcher.reranker.calibration, RELEVANT)
    policy = CandidatePolicy.fit(cosines, scores, identity, floor=floor, seed=seed)
    policy.save(index.folder)
    return policy


def judge_policy(
    policy: CandidatePolicy, cosines: Floats, scores: Floats, *, k: int, fixed: int | None
) -> list[Replayed | Impossible]:
    """Replay the policy on queries that it was not fitted on, for each chance it may be allowed.

    Args:
        policy: the fitted one.
        cosines: (q, D) of the candidates in retrieval order, -inf where a list is shorter.
        scores: (q, D) their raw scores.
        k: hits wanted.
        fixed: the depth to save calls against; None for the policy's own.

    Returns:
        What it did at each chance, with the exact binomial interval of the misses (Clopper &
        Pearson 1934).
    """
    depth = min(policy.depth, cosines.shape[1])
    near, far = cosines[:, :depth], scores[:, :depth]
    full = float(np.isfinite(near).sum(axis=1).mean())
    found: list[Replayed | Impossible] = []
    for chance in CHANCES:
        try:
            replay = policy.replay(near, far, k=k, chance=chance)
        except ConfigError as error:
            found.append(Impossible(chance=chance, impossible=str(error)))
            continue
        missed, n = int(replay.missed.sum()), len(replay.missed)
        calls = float(replay.calls.mean())
        p50, p95 = np.percentile(replay.calls, [50, 95])
        found.append(
            Replayed(
                chance=chance,
                queries=n,
                missed=missed,
                miss_rate=Estimate(missed / n, *clopper_pearson(missed, n)),
                calls=Calls(mean=calls, p50=float(p50), p95=float(p95)),
                full_calls=full,
                saved=1 - calls / full,
                saved_of_fixed=None if fixed is None else 1 - calls / min(fixed, full),
            )
        )
    return found


def clopper_pearson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact binomial interval of a share (Clopper & Pearson 1934)."""
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return low, high


def padded(lists: Sequence[Floats], width: int) -> Floats:
    """Return lists as rows of ``width``, cut or filled up with -inf: (q, width)."""
    rows = np.full((len(lists), width), -np.inf)
    for row, values in enumerate(lists):
        rows[row, : min(len(values), width)] = values[:width]
    return rows
