"""The metrics on weighted pairs, each with its influence function.

A bootstrap resample is a row of weights: how often each pair was drawn. A metric evaluated on
many rows at once returns, for every row, its value and the influence of every pair on it: the
derivative of the value by that pair's share of the data (Hampel 1974; Efron & Tibshirani 1993,
chapter 21). The mean square of the influences over n estimates the value's sampling variance,
without a second bootstrap inside the first.

Several seeds: the metric is the mean over seeds, hence so is the influence. A pair keeps all
its seeds together, so the correlation between seeds is in the variance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, UndefinedMetricError
from kosim.encoders.metrics import Floats, check_correlation, no_decisions, no_positives
from kosim.encoders.records import DECISION_THRESHOLD

Evaluation = Callable[[Floats], tuple[Floats, Floats]]
"""From weights (b, n), whose rows sum to n, to values (b,) and influences (b, n).

A value is NaN where the metric is undefined under those weights.
"""

_NO_SPREAD = 1e-10
"""A resample with less than this share of the sample's variance is constant up to rounding."""


class Metric(ABC):
    """A figure of one encoder, with the range of its values."""

    bounds: tuple[float, float]
    fisher = False
    """Whether the interval of a single value is made on Fisher's z scale."""

    @abstractmethod
    def prepare(self, labels: Floats, scores: Floats) -> Evaluation:
        """Return how this metric is evaluated for ``labels`` (n,) and ``scores`` (s, n).

        Raises:
            UndefinedMetricError: the metric has no value on these pairs.
        """

    def unvaried_interval(
        self, value: float, labels: Floats, scores: Floats, level: float
    ) -> tuple[float, float]:
        """Return the interval of a ``value`` on which no pair has any influence."""
        return value, value


class Pearson(Metric):
    """Pearson's correlation; its influence is zx zy - r (zx^2 + zy^2) / 2 (Devlin et al. 1975)."""

    bounds = (-1.0, 1.0)
    fisher = True

    def prepare(self, labels: Floats, scores: Floats) -> Evaluation:
        """See `Metric.prepare`."""
        check_correlation(labels, scores)
        x = (labels - labels.mean()) / labels.std()
        y = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
        monomials = [np.stack([np.ones_like(x), x, row, x * x, x * row, row * row]) for row in y]
        return lambda weights: _mean([_pearson(weights, powers) for powers in monomials])


def _pearson(weights: Floats, powers: Floats) -> tuple[Floats, Floats]:
    _, x, y, xx, xy, yy = (weights @ powers.T / weights.shape[1]).T
    scale_x, scale_y = _inverse_root(xx - x * x), _inverse_root(yy - y * y)
    value = (xy - x * y) * scale_x * scale_y
    # The influence is a polynomial in x and y: for all resamples at once, one matrix product.
    a, b, c = -value / 2 * scale_x**2, scale_x * scale_y, -value / 2 * scale_y**2
    constant = a * x * x + b * x * y + c * y * y
    linear_x, linear_y = -2 * a * x - b * y, -2 * c * y - b * x
    return value, np.stack([constant, linear_x, linear_y, a, b, c], axis=1) @ powers


def _inverse_root(variance: Floats) -> Floats:
    return 1 / np.sqrt(np.where(variance > _NO_SPREAD, variance, np.nan))


class Spearman(Metric):
    """Spearman's correlation: Pearson's of the pairs' mid-distribution values, ties included.

    With U and V the mid-distribution values (mean rank - 1/2) / n less 1/2, rho is
    cov(U, V) / sqrt(var U var V), where var U = (1 - sum p^3) / 12 over groups of ties with
    shares p. A pair's influence on cov(U, V) has, beside its own product u v, two terms for the
    ranks that it shifts, the projection of Hájek (1968): E[v; X above x] and E[u; Y above y].
    """

    bounds = (-1.0, 1.0)
    fisher = True

    def prepare(self, labels: Floats, scores: Floats) -> Evaluation:
        """See `Metric.prepare`."""
        check_correlation(labels, scores)
        gold, rows = _Order(labels), [_Order(row) for row in scores]

        def evaluate(weights: Floats) -> tuple[Floats, Floats]:
            ranked = _Ranks(gold, weights)
            return _mean([_spearman(weights, ranked, _Ranks(row, weights)) for row in rows])

        return evaluate


