"""The plots of cost: each returns no plot where the results have nothing to draw."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, LogLocator, NullLocator

from kosim.encoders.language import Line, both
from kosim.experiments.comparison.facts import labels
from kosim.experiments.comparison.plots import tones_of
from kosim.experiments.comparison.results import ComparisonResults, Job
from kosim.experiments.study.figures import Estimate
from kosim.experiments.study.notation import METRIC_NAMES, count
from kosim.experiments.study.report.canvas import INK, MUTED, Plot, colours_by_kind, legend, say

_TIMES = {
    1e-4: Line("0.1 ms", "0.1ms"),
    1e-3: Line("1 ms", "1ms"),
    1e-2: Line("10 ms", "10ms"),
    1e-1: Line("100 ms", "100ms"),
    1.0: Line("1 s", "1초"),
    10.0: Line("10 s", "10초"),
    60.0: Line("1 min", "1분"),
    600.0: Line("10 min", "10분"),
    3600.0: Line("1 h", "1시간"),
    36_000.0: Line("10 h", "10시간"),
    345_600.0: Line("4 days", "4일"),
    3_456_000.0: Line("40 days", "40일"),
    31_557_600.0: Line("1 year", "1년"),
    315_576_000.0: Line("10 years", "10년"),
    3_155_760_000.0: Line("100 years", "100년"),
}
"""Times that people think in, about a factor of ten apart."""


def quality_against_speed(results: ComparisonResults) -> list[Plot]:
    """Return Pearson, with its interval, against pairs scored a second."""
    tones, named = tones_of(results), labels(results)
    points = [
        (tones[name], named[name], figure, encoder.pairs_per_second)
        for name, encoder in results.encoders.items()
        if isinstance(figure := encoder.test.get("pearson"), Estimate) and encoder.pairs_per_second
    ]
    if not points:
        return []
    speeds = [speed for *_, speed in points]

    def paint(axes: Axes) -> None:
        for tone, name, figure, speed in points:
            axes.plot([speed, speed], [figure.low, figure.high], color=tone)
            axes.plot(speed, figure.value, "o", color=tone)
            # Outwards, so that the names of equally fast encoders do not meet.
            fastest = speed == max(speeds)
            axes.annotate(
                say(name),
                (speed, figure.value),
                xytext=(7 if fastest else -7, 0),
                textcoords="offset points",
                ha="left" if fastest else "right",
                va="center",
            )
        axes.set_xscale("log")
        axes.set_xlim(min(speeds) / 2.2, max(speeds) * 2.2)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(say(Line("pairs a second, in batches", "초당 쌍(묶음)")))
        axes.set_ylabel(say(METRIC_NAMES["pearson"]))

    found = [
        both(
            "{name} {figure} at {speed} pairs a second",
            "{name} {figure}, 초당 {speed}쌍",
            name=name,
            figure=str(figure),
            speed=count(speed),
        )
        for _, name, figure, speed in points
    ]
    title = Line("Quality against speed", "품질과 속도")
    return [Plot("quality", title, Line.join("; ", found), paint)]


_WAYS = {
    "bi": (Line("bi alone", "바이만"), "-"),
    "rerank": (Line("retrieve, rerank", "검색 후 재순위화"), (0, (4, 2))),
    "cross": (Line("cross alone", "크로스만"), "-"),
}


def corpus_costs(results: ComparisonResults) -> list[Plot]:
    """Return the seconds of a query, and of comparing all pairs, as a corpus grows."""
    rows = results.cost.corpus
    kinds = [encoder.kind for encoder in results.encoders.values()]
    tones = dict(zip(kinds[::-1], colours_by_kind(kinds)[::-1], strict=True)) | {"rerank": INK}
    sizes = [row.sentences for row in rows]
    jobs: dict[str, tuple[Line, float, list[Job]]] = {
        "query": (Line("Time of a query", "검색 한 번의 시간"), 1.0, [row.query for row in rows]),
        "all_pairs": (
            Line("Time to compare all pairs", "모든 쌍을 비교하는 시간"),
            3600.0,
            [row.all_pairs for row in rows],
        ),
    }
    plots = []
    for job, (title, budget, costs) in jobs.items():
        seconds = {
            way: values
            for way in _WAYS
            if way in tones and any(values := [getattr(cost, f"{way}_seconds") for cost in costs])
        }
        if not seconds:
            continue

        def paint(
            axes: Axes,
            seconds: dict[str, list[float]] = seconds,
            budget: float = budget,
        ) -> None:
            axes.axhline(budget, color=MUTED, linewidth=0.9)
            handles: list[Artist] = []
            for way, values in seconds.items():
                handles += axes.plot(sizes, values, linestyle=_WAYS[way][1], color=tones[way])
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            axes.yaxis.set_major_locator(FixedLocator(list(_TIMES)))
            axes.yaxis.set_major_formatter(FixedFormatter([say(name) for name in _TIMES.values()]))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.set_xlabel(say(Line("sentences in the corpus", "말뭉치의 문장 수")))
            legend(axes, handles, [_WAYS[way][0] for way in seconds])

        alt = both(
            "{title} by corpus size, for {ways}.",
            "말뭉치 크기별 {title}: {ways}.",
            title=title,
            ways=Line.join(", ", [_WAYS[way][0] for way in seconds]),
        )
        plots.append(Plot(f"cost-{job}", title, alt, paint))
    return plots
