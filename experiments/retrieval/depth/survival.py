"""What a depth loses: survival, score regret and nDCG against the best of the whole corpus.

For each query the exhaustive top k is the k best documents by the reranker. Documents that were
scored for certain are known; of the others a sample is, each standing for ``weight`` documents.
Every figure is exact where all are known. Where not, it is an estimate on the safe side: the
known documents' top k is taken, and each further document is charged what it would change if it
came alone. As these gains have falling returns (the sum of the k best, however discounted, is
submodular), the charges together are at least the true change, and the sum of charges over all
documents is estimated without bias by the weighted sum over the drawn ones (Horvitz & Thompson
1952). So survival and nDCG are rather too low than too high, and regret rather too high.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kosim.encoders.metrics import Floats
from kosim.index.adaptive.policy import RELEVANT

_CERTAIN = 1.0

Calibrate = Callable[[npt.ArrayLike], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class ScoredQuery:
    """The scored documents of one query.

    ``cosines`` and ``raw`` (t,) belong to the retrieved documents in their order;
    ``rest_cosines``, ``rest_raw``, ``rest_weights`` and ``rest_bands`` (m,) to documents beyond
    them.
    """

    cosines: Floats
    raw: Floats
    rest_cosines: Floats
    rest_raw: Floats
    rest_weights: Floats
    rest_bands: npt.NDArray[np.int64]

    def mixed(self, mix: Callable[[Floats, Floats], npt.ArrayLike]) -> ScoredQuery:
        """Return the query with scores that are made of cosines and raw scores."""
        return replace(
            self,
            raw=np.asarray(mix(self.cosines, self.raw), dtype=np.float64),
            rest_raw=np.asarray(mix(self.rest_cosines, self.rest_raw), dtype=np.float64),
        )


@dataclass(frozen=True)
class QueryLoss:
    """What each depth loses for one query.

    ``hits`` is how many hits that count the exhaustive top k has, and ``survivors`` (t + 1,) how
    many of them the first 0, 1, ... t retrieved documents hold, less what the sample charges.
    ``regret`` and ``ndcg`` (d,) belong to the depths that were asked for. ``intruders`` holds
    the bands of the documents beyond the retrieved ones that are hits, and ``charged`` how many
    documents those of them that were drawn stand for.
    """

    hits: float
    survivors: Floats
    regret: Floats
    ndcg: Floats
    intruders: npt.NDArray[np.int64]
    charged: float


def measure(
    query: ScoredQuery, calibrate: Calibrate, *, k: int, depths: Sequence[int]
) -> QueryLoss:
    """Return what each depth loses for a query.

    Args:
        query: its scored documents.
        calibrate: from raw scores to 0-5.
        k: how many hits are wanted.
        depths: for regret and nDCG.
    """
    certain = query.rest_weights <= _CERTAIN
    raw = np.concatenate([query.raw, query.rest_raw[certain]])
    scores = np.asarray(calibrate(raw), dtype=np.float64)
    retrieved = len(query.raw)
    best = np.argsort(-raw, kind="stable")[:k]
    counted = best[scores[best] >= RELEVANT]
    # Of the drawn documents, only one above the k-th best known changes anything.
    last = raw[best[-1]] if len(best) == k else -np.inf
    entering = ~certain & (query.rest_raw > last)
    weights = query.rest_weights[entering]
    entering_scores = np.asarray(calibrate(query.rest_raw[entering]), dtype=np.float64)
    relevant = entering_scores >= RELEVANT
    charged = float(weights[relevant].sum())

    found = np.bincount(counted[counted < retrieved] + 1, minlength=retrieved + 1)[: retrieved + 1]
    # While the top k has room, another hit makes it longer; when full, it displaces one.
    full = len(counted) == k
    ideal = _padded(scores[best], k)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal_gain = float(ideal @ discounts)
    added_gain = sum(
        weight * (float(_with(ideal, score) @ discounts) - ideal_gain)
        for weight, score in zip(weights, entering_scores, strict=True)
    )
    added_score = float(weights @ np.maximum(entering_scores - ideal[-1], 0.0))
    regret, gains = [], []
    for depth in depths:
        shown = np.argsort(-query.raw[:depth], kind="stable")[:k]
        got = _padded(scores[:depth][shown], k)
        regret.append((float(ideal.sum() - got.sum()) + added_score) / k)
        # 1 / (I + a) >= (1 - a / I) / I: linear in what the sample adds, hence without bias.
        gains.append(float(got @ discounts) / ideal_gain * (1 - added_gain / ideal_gain))
    beyond = query.rest_bands[certain][counted[counted >= retrieved] - retrieved]
    return QueryLoss(
        hits=len(counted) + (0.0 if full else charged),
        survivors=np.cumsum(found).astype(np.float64) - (charged if full else 0.0),
        regret=np.array(regret),
        ndcg=np.array(gains),
        intruders=np.concatenate([beyond, query.rest_bands[entering][relevant]]),
        charged=charged,
    )


def smallest_depth(survival: Floats, keep: float) -> npt.NDArray[np.int64]:
    """Return for rows (b, t) of survival at depths 1 to t the first of at least ``keep``: (b,).

    It is t + 1 where none is.
    """
    enough = survival >= keep - 1e-12
    return np.where(enough.any(axis=1), enough.argmax(axis=1), survival.shape[1]) + 1


def _padded(scores: Floats, k: int) -> Floats:
    """Return k scores; a place that no document fills is worth 0."""
    return np.pad(scores, (0, k - len(scores)))


def _with(ideal: Floats, score: float) -> Floats:
    """Return the best k of k falling scores and one more."""
    return np.sort(np.append(ideal, score))[::-1][: len(ideal)]
