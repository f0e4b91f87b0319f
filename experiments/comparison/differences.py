"""The differences of contenders on the same test pairs, and the mean of two contenders' scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from kosim.encoders.errors import UndefinedMetricError
from kosim.encoders.records import DECISION_THRESHOLD
from kosim.experiments.comparison.evaluation import (
    BRIEF,
    ScoredContender,
    Scores,
    defined,
    evaluate,
    mean_of_copies,
    resampling,
)
from kosim.experiments.comparison.results import (
    COMPARED,
    MEAN,
    McNemarResults,
    MeanOfBoth,
    PairedComparison,
)
from kosim.experiments.settings import EvaluationSettings
from kosim.experiments.statistics.significance import (
    Metric,
    Pearson,
    adjust,
    difference,
    mcnemar_midp,
    pairs_needed,
    williams,
)
from kosim.experiments.study.figures import Comparison, Difference, Tested, Undefined


def difference_of(
    first: ScoredContender,
    second: ScoredContender,
    labels: Scores,
    metric_first: Metric,
    metric_second: Metric,
    settings: EvaluationSettings,
) -> Difference | Undefined:
    """Return a metric of ``first`` minus that of ``second``, paired by pair, or why it has none."""
    return defined(
        lambda: difference(
            labels,
            first.scores,
            second.scores,
            metric_first,
            metric_second,
            copies=first.copies,
            **resampling(settings),
        )
    )


def compare_two(
    first: ScoredContender,
    second: ScoredContender,
    labels: Scores,
    settings: EvaluationSettings,
) -> PairedComparison:
    """Test ``first`` minus ``second``, paired by test pair.

    Williams' test takes the scores' means over seeds, since it knows one value a pair. The
    classical tests and ``pairs_needed`` count distinct pairs.
    """
    distinct = mean_of_copies(labels, first.copies)
    of_first, of_second = first.metrics(), second.metrics()
    figures: dict[str, Tested] = {}
    for name in COMPARED:
        found = difference_of(first, second, labels, of_first[name], of_second[name], settings)
        if isinstance(found, Difference):
            needed = pairs_needed(found, len(distinct), level=settings.level)
            found = replace(found, pairs_needed=needed)
        figures[name] = found
    ours, theirs = first.of_distinct().scores, second.of_distinct().scores
    decisions = mcnemar_midp(distinct, ours, theirs)
    try:
        williams_p_value = williams(distinct, ours.mean(axis=0), theirs.mean(axis=0)).p_value
    except UndefinedMetricError:
        williams_p_value = None
    return PairedComparison(
        first=first.name,
        second=second.name,
        mcnemar=McNemarResults(
            threshold=DECISION_THRESHOLD,
            p_value=decisions.p_value,
            **{
                f"only_{first.name}_right": decisions.only_first_right,
                f"only_{second.name}_right": decisions.only_second_right,
            },
        ),
        williams_p_value=williams_p_value,
        **figures,
    )


def compare_all(
    contenders: Sequence[ScoredContender],
    labels: Scores,
    settings: EvaluationSettings,
) -> list[PairedComparison]:
    """Test every two contenders, cross minus bi where the kinds differ.

    With more than two contenders, ``p_adjusted`` is each metric's p-value adjusted for the
    number of comparisons (Holm).
    """
    ordered = sorted(contenders, key=lambda contender: contender.kind != "cross")
    found = [
        compare_two(first, second, labels, settings) for first, second in combinations(ordered, 2)
    ]
    adjust(found, COMPARED)
    return found


def mean_of_both(
    bi: ScoredContender,
    cross: ScoredContender,
    labels: Scores,
    settings: EvaluationSettings,
) -> MeanOfBoth:
    """Test the mean of two calibrated contenders' scores, seed by seed, against each of them.

    A contender that was saved says the same for every seed.
    """
    scores = (bi.scores + cross.scores) / 2
    mean = replace(bi, name=MEAN, scores=scores, swapped=None)
    pearson, gains = Pearson(), []
    for alone in (bi, cross):
        gain = difference_of(mean, alone, labels, pearson, pearson, settings)
        gains.append(Comparison(first=MEAN, second=alone.name, **{"pearson": gain}))
    figures = evaluate(mean, labels, settings, only=BRIEF)
    return MeanOfBoth(bi=bi.name, cross=cross.name, gains=gains, **figures)
