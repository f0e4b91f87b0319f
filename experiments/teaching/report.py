"""The report of a run of teaching: what each step gained, the silver pairs, and the cost."""

from __future__ import annotations

from kosim.encoders.language import Line, Text, both
from kosim.experiments.comparison.tables import differences
from kosim.experiments.study.experiment import Experiment
from kosim.experiments.study.figures import written
from kosim.experiments.study.notation import (
    KIND_NAMES,
    METRIC_NAMES,
    amount,
    confidence,
    count,
    duration,
    many,
    percent,
)
from kosim.experiments.study.report import records
from kosim.experiments.study.report.document import Section, Table
from kosim.experiments.teaching.finding import compute_finding
from kosim.experiments.teaching.results import SilverFacts, TeachResults

_STEP = Line("Step", "단계")
_GIVEN = Line("Labelled pairs of the given file.", "주어진 파일의, 점수가 있는 쌍입니다.")
_MINED = Line(
    "Pairs of corpus sentences that the teachers labelled, drawn to cover the scale.",
    "교사 모델이 점수를 매긴 말뭉치 문장 쌍이며, 점수 범위 전체가 담기도록 뽑았습니다.",
)


def build_sections(results: TeachResults) -> list[Section]:
    """Return the sections of the report."""
    return [
        Section(
            "steps",
            Line("What each step gained", "단계별 향상"),
            _note(results),
            [*_steps(results), *_gains(results)],
        ),
        Section(
            "silver",
            Line("Silver pairs", "실버 쌍"),
            _GIVEN if results.config.get("silver") else _MINED,
            [*_bins(results), *_sources(results)],
        ),
        Section(
            "cost",
            Line("Cost", "비용"),
            Line(
                "Of all calls together, without what a killed one had begun: a block of labels, "
                "an epoch, or the search for pairs.",
                "모든 실행을 합한 비용입니다. 중단된 실행이 끝내지 못한 것(채점 묶음, 에폭, 쌍 "
                "찾기)은 세지 않았습니다.",
            ),
            _labelling(results),
        ),
        records.origin(
            results,
            Line("Settings and machine", "설정과 환경"),
            {Line("Settings", "설정"): results.config},
        ),
    ]


def _note(results: TeachResults) -> Line:
    of = Line("test", "평가") if results.test_pairs else Line("validation", "검증")
    return both(
        "Means over {over} with {level} intervals. Each step is tested against the one "
        "before of its kind, a first one against teachers of its kind, and all against the "
        "baseline where there is one, on the same {n} {of} pairs, p-values adjusted for their "
        "number (Holm). Without gold and test pairs, none is tested against teachers.",
        "시드 {seeds}개의 평균과 {level} 신뢰 구간입니다. 각 단계를 같은 종류의 이전 단계와, 첫 "
        "단계는 같은 종류의 교사 모델과, 기준 모델이 있으면 그것과도 같은 {of} 쌍 {n}개에서 "
        "검정했고, p값은 검정 횟수로 보정했습니다(Holm). 골드 쌍도 평가 쌍도 없으면 교사 모델과는 "
        "검정하지 않습니다.",
        over=many(len(results.config["seeds"]), "seed"),
        seeds=len(results.config["seeds"]),
        level=confidence(results.config),
        n=count(results.test_pairs or results.validation_pairs),
        of=of,
    )


def _steps(results: TeachResults) -> list[Table]:
    rows: list[list[Text]] = []
    shown = [("validation", "pearson"), ("test", "pearson"), ("test", "f1")]
    if not results.test_pairs:
        shown = [("validation", "pearson"), ("validation", "f1")]
    for name, step in results.steps.items():
        figures = [written(getattr(step, part).get(metric)) for part, metric in shown]
        kind = KIND_NAMES[step.kind]
        role = Line(f"teacher, {kind.en}", f"교사, {kind.ko}") if step.teacher else kind
        trained = ["", ""] if step.teacher else [count(step.train_pairs), duration(step.seconds)]
        rows.append([name, role, *figures, *trained])
    parts = {"validation": Line("Validation", "검증"), "test": Line("Test", "평가")}
    columns: list[Text] = [
        _STEP,
        Line("Kind", "종류"),
        *(Line.join(", ", [parts[part], METRIC_NAMES[metric]]) for part, metric in shown),
        Line("Pairs learnt", "학습 쌍"),
        Line("Training, all seeds", "학습 시간 합계"),
    ]
    return Table.of(Line("Steps", "단계"), columns, rows, [1])


def _gains(results: TeachResults) -> list[Table]:
    names = [f"{entry.first} − {entry.second}" for entry in results.gains]
    return differences(Line("Gains", "향상"), names, results.gains)


def _named(results: TeachResults) -> list[tuple[Text, SilverFacts]]:
    if len(results.silver) == 1:
        return [("", results.silver[0])]
    return [
        (f"{facts.name}:" if facts.name else both("Labelling {n}", "채점 {n}", n=number), facts)
        for number, facts in enumerate(results.silver, 1)
    ]


def _bins(results: TeachResults) -> list[Table]:
    rows: list[list[Text]] = []
    for name, facts in _named(results):
        for low, number in enumerate(facts.bins):
            share = percent(number / facts.pairs) if facts.pairs else ""
            rows.append([Line.join(" ", [name, f"{low}–{low + 1}"]), count(number), share])
    columns: list[Text] = [Line("Label", "점수"), Line("Pairs", "쌍"), Line("Share", "비율")]
    return Table.of(Line("By label", "점수별"), columns, rows)


def _sources(results: TeachResults) -> list[Table]:
    rows: list[list[Text]] = [
        [Line.join(" ", [name, source]), count(number)]
        for name, facts in _named(results)
        for source, number in facts.sources.items()
    ]
    return Table.of(
        Line("By source", "출처별"), [Line("Found by", "찾은 방법"), Line("Pairs", "쌍")], rows
    )


def _labelling(results: TeachResults) -> list[Table]:
    rows: list[list[Text]] = []
    for name, facts in _named(results):
        if facts.mining_seconds is not None:
            mining = Line.join(" ", [name, Line("mining", "쌍 찾기")])
            rows.append([mining, count(facts.labelled), duration(facts.mining_seconds), ""])
        for teacher, cost in facts.labelling.items():
            speed = amount(cost["pairs"] / cost["seconds"]) if cost["seconds"] else ""
            rows.append(
                [
                    Line.join(" ", [name, teacher]),
                    count(cost["pairs"]),
                    duration(cost["seconds"]),
                    speed,
                ]
            )
    columns: list[Text] = [
        Line("Work", "작업"),
        Line("Pairs", "쌍"),
        Line("Time", "시간"),
        Line("Pairs per second", "초당 쌍"),
    ]
    return Table.of(Line("Mining and labelling", "쌍 찾기와 채점"), columns, rows)


TEACHING = Experiment(TeachResults, compute_finding, build_sections)
"""Teaching as an experiment."""