class _Order:
    """The order of n fixed values, to sum any mass on them up to each value."""

    def __init__(self, values: Floats) -> None:
        self._ascending = np.argsort(values, kind="stable")
        self._start = np.searchsorted(values[self._ascending], values, side="left")
        self._end = np.searchsorted(values[self._ascending], values, side="right")
        self._distinct = bool(np.all(self._end - self._start == 1))

    def sums(self, mass: Floats) -> tuple[Floats, Floats]:
        """Return, for ``mass`` (b, n), what lies below each value, and what is tied with it."""
        running = np.zeros((mass.shape[0], mass.shape[1] + 1))
        np.cumsum(_columns(mass, self._ascending), axis=1, out=running[:, 1:])
        below = _columns(running, self._start)
        return below, mass.copy() if self._distinct else _columns(running, self._end) - below

    def middle(self, mass: Floats) -> Floats:
        """Return the mass below each value and half of what is tied with it, (b, n)."""
        below, tied = self.sums(mass)
        tied /= 2
        tied += below
        return tied


def _columns(values: Floats, positions: npt.NDArray[np.intp]) -> Floats:
    # Every place is there; "clip" only spares numpy the check, a third of the time.
    return values.take(positions, axis=1, mode="clip")


class _Ranks:
    """The centred mid-distribution values of resamples and what their variance needs."""

    def __init__(self, order: _Order, weights: Floats) -> None:
        self.order = order
        n = weights.shape[1]
        self.values, tied = order.sums(weights)
        self.values += tied / 2
        self.values /= n
        self.values -= 0.5
        tied /= n
        tied *= tied
        self.squared_shares = tied
        self.cubes = np.einsum("bi,bi->b", weights, tied) / n
        variance = (1 - self.cubes) / 12
        self.variance = np.where(variance > _NO_SPREAD, variance, np.nan)


def _spearman(weights: Floats, x: _Ranks, y: _Ranks) -> tuple[Floats, Floats]:
    n = weights.shape[1]
    influence = x.values * y.values
    covariance = np.einsum("bi,bi->b", weights, influence) / n
    scale = 1 / np.sqrt(x.variance * y.variance)
    value = covariance * scale
    # The centred values sum to zero, so the sum above a pair is minus the sum up to it.
    shifted = x.order.middle(weights * y.values)
    shifted += y.order.middle(weights * x.values)
    shifted /= n
    influence -= shifted
    influence -= 3 * covariance[:, None]
    influence *= scale[:, None]
    for ranks in (x, y):
        # The variance's own influence is (cubes - squared share) / 4.
        part = (value / ranks.variance / 8)[:, None]
        influence += part * ranks.squared_shares
        influence -= part * ranks.cubes[:, None]
    return value, influence


class Mean(Metric):
    """The mean of the scores themselves, whatever their labels; its influence is x - mean."""

    bounds = (-np.inf, np.inf)

    def prepare(self, labels: Floats, scores: Floats) -> Evaluation:
        """See `Metric.prepare`."""
        values = self._values(labels, scores).mean(axis=0)

        def evaluate(weights: Floats) -> tuple[Floats, Floats]:
            means = weights @ values / len(values)
            return means, values - means[:, None]

        return evaluate

    def _values(self, labels: Floats, scores: Floats) -> Floats:
        """Return what is averaged, (s, n)."""
        return scores


class MeanError(Mean):
    """The mean absolute difference of score and label, in points."""

    bounds = (0.0, np.inf)

    def _values(self, labels: Floats, scores: Floats) -> Floats:
        return np.abs(scores - labels)


