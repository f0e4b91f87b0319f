"""Two contenders compared on each slice of the test pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kosim.encoders.errors import UndefinedMetricError
from kosim.encoders.metrics import pearson
from kosim.experiments.comparison.differences import difference_of
from kosim.experiments.comparison.evaluation import ScoredContender, Scores
from kosim.experiments.comparison.results import PairedComparison, SliceComparison, SlicedResults
from kosim.experiments.data.partition import TestSet
from kosim.experiments.settings import CompareSettings, EvaluationSettings
from kosim.experiments.slices.grouping import Slice, read_columns, slices_of
from kosim.experiments.statistics.significance import (
    FEWEST,
    MeanError,
    Metric,
    Pearson,
    adjust,
)
from kosim.experiments.study.figures import Difference, Tested, Undefined

RESAMPLES = 2_000
"""Resamples of a slice at most: dozens of slices must not take longer than the comparison."""

METRICS: dict[str, Metric] = {"error": MeanError(), "pearson": Pearson()}


def compare_slices(
    main: PairedComparison | None,
    contenders: Sequence[ScoredContender],
    settings: CompareSettings,
    test: TestSet,
) -> SlicedResults | None:
    """Compare the contenders of the main difference, where there is one, slice by slice.

    Raises:
        ConfigError: the settings name a column for slices that the test file lacks.
    """
    if main is None:
        return None
    evaluation = settings.evaluation
    columns = read_columns(evaluation.slices, settings.data, test.raw.frame["row"].tolist())
    slices, by_kiwi = slices_of(test.pairs, columns)
    named = {contender.name: contender for contender in contenders}
    first, second = named[main.first], named[main.second]
    return compare_on(slices, first, second, test.pairs.labels, evaluation, by_kiwi=by_kiwi)


def compare_on(
    slices: Sequence[Slice],
    first: ScoredContender,
    second: ScoredContender,
    labels: Scores,
    settings: EvaluationSettings,
    *,
    by_kiwi: bool,
) -> SlicedResults:
    """Compare two contenders on each slice, by mean absolute error and by Pearson.

    The p-values of each metric are adjusted for the number of slices (Holm).

    Args:
        slices: with the rows that they hold.
        first: of the difference ``first`` minus ``second``.
        second: likewise.
        labels: of the n test pairs, (n,).
        settings: level, resamples and seed.
        by_kiwi: whether the distinctions were found with Kiwi.
    """
    found = [_compare(first, second, labels, one, settings) for one in slices]
    adjust(found, METRICS)
    overall = _tested(labels, first, second, METRICS["error"], settings)
    return SlicedResults(
        first=first.name,
        second=second.name,
        by_kiwi=by_kiwi,
        overall=overall if isinstance(overall, Difference) else None,
        slices=found,
    )


def _compare(
    first: ScoredContender,
    second: ScoredContender,
    labels: Scores,
    one: Slice,
    settings: EvaluationSettings,
) -> SliceComparison:
    gold, pair = labels[one.rows], (first.of_pairs(one.rows), second.of_pairs(one.rows))
    rows, names = [each.scores for each in pair], [each.name for each in pair]
    figures: dict[str, Tested] = {
        name: _tested(gold, *pair, metric, settings) for name, metric in METRICS.items()
    }
    return SliceComparison(
        family=one.family,
        name=one.name,
        n=len(gold),
        first=first.name,
        second=second.name,
        errors={n: float(np.abs(s - gold).mean()) for n, s in zip(names, rows, strict=True)},
        pearsons={n: _pearson(gold, s) for n, s in zip(names, rows, strict=True)},
        **figures,
    )


def _tested(
    gold: Scores,
    one: ScoredContender,
    other: ScoredContender,
    metric: Metric,
    settings: EvaluationSettings,
) -> Tested:
    if one.distinct < FEWEST:
        return Undefined(f"fewer than {FEWEST} pairs")
    fewer = {"resamples": min(settings.resamples, RESAMPLES)}
    return difference_of(one, other, gold, metric, metric, settings.model_copy(update=fewer))


def _pearson(gold: Scores, scores: Scores) -> float | None:
    """Return the mean over seeds, or None where it is undefined."""
    try:
        return float(np.mean([pearson(gold, row) for row in scores]))
    except UndefinedMetricError:
        return None
