"""Warnings where the figures of an encoder mislead: it has not learnt, or its test is another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kosim.encoders.language import Line, both, listed
from kosim.encoders.training.result import TrainingResult, still_rising
from kosim.experiments.comparison.facts import Facts
from kosim.experiments.comparison.learning import (
    NEAR_TRIVIAL,
    collapsed,
    opposed,
    shows_nothing,
    stuck,
    unfinished,
    untaught,
    validation_values,
    what_it_reached,
)
from kosim.experiments.comparison.wording import capital
from kosim.experiments.study.notation import decimal, percent

MANY_FLIPS = 0.1
"""More decisions than this share that flip with the order of a pair are too many."""
FAR_ABOVE = 0.05
"""A validation Pearson this far above the test's is no accident of the pairs."""
_LEARNT_START = Line(
    ", or from one that has learnt (--cross-backbone mini-cross)",
    " 보거나, 이미 배운 인코더에서 시작해(--cross-backbone mini-cross)",
)
"""What made a cross-encoder learn from 300 pairs; a bi-encoder learns from them anyway."""
_COUNTING = Line("counting shared character bigrams", "글자 바이그램 겹침만 센 값")
_GUESSING = Line("guessing", "짐작만 한 값")


def of_training(result: TrainingResult, trivial: float | None) -> list[str]:
    """Return what the training of one encoder alone is warned of, in English.

    Args:
        result: of the training.
        trivial: the trivial predictor's Pearson on the validation pairs, None where undefined.
    """
    values = [row.pearson for row in result.history]
    reached, least = values[result.best_epoch - 1], max(trivial or 0.0, 0.0)
    said = []
    if shows_nothing(reached, least):
        guess = _COUNTING if least else _GUESSING
        said.append(
            f"The encoder may have learnt nothing: its validation Pearson {decimal(reached)} is "
            f"{_near(reached, least)} the {decimal(least)} of {guess.en}. Train it again with more "
            "--epochs, another --learning-rate or more pairs."
        )
    if result.best_epoch == len(values) and still_rising(values):
        said.append(
            "The last epoch was the best one: the encoder was still learning. Give more --epochs "
            "or a higher --learning-rate."
        )
    return said


def _near(value: float, trivial: float) -> str:
    return "below" if value < trivial - NEAR_TRIVIAL else "near"


def warnings(facts: Facts) -> list[Line]:
    """Return the warnings that come before all others, each with what to try."""
    lines = [
        both(
            "{name} gives every pair the same score, up to the rounding of float32: its training "
            "collapsed. Train it again with a lower --learning-rate.",
            "{name}: 모든 쌍에 같은 점수를 줍니다(float32 반올림 오차 이내). 학습이 무너진 "
            "것이므로 --learning-rate를 낮춰 다시 학습하십시오.",
            name=capital(facts.name(name)),
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
            "{name} may have learnt nothing: its {split} Pearson {value} is {near} the {trivial} "
            "of {guess}. Train it again with more --epochs, another --learning-rate or more "
            "pairs{start}.",
            "{name}: 거의 배우지 못했을 수 있습니다. {split} 피어슨 상관 {value}, {guess} "
            "{trivial}. --epochs나 학습 쌍을 늘리거나 --learning-rate를 바꿔{start} 다시 "
            "학습하십시오.",
            name=capital(facts.name(name)),
            split=reached.split,
            value=decimal(reached.value),
            near=_near(reached.value, reached.trivial),
            trivial=decimal(reached.trivial),
            start=_LEARNT_START if facts.kind(name) == "cross" else "",
            guess=_COUNTING if reached.trivial else _GUESSING,
        )
        for name in untaught(facts)
        if name not in {*collapsed(facts), *stuck(facts)}
        and (reached := what_it_reached(facts, name))
    ]
    return [
        *lines,
        *_opposed(facts),
        *_unfinished(facts),
        *_no_better(facts),
        *_flips(facts),
        *_far_above(facts),
    ]


def _opposed(facts: Facts) -> list[Line]:
    if not (names := opposed(facts)):
        return []
    return [
        both(
            "The higher the labels of the test pairs, the lower the scores of {names}. If a high "
            "label means that two sentences differ, turn the labels round (5 − label).",
            "{names}: 평가 쌍의 정답이 높을수록 점수가 낮습니다. 높은 정답이 두 문장이 다르다는 "
            "뜻이면 정답을 뒤집으십시오(5 − 정답).",
            names=listed(map(facts.name, names)),
        )
    ]


def _unfinished(facts: Facts) -> list[Line]:
    names = unfinished(facts)
    saved = [name for name in names if facts.is_saved(name)]
    lines = []
    if here := [name for name in names if name not in saved]:
        lines.append(
            both(
                "The last epoch was the best one of {names}: still learning, so the figures are "
                "too low. Give more --epochs or a higher --learning-rate.",
                "{names}: 마지막 에폭이 가장 좋았습니다. 아직 배우는 중이었으므로 수치가 실제보다 "
                "낮습니다. --epochs를 늘리거나 --learning-rate를 높여 보십시오.",
                names=listed(map(facts.name, here)),
            )
        )
    if saved:
        lines.append(
            both(
                "The last epoch was the best one of {names} before saving; the verdict is on what "
                "was saved, and more training (kosim train --backbone MODEL) may change it.",
                "{names}: 저장하기 전 마지막 에폭이 가장 좋았습니다. 판정은 저장된 상태에 대한 "
                "것이며, 더 학습하면(kosim train --backbone MODEL) 달라질 수 있습니다.",
                names=listed(map(facts.name, saved)),
            )
        )
    return lines


def _no_better(facts: Facts) -> list[Line]:
    """Warn of encoders that have learnt, but on the test pairs hardly more than is trivial."""
    trivial = facts.results.trivial
    if trivial is None or trivial.test is None:
        return []
    least = max(trivial.test, 0.0)
    known = {*collapsed(facts), *stuck(facts), *untaught(facts), *opposed(facts)}
    found = [
        Line.join(" ", [facts.name(name), decimal(value)])
        for name, value in facts.values.items()
        if name not in known and shows_nothing(value, least)
    ]
    if not found:
        return []
    return [
        both(
            "On the test pairs, {guess} reaches a Pearson of {trivial}, {found}: not clearly more. "
            "Train on pairs like these.",
            "평가 쌍에서 {guess}은 피어슨 상관 {trivial}이고, 이보다 뚜렷이 높지 않은 인코더가 "
            "있습니다({found}). 이와 비슷한 쌍으로 학습하십시오.",
            guess=_COUNTING if least else _GUESSING,
            trivial=decimal(least),
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
            "Decisions flip when the two sentences change places: {found}. Take the mean score of "
            "both orders (kosim score --symmetric), or train with --swap-augmentation.",
            "두 문장의 순서를 바꾸면 판정이 뒤집히는 비율: {found}. 두 순서의 평균 점수"
            "(kosim score --symmetric)를 쓰거나 --swap-augmentation으로 학습하십시오.",
            found=Line.join(", ", found),
        )
    ]


def _far_above(facts: Facts) -> list[Line]:
    found = {}
    for name, value in facts.values.items():
        values = validation_values(facts, name)
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
