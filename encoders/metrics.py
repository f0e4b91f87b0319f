"""Metrics of scores against gold labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from encoders.errors import UndefinedMetricError
from encoders.records import DECISION_THRESHOLD


def pearson(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Pearson's product-moment correlation of (n,) labels and scores."""
    x, y = np.asarray(labels, float), np.asarray(scores, float)
    _check(x, y)
    return float(stats.pearsonr(x, y).statistic)


def spearman(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Spearman's rank correlation, ties sharing their mean rank."""
    x, y = np.asarray(labels, float), np.asarray(scores, float)
    _check(x, y)
    return float(stats.spearmanr(x, y).statistic)


def f1(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    threshold: float = DECISION_THRESHOLD,
    label_threshold: float = DECISION_THRESHOLD,
) -> float:
    gold = np.asarray(labels, float) >= label_threshold
    said = np.asarray(scores, float) >= threshold
    return float(2 * (gold & said).sum() / (gold.sum() + said.sum()))


def best_f1_threshold(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    x, y = np.asarray(labels, float) >= DECISION_THRESHOLD, np.asarray(scores, float)
    order = np.argsort(-y, kind="stable")
    hits = np.cumsum(x[order])
    values = 2 * hits / (np.arange(1, len(y) + 1) + x.sum())
    last = np.append(y[order][1:] != y[order][:-1], True)
    values = np.where(last, values, -1)
    best = int(np.argmax(values))
    below = y[order][best + 1] if best + 1 < len(y) else y[order][best] - 1
    return float((y[order][best] + below) / 2)


def _check(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> None:
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise UndefinedMetricError("a correlation needs 3 pairs and labels and scores that vary")
