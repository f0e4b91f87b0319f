"""What a run of teaching found, in plain words, Korean and English."""

from __future__ import annotations

from kosim.encoders.language import Line, both
from kosim.encoders.records import Kind
from kosim.experiments.study.figures import Difference, Estimate
from kosim.experiments.study.finding import Finding, few_seeds, told_apart
from kosim.experiments.study.notation import KIND_NAMES, count, many, p_value
from kosim.experiments.teaching.results import SilverFacts, TeachResults

_ENOUGH = 0.9
"""A point of the scale with less than this share of the pairs wanted of it is short."""


def compute_finding(results: TeachResults) -> Finding:
    """Return what the kept encoder of each kind reaches, and what each step gained."""
    chosen = Line(
        "Figures are of the validation pairs, on which the epochs were chosen; give test pairs for "
        "figures without that favour.",
        "에폭을 고른 검증 쌍에서 잰 값입니다. 평가 쌍을 주면 그런 이점이 없는 값을 얻습니다.",
    )
    own = Line(
        "The validation labels are the teachers' own: their rows there say nothing.",
        "검증 점수는 교사 모델이 매긴 것이므로, 교사의 검증 값은 의미가 없습니다.",
    )
    judged = results.validation_of == "silver" and any(s.teacher for s in results.steps.values())
    return Finding.of(
        both(
            "Taught with {pairs} silver pairs: {reached}.",
            "실버 쌍 {pairs}개로 가르친 결과: {reached}.",
            pairs=count(results.silver[-1].pairs),
            reached=Line.join(", ", [_reached(results, kind) for kind in results.kept]),
        ),
        [_gain(entry.first, entry.second, entry.difference("pearson")) for entry in results.gains],
        [
            chosen if results.test_pairs is None else None,
            own if judged else None,
            few_seeds(results.config["seeds"]),
            *notices(results),
        ],
        kept=dict(results.kept),
    )


def notices(results: TeachResults) -> list[Line]:
    """Return what a reader must know of the silver pairs."""
    facts, asked = results.silver[0], int(results.config["pairs"])
    of_file, found = results.config.get("silver") is not None, []
    if facts.left_out and of_file:
        found.append(
            both(
                "{pairs} of the file left out: gold pairs, or pairs that hold test, validation or "
                "excluded sentences, lack a sentence or a label, repeat another pair or contradict "
                "one.",
                "파일에서 {n}쌍을 뺐습니다. 골드 쌍이거나, 평가·검증·제외 문장이 들어 있거나, 문장 "
                "또는 점수가 없거나, 다른 쌍과 겹치거나 어긋나는 쌍입니다.",
                pairs=many(facts.left_out, "pair"),
                n=count(facts.left_out),
            )
        )
    elif facts.left_out:
        found.append(
            both(
                "{sentences} of the corpus kept out: test, validation or excluded sentences.",
                "말뭉치에서 평가·검증·제외 문장 {n}개를 뺐습니다.",
                sentences=many(facts.left_out, "sentence"),
                n=count(facts.left_out),
            )
        )
    if facts.disagreed:
        found.append(
            both(
                "{dropped} of the {labelled} labelled pairs dropped: the teachers are further than "
                "{most} apart on them.",
                "채점한 {labelled}쌍 가운데 교사 모델의 점수 차이가 {most}점을 넘는 {dropped}쌍을 "
                "뺐습니다.",
                dropped=count(facts.disagreed),
                labelled=count(facts.labelled),
                most=f"{results.config['max_disagreement']:g}",
            )
        )
    if of_file and asked == facts.pairs < facts.labelled:
        found.append(
            both(
                "{pairs} of the {labelled} pairs of the file are drawn; for more of them raise "
                "--pairs.",
                "파일의 {labelled}쌍 가운데 {pairs}쌍을 뽑았습니다. 더 쓰려면 --pairs를 "
                "늘리십시오.",
                pairs=count(facts.pairs),
                labelled=count(facts.labelled),
            )
        )
    remedy = Line(
        "label more (--candidates, --sentences)", "더 채점하거나(--candidates, --sentences)"
    )
    if of_file:
        remedy = Line("give more pairs", "쌍을 더 주거나")
    if facts.pairs < asked and (facts.mix is not None or not of_file):
        found.append(
            both(
                "{pairs} silver pairs instead of {asked}: the labelled pairs hold no more of the "
                "wanted mix; {remedy}, or allow another --mix.",
                "실버 쌍이 {asked}쌍이 아니라 {pairs}쌍입니다. 채점한 쌍에 원하는 비율의 쌍이 더 "
                "없으므로 {remedy} 비율(--mix)을 바꾸십시오.",
                pairs=count(facts.pairs),
                asked=count(asked),
                remedy=remedy,
            )
        )
    elif short := _short(facts, asked):
        found.append(
            both(
                "The silver pairs do not have the wanted mix: there are too few labelled ones of "
                "{points}, and others stand in for them; {remedy}, or allow another --mix.",
                "실버 쌍의 비율이 원하는 것과 다릅니다. 채점한 쌍이 모자란 점수({points})를 다른 "
                "쌍이 채웠습니다. {remedy} 비율(--mix)을 바꾸십시오.",
                points=Line.join(", ", short),
                remedy=remedy,
            )
        )
    return found


def _short(facts: SilverFacts, asked: int) -> list[str]:
    """Return the points of the scale of which clearly fewer pairs came than were asked for."""
    if facts.mix is None:
        return []
    wanted = [asked * weight / sum(facts.mix) for weight in facts.mix]
    return [
        f"{low}–{low + 1}"
        for low, (number, want) in enumerate(zip(facts.bins, wanted, strict=True))
        if number < _ENOUGH * want and want - number >= 1
    ]


def _reached(results: TeachResults, kind: Kind) -> Line:
    kept = results.kept[kind]
    step = results.steps[kept]
    figure = (step.test or step.validation).get("pearson")
    value = str(figure) if isinstance(figure, Estimate) else "–"
    which = "" if kept == kind else f" ({kept})"
    return both(
        "{kind}{which} Pearson {value}",
        "{kind}{which} 피어슨 상관 {value}",
        kind=KIND_NAMES[kind],
        which=which,
        value=value,
    )


def _gain(first: str, second: str, found: Difference | None) -> Line | None:
    if found is None:
        return None
    return both(
        "{first} over {second}, Pearson: {gain}; {tail} ({p}).",
        "‘{first}’의 피어슨 상관, ‘{second}’ 대비: {gain}. {tail}({p}).",
        first=first,
        second=second,
        gain=str(found),
        tail=told_apart(found),
        p=p_value(found.p),
    )
