"""What a run of teaching found, in plain words, Korean and English."""

from __future__ import annotations

from kosim.encoders.language import Line, both
from kosim.encoders.records import Kind
from kosim.experiments.study.figures import Difference, Estimate
from kosim.experiments.study.finding import Finding, few_seeds, told_apart
from kosim.experiments.study.notation import KIND_NAMES, count, many, p_value
from kosim.experiments.teaching.results import TeachResults


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
                "excluded sentences, or lack a sentence or a label.",
                "파일에서 {n}쌍을 뺐습니다. 골드 쌍이거나, 평가·검증·제외 문장이 들어 있거나, 문장 "
                "또는 점수가 없는 쌍입니다.",
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
    if of_file and facts.pairs < facts.labelled:
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
    if not of_file and facts.pairs < asked:
        found.append(
            both(
                "{pairs} silver pairs instead of {asked}: the labelled pairs hold no more of the "
                "wanted mix; label more, or allow another mix.",
                "실버 쌍이 {asked}쌍이 아니라 {pairs}쌍입니다. 채점한 쌍에 원하는 비율의 쌍이 더 "
                "없으므로 더 채점하거나 비율을 바꾸십시오.",
                pairs=count(facts.pairs),
                asked=count(asked),
            )
        )
    return found


def _reached(results: TeachResults, kind: Kind) -> Line:
    step = results.steps[results.kept[kind]]
    figure = (step.test or step.validation).get("pearson")
    value = str(figure) if isinstance(figure, Estimate) else "–"
    return both(
        "{kind} Pearson {value}", "{kind} 피어슨 상관 {value}", kind=KIND_NAMES[kind], value=value
    )


def _gain(first: str, second: str, found: Difference | None) -> Line | None:
    if found is None:
        return None
    return both(
        "{first} over {second}, Pearson: {gain}; {tail} ({p}).",
        "{first}, {second} 대비 피어슨 상관: {gain}. {tail}({p}).",
        first=first,
        second=second,
        gain=str(found),
        tail=told_apart(found),
        p=p_value(found.p),
    )
