"""Whether each encoder has learnt what it can, and warnings where its figures mislead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kosim.encoders.language import Line, both, listed
from kosim.experiments.comparison.facts import TINY, Facts
from kosim.experiments.comparison.results import Training
from kosim.experiments.study.notation import decimal, percent

NEAR_TRIVIAL = 0.05
"""A Pearson less than this above the trivial predictor's, or above 0, shows no learning."""
MANY_FLIPS = 0.1
"""More decisions than this share that flip with the order of a pair are too many."""
FAR_ABOVE = 0.05
"""A validation Pearson this far above the test's is no accident of the pairs."""
SMALL_GAIN = 1e-3
"""A last epoch that raised the best validation Pearson by less ends a learning that is over."""
_LEARNT_START = Line(
    ", or from one that has learnt (--cross-backbone mini-cross)",
    " 보거나, 이미 배운 인코더에서 시작해(--cross-backbone mini-cross)",
)
"""What made a cross-encoder learn from 300 pairs; a bi-encoder learns from them anyway."""
SAME_LOSS = 1e-3
"""A training loss that changes by less than this share over its epochs does not move."""


def unfinished(facts: Facts) -> list[str]:
    """Return the contenders whose best epoch was the last one in some training, by enough."""
    return [
        name
        for name, encoder in facts.encoders.items()
        if any(map(_still_rose, encoder.seeds.values()))
    ]


def _still_rose(run: Training) -> bool:
    history = sorted(run.history, key=lambda row: row["epoch"])
    if not history or run.best_epoch != history[-1]["epoch"]:
        return False
    *before, last = [row.get("pearson") for row in history]
    reached = [value for value in before if value is not None]
    # The learning rate falls to zero by the last epoch, which so is often the best by a hair.
    return last is None or not reached or not 0 < last - max(reached) < SMALL_GAIN


@dataclass(frozen=True)
class _Reached:
    """The Pearson by which a contender's learning is judged, and the trivial predictor's there."""

    value: float
    trivial: float
    split: Line


def _reached(facts: Facts, name: str) -> _Reached | None:
    """Return what a contender reached in its worst training, or None where it is not known.

    The validation pairs of a saved encoder are not known here: its value on them or on the test
    pairs, the higher one, is held against the trivial predictor's on the test pairs.
    """
    trivial, values = facts.results.trivial, _validations(facts, name)
    if trivial is None:
        return None
    value = min(values, default=None)
    least, split = trivial.validation, Line("validation", "검증")
    if len(values) > 1:
        split = Line("lowest validation", "가장 낮은 검증")
    if facts.is_saved(name):
        least, on_test = trivial.test, facts.values.get(name)
        if on_test is not None and (value is None or on_test > value):
            value, split = on_test, Line("test", "평가")
    return None if value is None else _Reached(value, max(least or 0.0, 0.0), split)


def untaught(facts: Facts) -> list[str]:
    """Return the contenders whose Pearson is near the trivial predictor's."""
    reached = {name: _reached(facts, name) for name in facts.encoders}
    return [n for n, each in reached.items() if each and each.value < each.trivial + NEAR_TRIVIAL]


def collapsed(facts: Facts) -> list[str]:
    """Return the contenders that in some training came to give every pair the same score."""
    return [
        name
        for name, encoder in facts.encoders.items()
        if any(run.constant for run in encoder.seeds.values())
    ]


def stuck(facts: Facts) -> list[str]:
    """Return the contenders whose training loss did not move in some training."""
    found = []
    for name, encoder in facts.encoders.items():
        for run in encoder.seeds.values():
            losses = [row["train_loss"] for row in run.history if row.get("train_loss") is not None]
            if len(losses) > 1 and max(losses) - min(losses) <= SAME_LOSS * max(map(abs, losses)):
                found.append(name)
                break
    return found


def not_ready(facts: Facts) -> list[str]:
    """Return the contenders for which the verdict has to wait.

    That is who has learnt nothing, and who was still learning where that could change the verdict:
    of a leader that is clearly ahead, more learning would only widen the lead.
    """
    nothing = {*collapsed(facts), *stuck(facts), *untaught(facts)}
    learning = {*unfinished(facts)}
    if _clearly_ahead(facts):
        learning -= {facts.leader}
    return [name for name in facts.encoders if name in nothing | learning]


def _clearly_ahead(facts: Facts) -> bool:
    """Say whether the leader is told from all others, by more than a tiny difference."""
    if facts.leader is None or facts.rival is None or not facts.sure:
        return False
    gap = facts.gap(facts.leader, facts.rival)
    return gap is not None and gap.value >= TINY


