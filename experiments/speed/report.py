"""The report of a speed benchmark: its finding, tables and plot."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from kosim.encoders.language import Line, Text, both
from kosim.experiments.speed.results import TASKS, SpeedResults, SpeedRow, Task
from kosim.experiments.study.experiment import Experiment
from kosim.experiments.study.finding import Finding
from kosim.experiments.study.notation import (
    DASH,
    amount,
    count,
    decimal,
    duration,
    milliseconds,
    percent,
)
from kosim.experiments.study.report import records
from kosim.experiments.study.report.canvas import Plot, colour, say
from kosim.experiments.study.report.document import Columns, Section, Table, tabulate

_FEW_ROUNDS = 3

_UNITS: dict[Task, Line] = {
    "encode": Line("sentences", "문장"),
    "score": Line("pairs", "쌍"),
    "search": Line("queries", "질의"),
    "rerank": Line("queries", "질의"),
}
_AGREEMENT: dict[Task, Line] = {
    "encode": Line("mean cosine", "평균 코사인"),
    "score": Line("Pearson", "피어슨 상관"),
    "search": Line("shared top 10", "상위 10개 일치"),
    "rerank": Line("shared top 10", "상위 10개 일치"),
}


def compute_finding(results: SpeedResults) -> Finding:
    """Return what is fastest, and the speed of every row."""
    reference, *others = results.settings["choices"]
    headline = both("The speed of {one}", "{one}의 속도", one=reference)
    best = max(results.rows, key=lambda row: row.times_faster)
    if others:
        task = TASKS[best.task]
        headline = both(
            "{best} is up to {times} times as fast as {one} on this machine ({task})",
            "{best}: 이 컴퓨터에서 {one}의 최대 {times}배 속도({task})",
            best=best.choice,
            times=f"{best.times_faster:.2f}",
            one=reference,
            task=Line(task.en.lower(), task.ko),
        )
    few = Line(
        "Measured in fewer than 3 rounds; times can be off.",
        "3번 미만으로 측정해 오차가 클 수 있습니다.",
    )
    return Finding.of(
        headline,
        map(_sentence, results.groups),
        [few if results.settings["rounds"] < _FEW_ROUNDS else None],
    )


def _sentence(group: Sequence[SpeedRow]) -> Line:
    speeds = ", ".join(f"{row.choice} {amount(row.items_per_second)}" for row in group)
    return both(
        "{title}: {speeds} {unit} a second.",
        "{title}, 초당 처리한 {unit}: {speeds}.",
        title=group[0].title,
        speeds=speeds,
        unit=_UNITS[group[0].task],
    )


def build_sections(results: SpeedResults) -> list[Section]:
    """Return the sections of the report."""
    return [
        Section(
            "speed",
            Line("Speed and what it costs", "속도와 그 대가"),
            Line(
                "Each row is measured in processes of its own, the rows taking turns. Times "
                "faster is the median over the rounds of the first row's time by this row's. "
                "Agreement is with the first row: the mean cosine of vectors, the correlation of "
                "raw scores, or the share of its top 10 that is found. A cold start ends with the "
                "first answer and includes importing the libraries. Refined is what encodes "
                "queries, and scores the candidates around the last hit again, in full precision.",
                "행마다 따로 띄운 프로세스에서 번갈아 측정했습니다. 배속은 첫 행의 시간을 이 행의 "
                "시간으로 나눈 값의 중앙값입니다. 일치도는 첫 행과 비교한 벡터의 평균 코사인, "
                "점수의 상관, 또는 상위 10개의 일치 비율입니다. 콜드 스타트는 라이브러리를 불러와 "
                "첫 답을 낼 때까지입니다. refined는 질의를 전체 정밀도로 인코딩하고, 마지막 결과 "
                "근처의 후보를 전체 정밀도로 다시 채점합니다.",
            ),
            [table for group in results.groups for table in _table(group)],
            [_plot(results)],
        ),
        Section(
            "roofline",
            Line("Beside the peak of the machine", "이론 한계 대비"),
            Line(
                "Operations of the transformer's matrix products, padding not counted, a second; "
                "the peak is the best square product that was measured with the same threads.",
                "패딩을 뺀 트랜스포머 행렬곱의 초당 연산이며, 한계는 같은 스레드로 측정한 가장 "
                "빠른 정사각 행렬곱입니다.",
            ),
            _roofline(results),
        ),
        records.origin(
            results,
            Line("Data and machine", "데이터와 환경"),
            {
                Line("Corpus", "말뭉치"): results.corpus,
                Line("Settings", "설정"): results.settings,
            },
        ),
    ]


def _table(group: Sequence[SpeedRow]) -> list[Table]:
    task = group[0].task
    unit = _UNITS[task]
    columns: Columns[SpeedRow] = {
        "": lambda row: row.choice,
        Line(f"{unit.en}/s", f"초당 {unit.ko}"): lambda row: amount(row.items_per_second),
        Line("times faster", "배속"): lambda row: f"{row.times_faster:.2f}",
        Line("one, median", "하나, 중앙값"): lambda row: milliseconds(row.latency_ms.p50),
        Line("one, p95", "하나, 95백분위"): lambda row: milliseconds(row.latency_ms.p95),
        Line("cold start", "콜드 스타트"): lambda row: duration(row.cold_start_seconds),
        Line("peak memory", "최대 메모리"): lambda row: f"{count(row.peak_memory_mib)} MiB",
        _AGREEMENT[task]: lambda row: decimal(row.agreement, 4),
    }
    caption = both(
        "{title} ({items} {unit})",
        "{title}({unit} {items})",
        title=group[0].title,
        items=count(group[0].items),
        unit=unit,
    )
    return tabulate(caption, group, columns)


def _roofline(results: SpeedResults) -> list[Table]:
    rows: list[list[Text]] = [
        [row.title, row.choice, amount(row.gflops), percent(row.peak_share)]
        for row in results.rows
        if row.gflops is not None
    ]
    product = Line("matrix product", "행렬곱")
    rows += [[product, name, amount(peak), DASH] for name, peak in results.peak_gflops.items()]
    columns: list[Text] = ["", "", "GFLOP/s", Line("of the peak", "한계 대비")]
    return Table.of("GFLOP/s", columns, rows, [1])


def _plot(results: SpeedResults) -> Plot:
    """Draw how many times faster than the first choice each row is."""
    groups = results.groups
    choices = list(dict.fromkeys(row.choice for row in results.rows))

    def paint(axes: Axes) -> None:
        thick = 0.8 / len(choices)
        for position, group in enumerate(groups):
            for row in group:
                number = choices.index(row.choice)
                axes.barh(
                    position + (number - (len(choices) - 1) / 2) * thick,
                    row.times_faster,
                    height=0.9 * thick,
                    color=colour(number),
                )
        axes.axvline(1.0, color=colour(0), linewidth=0.8)
        axes.set_yticks(range(len(groups)), [say(group[0].title) for group in groups])
        axes.invert_yaxis()
        label = both("times as fast as {one}", "{one} 대비 배속", one=choices[0])
        axes.set_xlabel(say(label))
        handles = [Patch(color=colour(number)) for number in range(len(choices))]
        # Of the figure: beside long names the axes are too narrow for it.
        axes.figure.legend(handles, choices, loc="outside upper left", ncols=2)

    found = [
        both(
            "{title} by {choice} {times} times",
            "{title}, {choice}: {times}배",
            title=row.title,
            choice=row.choice,
            times=f"{row.times_faster:.2f}",
        )
        for row in results.rows
    ]
    height = 1.0 + 0.25 * len(groups) * len(choices)
    title = Line("Times faster", "배속")
    return Plot("speed", title, Line.join("; ", found), paint, height=height)


SPEED = Experiment(SpeedResults, compute_finding, build_sections)
"""The speed benchmark as an experiment."""
