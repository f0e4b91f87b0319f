"""The plots of a comparison of tokenizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from kosim.experiments.study.notation import estimate, is_defined
from kosim.experiments.study.report.canvas import MUTED, Plot, colour, draw, legend

Results = Mapping[str, Any]


def quality_by_tokenizer(results: Results) -> Plot:
    """Draw Pearson of every encoder with its interval, a row for each tokenizer."""
    kinds, names = list(results["encoders"]), list(results["tokenizers"])
    points = [
        (row, position, results["encoders"][kind]["encoders"][name]["test"]["pearson"])
        for row, name in enumerate(names)
        for position, kind in enumerate(kinds)
    ]
    defined = [point for point in points if is_defined(point[2])]

    def paint(axes: Axes) -> None:
        for row, position, figure in defined:
            y, tone = row + 0.14 + 0.22 * position, colour(position)
            axes.plot([figure["low"], figure["high"]], [y, y], color=tone)
            axes.plot(figure["value"], y, "o", color=tone)
        for row, name in enumerate(names):
            axes.annotate(
                name, (0, row - 0.1), xycoords=("axes fraction", "data"), va="center", fontsize=9
            )
        axes.set_ylim(len(names) - 0.3, -0.4)
        axes.yaxis.set_major_locator(NullLocator())
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("Pearson")
        _legend(axes, kinds)

    alt = "; ".join(
        f"{names[row]}, {kinds[position]}: {estimate(figure)}" for row, position, figure in defined
    )
    height = 0.9 + 0.62 * len(names)
    return draw("tokenizer-quality", "Pearson by tokenizer", f"{alt}.", paint, height=height)


def epoch_by_length(results: Results) -> Plot:
    """Draw the seconds of a cross-encoder's epoch against the tokens of a pair."""
    part = results["encoders"]["cross"]["encoders"]
    points = [
        (name, record["pair_length_mean"], part[name]["epoch_seconds"])
        for name, record in results["tokenizers"].items()
    ]

    def paint(axes: Axes) -> None:
        for position, (name, length, seconds) in enumerate(points):
            axes.plot(length, seconds, "o", color=colour(position))
            axes.annotate(name, (length, seconds), xytext=(6, 4), textcoords="offset points")
        axes.set_xlim(0, 1.35 * max(length for _, length, _ in points))
        axes.set_ylim(0, 1.2 * max(seconds for *_, seconds in points))
        axes.set(xlabel="mean tokens of a pair", ylabel="seconds of an epoch")

    alt = "; ".join(
        f"{name}: {length:.1f} tokens, {seconds:.1f} s" for name, length, seconds in points
    )
    return draw("tokenizer-length", "A cross-encoder's epoch by length", f"{alt}.", paint)


def detection_curves(results: Results) -> Plot:
    """Draw the area under the precision-recall curve of replaced tokens, by step."""
    curves = {
        name: record["pretraining"]["curve"] for name, record in results["tokenizers"].items()
    }

    def paint(axes: Axes) -> None:
        for position, rows in enumerate(curves.values()):
            steps = [row["step"] for row in rows]
            tone = colour(position)
            axes.plot(steps, [row["average_precision"] for row in rows], color=tone)
            axes.plot(
                steps,
                [row["replaced_share"] for row in rows],
                color=MUTED,
                linewidth=0.9,
                linestyle=(0, (1, 1.2)),
            )
        axes.set(xlabel="step", ylabel="area under the PR curve", ylim=(0, 1))
        _legend(axes, list(curves))

    alt = "; ".join(
        f"{name} from {rows[0]['average_precision']:.3f} to {rows[-1]['average_precision']:.3f}"
        for name, rows in curves.items()
    )
    return draw("tokenizer-curves", "Replaced tokens found (dotted: by chance)", f"{alt}.", paint)


def _legend(axes: Axes, names: list[str]) -> None:
    handles = [Line2D([], [], color=colour(position), marker="o") for position in range(len(names))]
    legend(axes, handles, names)
