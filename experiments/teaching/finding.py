"""What a run of teaching found, in plain words, Korean and English."""

from __future__ import annotations

from kosim.experiments.study.figures import Difference, Estimate
from kosim.experiments.study.finding import Finding
from kosim.experiments.study.language import Line, both
from kosim.experiments.study.notation import count, p_value
from kosim.experiments.teaching.results import TeachResults

KINDS = {
    "bi": Line("bi-encoder", "바이인코더"),
    "cross": Line("cross-encoder", "크로스인코더"),
}
_FEW_SEEDS = 3


def compute_finding(results: TeachResults) -> Finding:
    """Return what the kept encoder of each kind reaches, and what each step gained."""
    few = Line(
        "Fewer than 3 seeds: differences between single runs may be luck.",
        "시드가 3개보다 적어, 차이가 우연일 수 있습니다.",
    )
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
            few if len(results.config["seeds"]) < _FEW_SEEDS else None,
            *(Line(notice, notice) for notice in results.notices),
        ],
        kept=dict(results.kept),
    )


def _reached(results: TeachResults, kind: str) -> Line:
    step = results.steps[results.kept[kind]]  # type: ignore[index]
    figure = (step.test or step.validation).get("pearson")
    value = str(figure) if isinstance(figure, Estimate) else "–"
    return both(
        "{kind} Pearson {value}", "{kind} 피어슨 상관 {value}", kind=KINDS[kind], value=value
    )


def _gain(first: str, second: str, found: Difference | None) -> Line | None:
    if found is None:
        return None
    tail = Line("the data cannot tell them apart", "데이터로는 우열을 가릴 수 없습니다")
    if found.significant:
        tail = Line("the difference is real", "차이가 유의합니다")
    return both(
        "{first} over {second}, Pearson: {gain}; {tail} ({p}).",
        "{first}, {second} 대비 피어슨 상관: {gain}. {tail}({p}).",
        first=first,
        second=second,
        gain=str(found),
        tail=tail,
        p=p_value(found.p),
    )
