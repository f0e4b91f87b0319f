"""The figures of a comparison: each contender's, and the difference of every two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from kosim.encoders.base import Kind
from kosim.encoders.errors import UndefinedMetricError
from kosim.encoders.metrics import pearson
from kosim.encoders.records import DECISION_THRESHOLD, LabelledPairs
from kosim.experiments.settings import EvaluationSettings
from kosim.experiments.statistics.significance import (
    F1,
    Difference,
    Metric,
    Pearson,
    Precision,
    Recall,
    Spearman,
    difference,
    estimate,
    holm,
    mcnemar_midp,
    pairs_needed,
    williams,
)

Scores = npt.NDArray[np.float64]
Figures = dict[str, Any]

COMPARED = ("pearson", "spearman", "f1", "f1_tuned")
"""The metrics whose difference is tested."""

BY_SOURCE = ("pearson", "f1")
"""The metrics that are reported for every source."""


@dataclass(frozen=True)
class ScoredContender:
    """What one contender said of the n test pairs.

    ``scores`` is (s, n) on 0-5, a row a seed; ``thresholds`` is (s,), chosen on validation;
    ``swapped`` is the same pairs scored in the other order, for a kind where that matters.
    """

    name: str
    kind: Kind
    scores: Scores
    thresholds: npt.NDArray[np.float64]
    swapped: Scores | None = None

    def metrics(self) -> dict[str, Metric]:
        """Return every reported metric by name, with this contender's thresholds."""
        tuned = self.thresholds
        return {
            "pearson": Pearson(),
            "spearman": Spearman(),
            "f1": F1(DECISION_THRESHOLD),
            "f1_tuned": F1(tuned),
            "precision": Precision(DECISION_THRESHOLD),
            "recall": Recall(DECISION_THRESHOLD),
            "precision_tuned": Precision(tuned),
            "recall_tuned": Recall(tuned),
        }

    def of_seed(self, row: int) -> ScoredContender:
        """Return this contender as its seed in ``row`` alone."""
        return ScoredContender(
            name=self.name,
            kind=self.kind,
            scores=self.scores[row : row + 1],
            thresholds=self.thresholds[row : row + 1],
        )

    def of_pairs(self, rows: npt.NDArray[np.int64]) -> ScoredContender:
        """Return this contender on the pairs in ``rows`` alone."""
        return ScoredContender(
            name=self.name,
            kind=self.kind,
            scores=self.scores[:, rows],
            thresholds=self.thresholds,
        )


def evaluate(
    contender: ScoredContender,
    labels: npt.NDArray[np.float64],
    settings: EvaluationSettings,
    *,
    only: Sequence[str] | None = None,
) -> Figures:
    """Return each metric as ``{"value", "low", "high"}``, or ``{"undefined": why}``.

    The value is the mean over seeds, the interval clustered by pair.
    """
    metrics = contender.metrics()
    return {
        name: _defined(
            lambda metric=metrics[name]: estimate(  # type: ignore[misc]
                labels, contender.scores, metric, **_resampling(settings)
            )
        )
        for name in (only or metrics)
    }


def evaluate_sources(
    contender: ScoredContender, pairs: LabelledPairs, settings: EvaluationSettings
) -> dict[str, Figures]:
    """Return the main metrics for each named source of the test pairs."""
    sources = np.array(pairs.sources, dtype=object)
    found = {}
    for source in sorted(set(pairs.sources) - {""}):
        rows = np.flatnonzero(sources == source)
        figures = evaluate(contender.of_pairs(rows), pairs.labels[rows], settings, only=BY_SOURCE)
        found[source] = {"n": len(rows), **figures}
    return found


def seed_spread(
    contender: ScoredContender, per_seed: Mapping[str, Figures]
) -> dict[str, Figures] | None:
    """Return how far each metric varies over seeds: mean, sd (n - 1), min and max."""
    if len(per_seed) < 2:
        return None
    spread = {}
    for name in contender.metrics():
        values = [
            figures[name]["value"] for figures in per_seed.values() if "value" in figures[name]
        ]
        if len(values) > 1:
            spread[name] = {
                "mean": float(np.mean(values)),
                "sd": float(np.std(values, ddof=1)),
                "min": min(values),
                "max": max(values),
            }
    return spread


