"""Whether each encoder has learnt what it can, and warnings where its figures mislead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kosim.experiments.comparison.facts import Facts
from kosim.experiments.study.language import Line, both
from kosim.experiments.study.notation import decimal, percent

NEAR_TRIVIAL = 0.05
"""A validation value less than this above the trivial predictor's shows no learning."""
MANY_FLIPS = 0.1
"""More decisions than this share that flip with the order of a pair are too many."""
FAR_ABOVE = 0.05
"""A validation Pearson this far above the test's is no accident of the pairs."""


def unfinished(facts: Facts) -> list[str]:
    """Return the contenders whose best epoch was the last one in some training."""
    return [
        name
        for name, encoder in facts.encoders.items()
        if any(
            run.history and run.best_epoch == max(row["epoch"] for row in run.history)
            for run in encoder.seeds.values()
        )
    ]


def untaught(facts: Facts) -> list[str]:
    """Return the trained contenders whose validation value is near the trivial predictor's."""
    trivial = facts.results.trivial
    if trivial is None or trivial.validation is None:
        return []
    limit = trivial.validation + NEAR_TRIVIAL
    reached = {name: _validation(facts, name) for name in facts.encoders}
    return [name for name, value in reached.items() if value is not None and value < limit]


def behind_but_learning(facts: Facts) -> list[str]:
    """Return the contenders behind the leader that have not learnt what they can.

    Of the leader it does not matter: more learning would only widen its lead.
    """
    doubtful = {*unfinished(facts), *untaught(facts)}
    return [name for name in facts.ranking[1:] if name in doubtful]


def warnings(facts: Facts) -> list[Line]:
    """Return the warnings that come before all others, each with what to try."""
    lines = [
        both(
            "{name} may have learnt nothing: its validation Pearson {value} is near the {trivial} "
            "of counting shared character bigrams. Give it more epochs, another learning rate or "
            "more pairs.",
            "{name}: 거의 배우지 못했을 수 있습니다. 검증 피어슨 상관 {value}, 글자 바이그램 "
            "겹침만 센 값 {trivial}. 에폭이나 학습 쌍을 늘리거나 학습률을 바꿔 보십시오.",
            name=_capital(facts.name(name)),
            value=decimal(_validation(facts, name)),
            trivial=decimal(facts.results.trivial.validation if facts.results.trivial else None),
        )
        for name in untaught(facts)
    ]
    if names := unfinished(facts):
        lines.append(
            both(
                "The last epoch of {names} was the best one: it was still learning, so its figures "
                "are too low. Give it more epochs or a higher learning rate.",
                "{names}: 마지막 에폭이 가장 좋았습니다. 아직 배우는 중이었으므로 수치가 실제보다 "
                "낮습니다. 에폭을 늘리거나 학습률을 높여 보십시오.",
                names=Line.join(", ", map(facts.name, names)),
            )
        )
    return [*lines, *_flips(facts), *_far_above(facts)]


def _flips(facts: Facts) -> list[Line]:
    found = {name: encoder.swap_asymmetry for name, encoder in facts.encoders.items()}
    return [
        both(
            "{share} of the decisions of {name} flip when the two sentences change places. Score "
            "both orders and take the mean (symmetric), or train with --swap-augmentation.",
            "두 문장의 순서를 바꾸면 {name}의 판정 {share}가 뒤집힙니다. 두 순서의 평균 점수"
            "(symmetric)를 쓰거나 --swap-augmentation으로 학습하십시오.",
            share=percent(each.verdict_flips),
            name=facts.name(name),
        )
        for name, each in found.items()
        if each is not None and each.verdict_flips > MANY_FLIPS
    ]


def _far_above(facts: Facts) -> list[Line]:
    lines = []
    for name, value in facts.values.items():
        reached = _validation(facts, name)
        if reached is None or reached - value <= FAR_ABOVE:
            continue
        lines.append(
            both(
                "{name} reaches Pearson {reached} on the validation pairs and {value} on the "
                "test's, which are others{mixes}.",
                "{name}의 피어슨 상관은 검증 {reached}, 테스트 {value}로, 두 데이터의 성격이 "
                "다릅니다{mixes}.",
                name=_capital(facts.name(name)),
                reached=decimal(reached),
                value=decimal(value),
                mixes=_mixes(facts.results.data),
            )
        )
    return lines


def _mixes(data: Mapping[str, Any]) -> Line:
    """Return the label mixes of training and test pairs, where the data report has both."""
    shares = {}
    for split in ("train", "test"):
        histogram = data.get(split, {}).get("labels", {}).get("histogram")
        if histogram is None:
            return Line("", "")
        counts, edges = np.array(histogram["counts"]), np.array(histogram["edges"])
        shares[split] = percent(float(counts[edges[:-1] < 1].sum() / max(counts.sum(), 1)))
    return both(
        " (labels below 1: {train} of the training pairs, {test} of the test's)",
        "(정답 1 미만: 학습 {train}, 테스트 {test})",
        **shares,
    )


def _validation(facts: Facts, name: str) -> float | None:
    """Return the mean over seeds of the validation Pearson at the epoch that was kept."""
    kept = [
        row["pearson"]
        for run in facts.encoders[name].seeds.values()
        for row in run.history
        if row["epoch"] == run.best_epoch and row.get("pearson") is not None
    ]
    return float(np.mean(kept)) if kept else None


def _capital(line: Line) -> Line:
    return Line(line.en[0].upper() + line.en[1:], line.ko)
