"""The chart of the answer, beside the headline."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from kosim.encoders.language import Line, both
from kosim.experiments.comparison.facts import labels
from kosim.experiments.comparison.plots import legend_of_contenders, tones_of
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.study.figures import Estimate
from kosim.experiments.study.notation import METRIC_NAMES, confidence, decimal
from kosim.experiments.study.report.canvas import MUTED, Plot, say


def answer(results: ComparisonResults) -> Plot | None:
    """Return Pearson and F1 of every contender with their intervals: the chart of the answer."""
    named, tones = list(labels(results).values()), list(tones_of(results).values())
    measured = [
        metric
        for metric in ("pearson", "f1")
        if any(isinstance(one.test.get(metric), Estimate) for one in results.encoders.values())
    ]
    if not measured:
        return None
    found = [
        (row, position, figure)
        for row, metric in enumerate(measured)
        for position, encoder in enumerate(results.encoders.values())
        if isinstance(figure := encoder.test.get(metric), Estimate)
    ]
    rows = [METRIC_NAMES[metric] for metric in measured]
    trivial = None
    if results.trivial is not None and measured[0] == "pearson":
        trivial = results.trivial.test

    def paint(axes: Axes) -> None:
        for row, position, figure in found:
            y = row + 0.28 + 0.3 * position * (2 / max(len(named), 2))
            axes.plot(
                [figure.low, figure.high], [y, y], color=tones[position], linewidth=5, alpha=0.35
            )
            axes.plot(figure.value, y, "o", color=tones[position], markersize=8)
            axes.annotate(
                decimal(figure.value),
                (figure.high, y),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                color=tones[position],
                fontsize=12,
                fontweight="bold",
            )
        for row, name in enumerate(rows):
            axes.annotate(
                say(name), (0, row), xycoords=("axes fraction", "data"), va="center", fontsize=10
            )
        if trivial is not None and trivial > min(figure.low for *_, figure in found) - 0.35:
            axes.plot([trivial, trivial], [0.16, 0.72], color=MUTED, linestyle=(0, (2, 2)))
            axes.annotate(
                say(Line("shared bigrams", "바이그램 겹침")),
                (trivial, 0.75),  # below the line: above it stands the name of the metric
                ha="center",
                va="top",
                fontsize=8,
                color=MUTED,
            )
        axes.set_ylim(len(rows) - 0.05, -0.25)
        low, high = axes.get_xlim()
        axes.set_xlim(low, high + 0.16 * (high - low))
        axes.yaxis.set_major_locator(NullLocator())
        axes.spines["left"].set_visible(False)
        legend_of_contenders(axes, results)

    figures = [
        both(
            "{metric} of {name} {figure}",
            "{name} {metric} {figure}",
            metric=rows[row],
            name=named[position],
            figure=str(figure),
        )
        for row, position, figure in found
    ]
    title = both(
        "On the test pairs, with {level} intervals",
        "평가 결과와 {level} 신뢰 구간",
        level=confidence(results.config),
    )
    return Plot("answer", title, Line.join("; ", figures), paint, height=0.9 + 1.15 * len(rows))
