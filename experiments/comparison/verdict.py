"""The verdict: which encoder is better, by how much, how sure, at what cost, and what to do.

Everything is read from the figures of ``results.json``. The winner is decided by Pearson: the
encoder with the highest one wins when the paired test tells it from every other encoder at 5%
(Holm-adjusted where there are more than two).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kosim.experiments.comparison import advice as advice
from kosim.experiments.comparison import wording as wording
from kosim.experiments.comparison.facts import METRIC, Facts, Gap
from kosim.experiments.comparison.wording import Line
from kosim.experiments.study.notation import is_defined


def compute_verdict(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the verdict on the content of ``results.json``, in English and Korean.

    Returns:
        ``winner``: a contender's name, or None where the data cannot tell; ``sure``: whether
        there is one; ``metric``. Of the decisive comparison, the two best contenders': ``first``,
        ``second``, ``difference`` (first minus second, as recorded in the results), ``p_value``,
        and ``pairs_needed`` (None where a winner is sure or no practical number of pairs would
        do). Under ``en`` and ``ko``: ``headline``, ``sentences`` and ``warnings``.
    """
    facts = Facts(results)
    comparison, gap = None, None
    if facts.leader is not None and facts.rival is not None:
        comparison = facts.comparison(facts.leader, facts.rival)
        gap = facts.gap(facts.leader, facts.rival)
    figure = comparison.get(METRIC) if comparison else None
    verdict: dict[str, Any] = {
        "winner": facts.leader if facts.sure else None,
        "sure": facts.sure,
        "metric": METRIC,
        "first": comparison["first"] if comparison else None,
        "second": comparison["second"] if comparison else None,
        "difference": figure["value"] if is_defined(figure) else None,
        "p_value": gap.p_value if gap else None,
        "pairs_needed": gap.pairs_needed if gap and not facts.sure else None,
    }
    headline, sentences, warnings = _headline(facts, gap), _sentences(facts, gap), _warnings(facts)
    for position, language in enumerate(Line._fields):
        verdict[language] = {
            "headline": headline[position],
            "sentences": [line[position] for line in sentences],
            "warnings": [line[position] for line in warnings],
        }
    return verdict


def _headline(facts: Facts, gap: Gap | None) -> Line:
    if facts.leader is None:
        return wording.nothing_measured(facts)
    if len(facts.encoders) == 1:
        return wording.one_encoder(facts)
    if gap is None:
        return wording.not_compared()
    return wording.winner(facts, gap) if facts.sure else wording.undecided(facts, gap)


def _sentences(facts: Facts, gap: Gap | None) -> list[Line]:
    lines = [wording.lead(facts, other) for other in facts.others]
    if gap is not None and not gap.significant and gap.power_known:
        lines.append(wording.more_pairs(facts, gap))
    lines += [
        wording.f1_agreement(facts),
        wording.pair_cost(facts),
        wording.vectors(facts),
        wording.out_of_reach(facts),
        advice.advice(facts),
    ]
    return [line for line in lines if line is not None]


def _warnings(facts: Facts) -> list[Line]:
    lines = [
        *advice.stand_ins(facts),
        advice.different_backbones(facts),
        advice.few_pairs(facts),
        advice.seed_luck(facts),
        *advice.compared_within_processes(facts),
        *advice.undefined_metrics(facts),
    ]
    return [line for line in lines if line is not None]
