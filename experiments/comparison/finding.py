"""The verdict: which encoder is better, by how much, how sure, at what cost, and what to do.

The winner is decided by Pearson: the encoder with the highest one wins when the paired test tells
it from every other encoder at 5% (Holm-adjusted where there are more than two).
"""

from __future__ import annotations

from kosim.encoders.language import Line
from kosim.experiments.comparison import (
    advice,
    headline,
    learning,
    learning_warnings,
    slice_report,
    wording,
)
from kosim.experiments.comparison.care import equal_care, unequal_care
from kosim.experiments.comparison.facts import METRIC, Facts
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.study.figures import Difference
from kosim.experiments.study.finding import Finding


def compute_finding(results: ComparisonResults) -> Finding:
    """Return the verdict on a comparison.

    Where anything has to be warned of, it comes first and headline and advice are provisional.

    Its figures are ``winner``: a contender's name, or None where the data cannot tell or contenders
    have not learnt; ``sure``: whether there is one; ``provisional``; ``metric``; and of the
    decisive comparison, that of the best contender with the next one or, where it is told from
    that one alone, with the first from which it is not: ``first``, ``second``, ``difference``
    (first minus second, as recorded in the results), ``p_value``, and ``pairs_needed`` (None where
    a winner is sure or no practical number of pairs would do).
    """
    facts = Facts(results)
    gap = facts.decisive
    warnings = [
        *learning_warnings.warnings(facts),
        *advice.stand_ins(facts),
        *filter(
            None,
            [
                unequal_care(facts),
                advice.different_backbones(facts),
                advice.few_pairs(facts),
                advice.seed_luck(facts),
            ],
        ),
        *advice.compared_within_processes(facts),
        *advice.not_calibrated(facts),
        *advice.undefined_metrics(facts),
    ]
    provisional = bool(warnings)
    waits = bool(learning.not_ready(facts) or learning.opposed(facts))
    sure = facts.sure and not waits
    return Finding.of(
        _headline(facts, gap, provisional=provisional),
        [
            *(wording.lead(facts, other) for other in facts.ranking[1:]),
            wording.more_pairs(facts, gap) if gap and not gap.significant else None,
            None if waits else slice_report.concentrated(facts),
            None if waits else wording.f1_agreement(facts),
            None if waits else wording.mean_of_both(facts),
            equal_care(facts),
            wording.pair_cost(facts),
            wording.vectors(facts),
            wording.out_of_reach(facts),
        ],
        warnings,
        title=headline.title(facts),
        question=headline.question(facts),
        advice=advice.advice(facts, provisional=provisional),
        winner=facts.leader if sure else None,
        sure=sure,
        provisional=provisional,
        metric=METRIC,
        **_decisive(facts, gap),
    )


def _headline(facts: Facts, gap: Difference | None, *, provisional: bool) -> Line:
    if same := learning.collapsed(facts):
        return headline.same_score(facts, same)
    if facts.leader is None:
        return headline.nothing_measured(facts)
    if len(facts.encoders) == 1:
        return headline.one_encoder(facts)
    if gap is None:
        return headline.not_compared()
    if learning.opposed(facts):
        return headline.opposed(facts)
    if doubtful := learning.not_ready(facts):
        return headline.ahead_so_far(facts, gap, doubtful)
    if facts.sure:
        return headline.winner(facts, gap, provisional=provisional)
    return headline.undecided(facts, gap)


def _decisive(facts: Facts, gap: Difference | None) -> dict[str, object]:
    """Return the figures of the decisive comparison, as it was recorded."""
    if gap is not None:
        recorded = [facts.results.difference, *facts.results.pairwise]
        named = {gap.first, gap.second}
        entry = next(e for e in recorded if e and {e.first, e.second} == named)
        gap = gap if entry.first == gap.first else gap.turned()
    return {
        "first": gap.first if gap else None,
        "second": gap.second if gap else None,
        "difference": gap.value if gap else None,
        "p_value": gap.p if gap else None,
        "pairs_needed": gap.pairs_needed if gap and not facts.sure else None,
    }
