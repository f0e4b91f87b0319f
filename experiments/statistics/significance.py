"""How sure a figure is, and how sure it is that one encoder's is higher than another's.

All of it is by pair: the pairs are the sample from which the conclusion is drawn. Several seeds
of one encoder make one value, the mean over seeds; they are never more data.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from kosim.encoders.errors import ConfigError
from kosim.encoders.metrics import Floats, check_pairs
from kosim.experiments.statistics.influence import (
    F1,
    Evaluation,
    Mean,
    MeanError,
    Metric,
    Pearson,
    Precision,
    Recall,
    Spearman,
)
from kosim.experiments.statistics.paired_tests import McNemar, Williams, mcnemar_midp, williams
from kosim.experiments.statistics.resampling import bootstrap
from kosim.experiments.study.figures import Comparison, Difference, Estimate

FEWEST = 20
"""Pairs or items of a group below which nothing is tested; benchmarks/slice_intervals.py goes that
far."""

__all__ = [
    "F1",
    "FEWEST",
    "Difference",
    "Estimate",
    "McNemar",
    "Mean",
    "MeanError",
    "Metric",
    "Pearson",
    "Precision",
    "Recall",
    "Spearman",
    "Williams",
    "adjust",
    "difference",
    "estimate",
    "holm",
    "mcnemar_midp",
    "pairs_needed",
    "williams",
]


def estimate(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    metric: Metric,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    copies: npt.NDArray[np.int64] | None = None,
) -> Estimate:
    """Return ``metric`` of ``scores`` (s, n), the mean over s seeds, with its interval.

    The interval is the equal-tailed bootstrap-t one, of correlations on Fisher's z scale. Where
    every decision is right, or every one wrong, it is the exact binomial one. Pairs with the same
    number in ``copies`` (n,) are one pair and stay together.

    Raises:
        DataError: labels (n,) and scores do not fit, or hold a value that is not finite.
        UndefinedMetricError: the metric has no value on these pairs or on many resamples.
    """
    gold, rows = check_pairs(labels, scores)
    evaluate = metric.prepare(gold, rows)
    value = float(evaluate(np.ones((1, len(gold))))[0][0])
    fisher = metric.fisher and abs(value) < 1 - _PERFECT
    drawn = bootstrap(
        _on_fisher_scale(evaluate) if fisher else evaluate,
        len(gold),
        resamples=resamples,
        seed=seed,
        copies=copies,
    )
    if drawn.error == 0:
        first = slice(None) if copies is None else np.unique(copies, return_index=True)[1]
        low, high = metric.unvaried_interval(value, gold[first], rows[:, first], level)
    else:
        low, high = drawn.skewed_interval(level)
    if fisher:
        low, high = math.tanh(low), math.tanh(high)
    return Estimate(value, *_clip(low, high, metric.bounds))


_PERFECT = 1e-12


def _on_fisher_scale(evaluate: Evaluation) -> Evaluation:
    def transformed(weights: Floats) -> tuple[Floats, Floats]:
        values, influences = evaluate(weights)
        # A perfect correlation is infinite on this scale: two distinct pairs left do that.
        values = np.where(np.abs(values) < 1 - _PERFECT, values, np.nan)
        return np.arctanh(values), influences / (1 - values**2)[:, None]

    return transformed


def _clip(low: float, high: float, bounds: tuple[float, float]) -> tuple[float, float]:
    return float(np.clip(low, *bounds)), float(np.clip(high, *bounds))


def difference(
    labels: npt.ArrayLike,
    minuend: npt.ArrayLike,
    subtrahend: npt.ArrayLike,
    metric_minuend: Metric,
    metric_subtrahend: Metric | None = None,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    copies: npt.NDArray[np.int64] | None = None,
) -> Difference:
    """Return metric(``minuend``) - metric(``subtrahend``), paired by pair.

    ``copies`` is as for `estimate`.

    Interval and p-value are the symmetric bootstrap-t ones and agree: p is at most 1 - level
    exactly when the interval excludes 0. Encoders without any difference have p = 1.

    Raises:
        DataError: labels (n,) and scores (s, n) or (t, n) do not fit, or are not finite.
        UndefinedMetricError: a metric has no value on these pairs or on many resamples.
    """
    gold, rows = check_pairs(labels, minuend)
    _, others = check_pairs(labels, subtrahend)
    of_minuend = metric_minuend.prepare(gold, rows)
    metric_subtrahend = metric_subtrahend or metric_minuend
    of_subtrahend = metric_subtrahend.prepare(gold, others)

    def contrast(weights: Floats) -> tuple[Floats, Floats]:
        values, influences = of_minuend(weights)
        other_values, other_influences = of_subtrahend(weights)
        return values - other_values, influences - other_influences

    drawn = bootstrap(contrast, len(gold), resamples=resamples, seed=seed, copies=copies)
    (low, high), (other_low, other_high) = metric_minuend.bounds, metric_subtrahend.bounds
    bounds = low - other_high, high - other_low
    return Difference(
        drawn.value, *_clip(*drawn.symmetric_interval(level), bounds), drawn.p_value()
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return ``p_values`` adjusted for their number by Holm's step-down method (1979).

    The smallest is multiplied by their number, the next by one less, and so on, and none is
    smaller than one before it. Calling significant what is at most alpha then raises any false
    alarm at all with a probability of at most alpha, whatever the dependence.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, position in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - rank) * float(p_values[position])))
        adjusted[position] = highest
    return adjusted


def adjust(comparisons: Sequence[Comparison], metrics: Iterable[str]) -> None:
    """Adjust the p-values of every metric for the number of comparisons, in place (Holm)."""
    for metric in metrics:
        found = [(entry, gap) for entry in comparisons if (gap := entry.difference(metric))]
        p_values = holm([gap.p_value for _, gap in found])
        for (entry, gap), p in zip(found, p_values, strict=True):
            entry.metrics[metric] = replace(gap, p_adjusted=p)


def pairs_needed(
    difference: Difference,
    n: int,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    level: float = 0.95,
) -> int | None:
    """Return how many pairs would show a true difference of this size, or None if none would.

    With the standard error of n pairs, from the width of the ``level`` interval, and an error
    that falls with the root of their number, a two-sided test at ``alpha`` finds the difference
    with probability ``power`` from n ((z(1 - alpha/2) + z(power)) error / value)^2 pairs on.

    Raises:
        ConfigError: power, alpha or level is not between 0 and 1.
    """
    for name, share in (("power", power), ("alpha", alpha), ("level", level)):
        if not 0 < share < 1:
            raise ConfigError(f"{name} is {share:g}; it must be between 0 and 1")
    if abs(difference.value) < _PERFECT:  # of rounding; its square would overflow
        return None
    error = (difference.high - difference.low) / 2 / norm.ppf((1 + level) / 2)
    ratio = (norm.ppf(1 - alpha / 2) + norm.ppf(power)) * error / difference.value
    return max(1, math.ceil(n * ratio**2))