def swap_asymmetry(contender: ScoredContender, labels: npt.NDArray[np.float64]) -> Figures | None:
    """Return how much a contender's score depends on the order of a pair, in points of 0-5.

    ``verdict_flips`` is the share of pairs whose decision depends on it, and
    ``pearson_symmetric`` the Pearson of the mean of both orders' scores, or None where that is
    undefined; means over seeds. None for a kind whose score never depends on the order.
    """
    if contender.swapped is None:
        return None
    gap = np.abs(contender.scores - contender.swapped)
    threshold = contender.thresholds[:, None]
    flips = (contender.scores >= threshold) != (contender.swapped >= threshold)
    both = (contender.scores + contender.swapped) / 2
    try:
        symmetric = float(np.mean([pearson(labels, row) for row in both]))
    except UndefinedMetricError:
        symmetric = None
    return {
        "mean_absolute": float(gap.mean()),
        "p95_absolute": float(np.percentile(gap, 95)),
        "max_absolute": float(gap.max()),
        "verdict_flips": float(flips.mean()),
        "pearson_symmetric": symmetric,
    }


def compare_two(
    first: ScoredContender,
    second: ScoredContender,
    labels: npt.NDArray[np.float64],
    settings: EvaluationSettings,
) -> Figures:
    """Test ``first`` minus ``second``, paired by test pair.

    Returns:
        Each compared metric as ``{"value", "low", "high", "p_value", "pairs_needed"}``,
        ``mcnemar`` of the decisions at 3.0 and ``williams_p_value`` of Pearson's difference.
        Williams' test takes the scores' means over seeds, since it knows one value a pair.
    """
    of_first, of_second = first.metrics(), second.metrics()
    figures: Figures = {"first": first.name, "second": second.name}
    for name in COMPARED:
        figures[name] = _defined(
            lambda name=name: difference(  # type: ignore[misc]
                labels,
                first.scores,
                second.scores,
                of_first[name],
                of_second[name],
                **_resampling(settings),
            )
        )
        if "value" in figures[name]:
            found = Difference(**figures[name])
            figures[name]["pairs_needed"] = pairs_needed(found, len(labels), level=settings.level)
    decisions = mcnemar_midp(labels, first.scores, second.scores)
    figures["mcnemar"] = {
        "threshold": DECISION_THRESHOLD,
        f"only_{first.name}_right": decisions.only_first_right,
        f"only_{second.name}_right": decisions.only_second_right,
        "p_value": decisions.p_value,
    }
    means = first.scores.mean(axis=0), second.scores.mean(axis=0)
    try:
        figures["williams_p_value"] = williams(labels, *means).p_value
    except UndefinedMetricError:
        figures["williams_p_value"] = None
    return figures


def compare_all(
    contenders: Sequence[ScoredContender],
    labels: npt.NDArray[np.float64],
    settings: EvaluationSettings,
) -> list[Figures]:
    """Test every two contenders, cross minus bi where the kinds differ.

    With more than two contenders, ``p_adjusted`` is each metric's p-value adjusted for the
    number of comparisons (Holm).
    """
    ordered = sorted(contenders, key=lambda contender: contender.kind != "cross")
    found = [
        compare_two(first, second, labels, settings) for first, second in combinations(ordered, 2)
    ]
    for name in COMPARED:
        tested = [figures[name] for figures in found if "p_value" in figures[name]]
        adjusted = holm([figures["p_value"] for figures in tested])
        for figures, p_value in zip(tested, adjusted, strict=True):
            figures["p_adjusted"] = p_value
    return found


def _resampling(settings: EvaluationSettings) -> dict[str, Any]:
    return {"level": settings.level, "resamples": settings.resamples, "seed": settings.seed}


def _defined(compute: Callable[[], Any]) -> Figures:
    try:
        return asdict(compute())
    except UndefinedMetricError as error:
        return {"undefined": str(error)}
