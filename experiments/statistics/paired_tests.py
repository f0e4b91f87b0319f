"""The classical tests that are reported beside the bootstrap.

McNemar's asks which encoder decides more pairs rightly, Williams' which one's scores correlate
better with the labels, if labels and scores were jointly normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom
from scipy.stats import t as student

from kosim.encoders.errors import UndefinedMetricError
from kosim.encoders.metrics import Floats, check_pairs, pearson
from kosim.encoders.records import DECISION_THRESHOLD
from kosim.experiments.statistics.influence import seedwise

_DEPENDENT = 1e-12


@dataclass(frozen=True)
class McNemar:
    """How many pairs only one of two encoders decided rightly, and the mid-p value."""

    only_first_right: int
    only_second_right: int
    p_value: float


def mcnemar_midp(
    labels: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    thresholds_first: npt.ArrayLike = DECISION_THRESHOLD,
    thresholds_second: npt.ArrayLike = DECISION_THRESHOLD,
    label_threshold: float = DECISION_THRESHOLD,
) -> McNemar:
    """Compare the decisions of ``first`` (s, n) and ``second`` (t, n) by McNemar's mid-p test.

    Of the pairs that only one encoder decides rightly, each has half under the null: the mid-p
    value is twice the binomial tail less the probability of the observed split (Fagerland,
    Lydersen & Laake 2013). Unlike the exact test it is not too cautious.

    A pair has one decision an encoder, whatever the seeds: similar if the seeds' scores exceed
    their thresholds on average. So each pair counts once, and the test stays valid.

    Raises:
        DataError: labels (n,) and scores do not fit, or are not finite.
        ConfigError: the number of thresholds is neither 1 nor that of the seeds.
    """
    gold, rows = check_pairs(labels, first)
    _, others = check_pairs(labels, second)
    actual = gold >= label_threshold
    first_right = _decision(rows, thresholds_first) == actual
    second_right = _decision(others, thresholds_second) == actual
    only_first = int(np.sum(first_right & ~second_right))
    only_second = int(np.sum(second_right & ~first_right))
    split = binom(only_first + only_second, 0.5)
    smaller = min(only_first, only_second)
    p_value = min(1.0, float(2 * split.cdf(smaller) - split.pmf(smaller)))
    return McNemar(only_first, only_second, p_value)


def _decision(scores: Floats, thresholds: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    margins = scores - seedwise(np.atleast_1d(np.asarray(thresholds, float)), len(scores))
    return np.asarray(margins.mean(axis=0) >= 0)


@dataclass(frozen=True)
class Williams:
    """Williams' t statistic, positive where the first encoder correlates better."""

    statistic: float
    p_value: float


def williams(labels: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> Williams:
    """Test whether ``first`` (n,) and ``second`` (n,) correlate equally with ``labels`` (n,).

    Williams' t (1959) for two dependent correlations with n - 3 degrees of freedom, equation 7
    of Steiger (1980), who recommends it. It holds for one seed each and for jointly normal
    values, which scores near the ends of a scale are not: it stands beside the bootstrap.

    Raises:
        UndefinedMetricError: a correlation is undefined, there are fewer than 4 pairs, or one
            encoder's scores are the other's with the sign turned.
    """
    gold, _ = check_pairs(labels, first)
    n = len(gold)
    if n < 4:
        raise UndefinedMetricError(f"Williams' test of {n} pairs is undefined; give at least 4")
    one, other, both = pearson(gold, first), pearson(gold, second), pearson(first, second)
    if 1 - both < _DEPENDENT:
        return Williams(0.0, 1.0)
    determinant = max(0.0, 1 - one**2 - other**2 - both**2 + 2 * one * other * both)
    mean = (one + other) / 2
    spread = 2 * (n - 1) / (n - 3) * determinant + mean**2 * (1 - both) ** 3
    if spread < _DEPENDENT:
        raise UndefinedMetricError(
            "one encoder's scores are the other's with the sign turned, so Williams' test is "
            "undefined; check how the scores were made"
        )
    statistic = (one - other) * float(np.sqrt((n - 1) * (1 + both) / spread))
    return Williams(statistic, float(2 * student.sf(abs(statistic), n - 3)))
