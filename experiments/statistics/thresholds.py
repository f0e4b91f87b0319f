"""The decision threshold that a user's goal asks for, and how much F1 depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, UndefinedMetricError
from kosim.encoders.language import Line
from kosim.encoders.metrics import Cuts
from kosim.encoders.records import DECISION_THRESHOLD


@dataclass(frozen=True)
class Goal:
    """What a threshold is to reach: a precision or a recall, or the least cost of errors.

    ``wanted`` is the precision or recall; a pair that is wrongly called similar costs
    ``false_positive``, one that is missed ``false_negative``.
    """

    name: Literal["precision", "recall", "cost"]
    wanted: float = 0.0
    false_positive: float = 1.0
    false_negative: float = 1.0

    def __post_init__(self) -> None:
        if self.name != "cost" and not 0 < self.wanted <= 1:
            raise ConfigError(
                f"{self.name} is to be {self.wanted:g}; give a share above 0, up to 1"
            )
        for cost in (self.false_positive, self.false_negative):
            if not 0 < cost < np.inf:
                raise ConfigError(
                    f"the cost of an error is {cost:g}, not positive and finite; give two positive "
                    "numbers"
                )

    def __str__(self) -> str:
        if self.name == "cost":
            return f"a cost of {self.false_positive:g}:{self.false_negative:g}"
        return f"a {self.name} of at least {self.wanted:g}"

    @property
    def words(self) -> Line:
        """The goal in words."""
        if self.name == "cost":
            return Line(str(self), f"비용 {self.false_positive:g}:{self.false_negative:g}")
        noun = {"precision": "정밀도", "recall": "재현율"}[self.name]
        return Line(str(self), f"{noun} {self.wanted:g} 이상")

    @classmethod
    def parse_cost(cls, text: str) -> Self:
        """Read the costs of a false and of a missed similar pair, as ``5:1``.

        Raises:
            ConfigError: it is something else.
        """
        try:
            false_positive, false_negative = map(float, text.split(":"))
        except ValueError:
            raise ConfigError(
                f"cost {text!r} is not understood; give FALSE:MISSED, such as 5:1"
            ) from None
        return cls("cost", false_positive=false_positive, false_negative=false_negative)


def choose_threshold(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    goal: Goal,
    *,
    label_threshold: float = DECISION_THRESHOLD,
) -> float:
    """Return the threshold on ``scores`` (n,) that reaches a goal on these pairs.

    Of the thresholds with the wanted precision that with the highest recall, the other way round
    for a recall, or the one with the least cost; in the middle between two neighbouring scores.

    Raises:
        UndefinedMetricError: no label reaches the label threshold, or no threshold the goal.
    """
    cuts = Cuts.of(labels, scores, label_threshold=label_threshold)
    predicted, found, positives = cuts.predicted, cuts.found, cuts.positives
    precision, recall = found / predicted, found / positives
    if goal.name == "precision":
        value = np.where(precision >= goal.wanted, recall, -1.0)
    elif goal.name == "recall":
        value = np.where(recall >= goal.wanted, precision, -1.0)
    else:
        missed = positives - found
        value = -(goal.false_positive * (predicted - found) + goal.false_negative * missed)
        if -goal.false_negative * positives > value.max():
            # To call no pair similar is cheapest.
            return float(np.nextafter(cuts.scores[0], np.inf))
    best = int(np.argmax(value))
    if goal.name != "cost" and value[best] <= 0:
        raise UndefinedMetricError(
            f"no threshold has a {goal.name} of {goal.wanted:g} on these {len(np.ravel(labels)):,} "
            f"pairs; the highest is "
            f"{(precision if goal.name == 'precision' else recall).max():.3f}: ask for less"
        )
    return cuts.threshold(best)


def plateau(
    thresholds: npt.NDArray[np.float64], values: npt.NDArray[np.float64], *, loss: float = 0.01
) -> tuple[float, float]:
    """Return the range of ``thresholds`` around the best in which ``values`` lose at most ``loss``.

    The narrower it is, the more a figure such as F1 depends on the threshold.
    """
    best = int(np.argmax(values))
    kept = values >= values[best] - loss
    low = high = best
    while low > 0 and kept[low - 1]:
        low -= 1
    while high + 1 < len(values) and kept[high + 1]:
        high += 1
    return float(thresholds[low]), float(thresholds[high])
