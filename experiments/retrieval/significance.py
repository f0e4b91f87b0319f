"""How sure a mean over queries is: whole groups of queries are resampled.

Queries of one group ask the same in other words, so they succeed and fail together; they are
one piece of evidence, not ten. The value is a ratio of sums over groups, S / N with S the sum of
a group's values and N the number of its queries, so that groups may differ in size. A group's
influence on it is (S - value N) / mean(N) (Cochran 1977, section 6.3; Hampel 1974), which is all
that the studentised bootstrap of `resampling` needs.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import DataError, UndefinedMetricError
from kosim.encoders.metrics import Floats
from kosim.experiments.statistics.influence import Evaluation
from kosim.experiments.statistics.resampling import bootstrap
from kosim.experiments.statistics.significance import adjust
from kosim.experiments.study.figures import Comparison, Difference, Estimate

LEVEL = 0.95

_FEWEST_TELLING = 4
"""With m such units among many, exp(-m) of the resamples hold none: 5% where there are 3."""


def ratio_of_sums(parts: Floats, wholes: Floats) -> Evaluation:
    """Return how sum(parts) / sum(wholes) over n units is evaluated under weights.

    It is undefined (NaN) in a resample whose wholes sum to 0.
    """

    def evaluate(weights: Floats) -> tuple[Floats, Floats]:
        total = weights @ wholes
        total = np.where(total > 0, total, np.nan)
        values = (weights @ parts) / total
        scale = weights.shape[1] / total
        return values, (parts - values[:, None] * wholes) * scale[:, None]

    return evaluate


def ratio_estimate(parts: Floats, wholes: Floats, *, resamples: int, seed: int) -> Estimate:
    """Return sum(parts) / sum(wholes) over n units, a share, with its 95% interval.

    Where every unit's share is 0, or every one's is 1, it is the exact binomial interval of as
    many agreeing units (Clopper & Pearson 1934); one unit whose share lies between tells nothing
    of others, so that it is 0 to 1. Units without a whole are drawn too, unless hardly any others
    are there: too many resamples would then have nothing to take a share of.

    Raises:
        UndefinedMetricError: the wholes sum to 0.
    """
    telling = int(np.count_nonzero(wholes))
    if not telling:
        raise UndefinedMetricError("there is nothing to take a share of: all wholes are 0")
    if telling < _FEWEST_TELLING:
        parts, wholes = parts[wholes > 0], wholes[wholes > 0]
    drawn = bootstrap(ratio_of_sums(parts, wholes), len(parts), resamples=resamples, seed=seed)
    if telling == 1 and 0 < drawn.value < 1:
        return Estimate(drawn.value, 0.0, 1.0)
    if drawn.error == 0:
        agreed = ((1 - LEVEL) / 2) ** (1 / telling)
        low = float(agreed) if drawn.value == 1 else drawn.value
        high = float(1 - agreed) if drawn.value == 0 else drawn.value
        return Estimate(drawn.value, low, high)
    low, high = drawn.skewed_interval(LEVEL)
    return Estimate(drawn.value, max(low, 0.0), min(high, 1.0))


class GroupedQueries:
    """q queries in groups, and means of their values with what the groups say about them."""

    def __init__(self, groups: npt.ArrayLike, *, resamples: int = 10_000, seed: int = 0) -> None:
        """Take the group of each query, (q,), any integers.

        Raises:
            DataError: there are fewer than two groups, so that nothing can be resampled.
        """
        names, self._member = np.unique(np.asarray(groups), return_inverse=True)
        self.count = len(names)
        if self.count < 2:
            raise DataError(
                f"the queries make {self.count} group; intervals and tests need at least 2 groups"
            )
        self._sizes = np.bincount(self._member).astype(np.float64)
        self._resamples, self._seed = resamples, seed

    def estimate(self, values: Floats) -> Estimate:
        """Return the mean of ``values`` (q,), each of 0 to 1, with its 95% interval."""
        return ratio_estimate(
            self._sums(values), self._sizes, resamples=self._resamples, seed=self._seed
        )

    def difference(self, minuend: Floats, subtrahend: Floats) -> Difference:
        """Return mean(minuend) - mean(subtrahend) with interval and p-value, paired by query.

        Both hold values of 0 to 1, (q,) each.
        """
        drawn = bootstrap(
            ratio_of_sums(self._sums(minuend - subtrahend), self._sizes),
            self.count,
            resamples=self._resamples,
            seed=self._seed,
        )
        low, high = drawn.symmetric_interval(LEVEL)
        return Difference(drawn.value, max(low, -1.0), min(high, 1.0), drawn.p_value())

    def _sums(self, values: Floats) -> Floats:
        return np.bincount(self._member, weights=values).astype(np.float64, copy=False)


def compare_rows(queries: GroupedQueries, values: dict[str, dict[str, Floats]]) -> list[Comparison]:
    """Test every two ways to search against each other, by every metric.

    Args:
        queries: the groups that are resampled; the same resamples for all pairs.
        values: by way and metric, one value a query, (q,).

    Returns:
        One comparison a pair, p-values adjusted for their number, metric by metric (Holm).
    """
    compared = [
        Comparison(
            first=first,
            second=second,
            **{m: queries.difference(values[first][m], values[second][m]) for m in values[first]},
        )
        for first, second in combinations(values, 2)
    ]
    adjust(compared, next(iter(values.values()), {}))
    return compared