class _Share(Metric):
    """A ratio of counts: the influence is its linearisation, (part - value whole) / mean whole.

    ``thresholds`` is one for all seeds or (s,), one a seed; similar is >= the threshold.
    """

    bounds = (0.0, 1.0)

    def __init__(
        self,
        thresholds: npt.ArrayLike = DECISION_THRESHOLD,
        *,
        label_threshold: float = DECISION_THRESHOLD,
    ) -> None:
        self.thresholds = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
        self.label_threshold = label_threshold

    def prepare(self, labels: Floats, scores: Floats) -> Evaluation:
        """See `Metric.prepare`.

        Raises:
            ConfigError: the number of thresholds is neither 1 nor that of the seeds.
        """
        actual = labels >= self.label_threshold
        predicted = scores >= seedwise(self.thresholds, len(scores))
        part, whole = self._counts(actual.astype(np.float64), predicted.astype(np.float64))
        if not actual.any():
            raise UndefinedMetricError(no_positives(self.label_threshold))
        if not whole.any(axis=1).all():
            raise UndefinedMetricError(no_decisions(float(self.thresholds.min())))

        def evaluate(weights: Floats) -> tuple[Floats, Floats]:
            total = weights @ whole.T
            total[total == 0] = np.nan
            value = weights @ part.T / total
            scale = weights.shape[1] / len(scores) / total
            return value.mean(axis=1), scale @ part - (value * scale) @ whole

        return evaluate

    def unvaried_interval(
        self, value: float, labels: Floats, scores: Floats, level: float
    ) -> tuple[float, float]:
        """Return the exact binomial interval where all m pairs that count agree.

        Clopper & Pearson (1934): the share of the rarer outcome is below 1 - (alpha / 2)^(1/m).
        """
        actual = labels >= self.label_threshold
        predicted = scores >= seedwise(self.thresholds, len(scores))
        _, whole = self._counts(actual.astype(np.float64), predicted.astype(np.float64))
        agreed = ((1 - level) / 2) ** (1 / np.count_nonzero(whole, axis=1).min())
        low, high = self._of_share(agreed), self._of_share(1 - agreed)
        return (low if value == 1 else 0.0), (high if value == 0 else 1.0)

    def _of_share(self, right: float) -> float:
        """Return the metric if this share of the pairs that count is right."""
        return right

    @abstractmethod
    def _counts(self, actual: Floats, predicted: Floats) -> tuple[Floats, Floats]:
        """Return what each pair adds to the ratio's part and whole, (s, n) each."""


class F1(_Share):
    """2 TP / (2 TP + FP + FN)."""

    def _counts(self, actual: Floats, predicted: Floats) -> tuple[Floats, Floats]:
        return 2 * actual * predicted, actual + predicted

    def _of_share(self, right: float) -> float:
        return 2 * right / (1 + right)


class Precision(_Share):
    """TP / (TP + FP)."""

    def _counts(self, actual: Floats, predicted: Floats) -> tuple[Floats, Floats]:
        return actual * predicted, predicted


class Recall(_Share):
    """TP / (TP + FN)."""

    def _counts(self, actual: Floats, predicted: Floats) -> tuple[Floats, Floats]:
        return actual * predicted, np.broadcast_to(actual, predicted.shape)


def seedwise(thresholds: Floats, seeds: int) -> Floats:
    """Return ``thresholds``, one for all or one a seed, as a column (seeds, 1).

    Raises:
        ConfigError: their number is neither 1 nor that of the seeds.
    """
    if thresholds.shape not in {(1,), (seeds,)}:
        raise ConfigError(
            f"{thresholds.size} thresholds for {seeds} seeds; give one for all, or one a seed"
        )
    return np.broadcast_to(thresholds, (seeds,))[:, None]


def _mean(results: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    if len(results) == 1:
        return results[0]
    values, influences = zip(*results, strict=True)
    return np.mean(values, axis=0), np.mean(influences, axis=0)
