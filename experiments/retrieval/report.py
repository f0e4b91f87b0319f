"""The report of a retrieval evaluation: its tables and the plot of quality against time."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from kosim.encoders.language import Line, Text, both
from kosim.experiments.retrieval.finding import compute_finding
from kosim.experiments.retrieval.results import RetrievalResults, WayResults
from kosim.experiments.study.experiment import Experiment
from kosim.experiments.study.figures import tested, written
from kosim.experiments.study.notation import count, decimal, milliseconds
from kosim.experiments.study.report import records
from kosim.experiments.study.report.canvas import MUTED, Plot, colour, say
from kosim.experiments.study.report.document import Section, Table

NAMES = {
    "ndcg@10": "nDCG@10",
    "mrr@10": "MRR@10",
    "recall@1": "recall@1",
    "recall@10": "recall@10",
    "recall@100": "recall@100",
}
_NARROW = 20
"""Times less than this factor apart leave room for marks between the powers of ten."""
_SHORT: dict[str, Text] = {
    "lexical": "BM25",
    "hybrid": Line("hybrid", "혼합"),
    "dense": Line("bi", "바이"),
}


def build_sections(results: RetrievalResults) -> list[Section]:
    """Return the sections of the report."""
    return [
        Section(
            "results",
            Line("What each way finds", "방법별 결과"),
            _note(results),
            _quality(results),
            [_quality_against_latency(results)],
        ),
        Section(
            "differences",
            Line("Differences", "차이의 유의성"),
            both(
                "The primary metric is {metric}. Each p-value is adjusted for the number of pairs "
                "by Holm's method, metric by metric; both rows of a pair are compared on the same "
                "resampled groups.",
                "주 지표는 {metric}입니다. p값은 지표마다 비교 횟수로 보정했고(Holm), 두 방법은 "
                "같은 재표집 그룹에서 비교했습니다.",
                metric=NAMES[results.primary],
            ),
            _differences(results),
        ),
        records.origin(
            results,
            Line("Data, encoders and machine", "데이터, 인코더, 환경"),
            {
                Line("Queries and corpus", "질의와 말뭉치"): dict(results.task),
                Line("Index", "색인"): results.index,
                Line("Encoders", "인코더"): results.encoders,
                Line("Settings", "설정"): results.settings,
            },
        ),
    ]


def _note(results: RetrievalResults) -> Line:
    return both(
        "Means over {queries} queries, a query's own sentence left out of its hits; 95% intervals "
        "resample the {groups} groups, the queries of a group together. Behind the reranked hits "
        "the bi-encoder's order goes on. Times are of {timed} of these queries, asked one at a "
        "time. The last row is what a perfect order would have: with several relevant sentences a "
        "query, recall at a small rank cannot be 1.",
        "질의 {queries}개의 평균이며 질의 자신은 결과에서 뺐습니다. 95% 신뢰 구간은 그룹 {groups}"
        "개를 통째로 재표집합니다. 재순위화한 결과 뒤에는 바이인코더의 순서가 이어집니다. 시간은 "
        "질의 {timed}개를 하나씩 재었습니다. 마지막 행은 완벽한 순서의 값입니다. 질의마다 정답이 "
        "여럿이면 recall@1처럼 앞의 몇 개만 보는 재현율은 1이 될 수 없습니다.",
        queries=count(results.task.queries),
        groups=count(results.task.groups),
        timed=count(results.rows[0].latency_ms.queries),
    )


def _quality(results: RetrievalResults) -> list[Table]:
    rows: list[list[Text]] = [
        [
            way.name,
            *(written(way.metrics.get(metric)) for metric in NAMES),
            milliseconds(way.latency_ms.p50),
            milliseconds(way.latency_ms.p95),
            count(way.cross_encoder_calls),
        ]
        for way in results.rows
    ]
    best = [decimal(results.best_possible.get(metric)) for metric in NAMES]
    rows.append([Line("perfect order", "완벽한 순서"), *best, "", "", ""])
    columns: list[Text] = [
        "",
        *NAMES.values(),
        Line("A query, median", "질의 하나, 중앙값"),
        Line("p95", "95백분위"),
        Line("Cross-encoder calls", "크로스인코더 호출"),
    ]
    caption = Line("Quality, with 95% intervals, and time", "품질(95% 신뢰 구간)과 시간")
    return Table.of(caption, columns, rows)


def _differences(results: RetrievalResults) -> list[Table]:
    names = {key: way.name for key, way in results.ways.items()}
    tables = []
    columns: list[Text] = ["", Line("Difference", "차이"), Line("p, adjusted", "보정한 p")]
    for metric, label in NAMES.items():
        rows: list[list[Text]] = []
        for entry in results.comparisons:
            pair = Line.join(" − ", [names[entry.first], names[entry.second]])
            rows.append([pair, *tested(entry.metrics.get(metric))])
        caption = Line(f"{label} (primary)", f"{label}(주 지표)")
        tables += Table.of(caption if metric == results.primary else label, columns, rows)
    return tables


def _quality_against_latency(results: RetrievalResults) -> Plot:
    """Draw nDCG@10, with its interval, against the median time of a query."""
    times = [way.latency_ms.p50 for way in results.rows]
    tones = {"lexical": 2, "hybrid": 3, "dense": 0}

    def paint(axes: Axes) -> None:
        dense = [way for way in results.rows if way.mode == "dense"]
        for share in dict.fromkeys(way.interpolation for way in dense):
            chain = [way for way in dense if way.depth is None or way.interpolation == share]
            axes.plot(
                [way.latency_ms.p50 for way in chain],
                [results.figure(way).value for way in chain],
                color=MUTED,
                linewidth=0.9,
                linestyle=(0, (1, 1.2)),
            )
        for way in results.rows:
            figure, time, reranked = results.figure(way), way.latency_ms.p50, way.depth is not None
            tone = colour(1 if reranked else tones[way.mode])
            axes.plot([time, time], [figure.low, figure.high], color=tone)
            axes.plot(time, figure.value, "s" if way.interpolation else "o", color=tone)
            # Above its interval, where the numbers of neighbouring depths do not meet.
            axes.annotate(
                say(_short(way)),
                (time, figure.high if reranked else figure.value),
                xytext=(0, 3) if reranked else (7, 5),
                textcoords="offset points",
                ha="center" if reranked else "left",
            )
        axes.set_xscale("log")
        axes.set_xlim(min(times) / 2, max(times) * 2)
        steps = (1, 2, 5) if max(times) < _NARROW * min(times) else (1,)
        marks = [step * 10.0**power for power in range(-1, 6) for step in steps]
        axes.xaxis.set_major_locator(FixedLocator(marks))
        axes.xaxis.set_major_formatter(FixedFormatter([say(_mark(mark)) for mark in marks]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(
            say(
                Line(
                    "a query, median (numbers: reranked, squares: by both encoders)",
                    "질의 하나의 시간, 중앙값(숫자: 재순위화한 수, 사각형: 두 인코더로)",
                )
            )
        )
        axes.set_ylabel(NAMES[results.primary])

    found = [
        both(
            "{name} {figure} at {time}",
            "{name} {figure}, {time}",
            name=way.name,
            figure=str(results.figure(way)),
            time=milliseconds(way.latency_ms.p50),
        )
        for way in results.rows
    ]
    title = Line("Quality against time", "품질과 시간")
    return Plot("retrieval-quality", title, Line.join("; ", found), paint, height=3.4)


def _mark(milliseconds: float) -> Line:
    if milliseconds < 100:
        return Line(f"{milliseconds:g} ms", f"{milliseconds:g}ms")
    return Line(f"{milliseconds / 1000:g} s", f"{milliseconds / 1000:g}초")


def _short(way: WayResults) -> Text:
    return _SHORT[way.mode] if way.depth is None else str(way.depth)


RETRIEVAL = Experiment(RetrievalResults, compute_finding, build_sections)
"""The retrieval evaluation as an experiment."""
