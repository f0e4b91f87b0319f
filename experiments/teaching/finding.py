"""What a run of teaching found, in plain words, Korean and English."""

from __future__ import annotations

from kosim.encoders.records import Kind
from kosim.experiments.study.figures import Difference, Estimate
from kosim.experiments.study.finding import Finding, few_seeds, told_apart
from kosim.experiments.study.language import Line, both
from kosim.experiments.study.notation import KIND_NAMES, count, p_value
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
            *(Line(notice, notice) for notice in results.notices),
        ],
        kept=dict(results.kept),
    )


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