def warnings(facts: Facts) -> list[Line]:
    """Return the warnings that come before all others, each with what to try."""
    lines = [
        both(
            "{name} gives every pair the same score, up to the rounding of float32: its training "
            "collapsed. Train it again with a lower --learning-rate.",
            "{name}: 모든 쌍에 같은 점수를 줍니다(float32 반올림 오차 이내). 학습이 무너진 "
            "것이므로 --learning-rate를 낮춰 다시 학습하십시오.",
            name=_capital(facts.name(name)),
        )
        for name in collapsed(facts)
    ]
    lines += [
        both(
            "The training loss of {name} did not move: it learnt nothing. Try a lower or a higher "
            "--learning-rate.",
            "{name}: 학습 손실이 움직이지 않아 아무것도 배우지 못했습니다. --learning-rate를 "
            "낮추거나 높여 보십시오.",
            name=facts.name(name),
        )
        for name in stuck(facts)
    ]
    lines += [
        both(
            "{name} may have learnt nothing: its {split} Pearson {value} is near the {trivial} of "
            "{guess}. Train it again with more --epochs, another --learning-rate or more "
            "pairs{start}.",
            "{name}: 거의 배우지 못했을 수 있습니다. {split} 피어슨 상관 {value}, {guess} "
            "{trivial}. --epochs나 학습 쌍을 늘리거나 --learning-rate를 바꿔{start} 다시 "
            "학습하십시오.",
            name=_capital(facts.name(name)),
            split=reached.split,
            value=decimal(reached.value),
            trivial=decimal(reached.trivial),
            start=_LEARNT_START if facts.kind(name) == "cross" else "",
            guess=Line("counting shared character bigrams", "글자 바이그램 겹침만 센 값")
            if reached.trivial
            else Line("guessing", "짐작만 한 값"),
        )
        for name in untaught(facts)
        if name not in {*collapsed(facts), *stuck(facts)} and (reached := _reached(facts, name))
    ]
    if names := unfinished(facts):
        lines.append(
            both(
                "The last epoch was the best one of {names}: still learning, so the figures are "
                "too low. Give more --epochs or a higher --learning-rate.",
                "{names}: 마지막 에폭이 가장 좋았습니다. 아직 배우는 중이었으므로 수치가 실제보다 "
                "낮습니다. --epochs를 늘리거나 --learning-rate를 높여 보십시오.",
                names=listed(map(facts.name, names)),
            )
        )
    return [*lines, *_no_better(facts), *_flips(facts), *_far_above(facts)]


def _no_better(facts: Facts) -> list[Line]:
    """Warn of encoders that have learnt, but on the test pairs hardly more than is trivial."""
    trivial = facts.results.trivial
    if trivial is None or trivial.test is None:
        return []
    known = {*collapsed(facts), *stuck(facts), *untaught(facts)}
    found = [
        Line.join(" ", [facts.name(name), decimal(value)])
        for name, value in facts.values.items()
        if name not in known and value < trivial.test + NEAR_TRIVIAL
    ]
    if not found:
        return []
    return [
        both(
            "On the test pairs, counting shared character bigrams reaches a Pearson of {trivial}, "
            "{found}: hardly more. Train on pairs like these.",
            "평가 쌍에서 글자 바이그램 겹침만 센 값은 피어슨 상관 {trivial}이고, 이보다 별로 "
            "높지 않은 인코더가 있습니다({found}). 이와 비슷한 쌍으로 학습하십시오.",
            trivial=decimal(trivial.test),
            found=Line.join(", ", found),
        )
    ]


def _flips(facts: Facts) -> list[Line]:
    found = [
        both(
            "{share} with {name}",
            "{name} {share}",
            share=percent(each.verdict_flips),
            name=facts.name(name),
        )
        for name, encoder in facts.encoders.items()
        if (each := encoder.swap_asymmetry) is not None and each.verdict_flips > MANY_FLIPS
    ]
    if not found:
        return []
    return [
        both(
            "Decisions flip when the two sentences change places: {found}. Score both orders and "
            "take the mean (symmetric), or train with --swap-augmentation.",
            "두 문장의 순서를 바꾸면 판정이 뒤집히는 비율: {found}. 두 순서의 평균 점수"
            "(symmetric)를 쓰거나 --swap-augmentation으로 학습하십시오.",
            found=Line.join(", ", found),
        )
    ]


def _far_above(facts: Facts) -> list[Line]:
    found = {}
    for name, value in facts.values.items():
        values = _validations(facts, name)
        if values and round((reached := float(np.mean(values))) - value, 9) > FAR_ABOVE:
            fall = f"{decimal(reached)} → {decimal(value)}"
            found[name] = Line.join(" ", [facts.name(name), fall])
    if not found:
        return []
    # What a saved encoder was trained on is not known here.
    mixes = "" if any(map(facts.is_saved, found)) else _mixes(facts.results.data)
    return [
        both(
            "Pearson is far lower on the test pairs than on the validation pairs: {found}{mixes}. "
            "Rely on the test, and validate on more pairs like those you will meet.",
            "검증 쌍에서 평가 쌍으로 가면 피어슨 상관이 크게 떨어집니다: {found}{mixes}. 평가 "
            "값을 따르고, 실제로 만날 쌍과 비슷한 데이터를 늘려 검증하십시오.",
            found=Line.join(", ", list(found.values())),
            mixes=mixes,
        )
    ]


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
        " (labels below 1: {train} of the training pairs, {test} of the test pairs)",
        "(정답 1 미만: 학습 {train}, 평가 {test})",
        **shares,
    )


def _validations(facts: Facts, name: str) -> list[float]:
    """Return the validation Pearson at the epoch that was kept, of each seed that has one."""
    return [
        row["pearson"]
        for run in facts.encoders[name].seeds.values()
        for row in run.history
        if row["epoch"] == run.best_epoch and row.get("pearson") is not None
    ]


def _capital(line: Line) -> Line:
    return Line(line.en[0].upper() + line.en[1:], line.ko)
