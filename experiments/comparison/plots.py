"""The plots of quality: each returns no plot where the results have nothing to draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from kosim.encoders.errors import UndefinedMetricError
from kosim.encoders.metrics import f1
from kosim.encoders.records import DECISION_THRESHOLD, LABEL_HIGH, LABEL_LOW
from kosim.experiments.comparison.tables import Results
from kosim.experiments.study.notation import METRIC_NAMES, decimal, estimate, is_defined
from kosim.experiments.study.report.canvas import (
    INK,
    MUTED,
    PAPER,
    RULE,
    Plot,
    colour,
    draw,
    legend,
)

MOST_POINTS = 2_000
"""More points than this make a scatter slow to open and no clearer."""


def learning_curves(results: Results) -> list[Plot]:
    """Return for every trained contender its losses above its validation metrics, by epoch."""
    plots = []
    for position, (name, encoder) in enumerate(results["encoders"].items()):
        runs = [run for run in encoder["seeds"].values() if run.get("history")]
        if runs:
            kept = ", ".join(str(run["best_epoch"]) for run in runs)
            alt = f"Loss and validation metrics of {name} by epoch; epoch kept: {kept}."
            plots.append(_learning_curve(name, position, runs, alt))
    return plots


def _learning_curve(name: str, position: int, runs: list[Mapping[str, Any]], alt: str) -> Plot:
    strong = 1.0 if len(runs) == 1 else 0.55
    tone = colour(position)
    lines: dict[str, dict[str, Any]] = {
        "train_loss": {"color": MUTED, "linestyle": (0, (1, 1.2))},
        "validation_loss": {"color": tone, "linestyle": "-"},
        "pearson": {"color": tone, "linestyle": "-"},
        "f1": {"color": tone, "linestyle": (0, (4, 2))},
    }
    marked = {"loss": "validation_loss", "pearson": "pearson", "f1": "f1"}

    def paint(losses: Axes, metrics: Axes) -> None:
        handles: dict[str, Line2D] = {}
        for run in runs:
            history = pd.DataFrame(run["history"]).set_index("epoch")
            for field, style in lines.items():
                if field in history:
                    axes = losses if field.endswith("loss") else metrics
                    values = history[field].astype(float)
                    (handles[field],) = axes.plot(history.index, values, alpha=strong, **style)
            for axes in (losses, metrics):
                axes.axvline(run["best_epoch"], color=MUTED, linewidth=0.7, zorder=0)
            for criterion, epoch in (run.get("best_epochs") or {}).items():
                field = marked[criterion]
                if field in history and epoch in history.index:
                    axes = losses if criterion == "loss" else metrics
                    fill = tone if criterion == run["select"] else PAPER
                    axes.plot(
                        epoch,
                        history[field].astype(float)[epoch],
                        "o",
                        color=tone,
                        markerfacecolor=fill,
                        markeredgewidth=1.4,
                    )
        names = {"train_loss": "training loss", "validation_loss": "validation loss", "f1": "F1"}
        for axes, fields in ((losses, list(lines)[:2]), (metrics, list(lines)[2:])):
            shown = [field for field in fields if field in handles]
            labels = [names.get(field, METRIC_NAMES.get(field, field)) for field in shown]
            legend(axes, [handles[field] for field in shown], labels)
        metrics.set_xlabel("epoch")
        metrics.xaxis.set_major_locator(MaxNLocator(integer=True))

    return draw(
        f"learning-{position}", f"{name}: loss and metric by epoch", alt, paint, height=4.6, rows=2
    )


def predictions(results: Results, table: pd.DataFrame) -> list[Plot]:
    """Return for every contender its scores against the labels, of the first seed."""
    seed = table["seed"].iloc[0]
    shown = table[table["seed"] == seed]
    shown = shown.iloc[:: -(-len(shown) // MOST_POINTS)]
    plots = []
    for position, (name, encoder) in enumerate(results["encoders"].items()):
        tuned = (encoder["seeds"].get(str(seed)) or {}).get("threshold")

        def paint(
            axes: Axes, name: str = name, position: int = position, tuned: float | None = tuned
        ) -> None:
            bounds = (LABEL_LOW - 0.15, LABEL_HIGH + 0.15)
            axes.plot(bounds, bounds, color=RULE, linewidth=1, zorder=1)
            axes.axvline(DECISION_THRESHOLD, color=MUTED, linewidth=0.9, zorder=1)
            axes.axhline(DECISION_THRESHOLD, color=MUTED, linewidth=0.9, zorder=1)
            if tuned is not None:
                axes.axhline(tuned, color=INK, linewidth=0.9, linestyle=(0, (4, 2)), zorder=3)
                above = tuned >= DECISION_THRESHOLD
                axes.annotate(
                    f"tuned {decimal(tuned, 2)}",
                    (bounds[0], tuned),
                    xytext=(3, 3 if above else -3),
                    textcoords="offset points",
                    va="bottom" if above else "top",
                    fontsize=8,
                )
            axes.scatter(
                shown["label"], shown[name], s=13, color=colour(position), alpha=0.45, linewidths=0
            )
            axes.set(xlim=bounds, ylim=bounds, xlabel="label", ylabel="score", aspect="equal")

        figure = estimate(encoder["test"].get("pearson"))
        alt = (
            f"Scores of {name} against the labels of {len(shown)} pairs, seed {seed}; "
            f"Pearson {figure}."
        )
        title = f"{name}: score against label" + (f", seed {seed}" if _several(table) else "")
        plots.append(draw(f"scatter-{position}", title, alt, paint, height=4.5))
    return plots


def by_source(results: Results) -> list[Plot]:
    """Return Pearson and F1 of every contender with their intervals, a row for each source."""
    plots = []
    encoders = results["encoders"]
    sources = list(dict.fromkeys(s for encoder in encoders.values() for s in encoder["by_source"]))
    for metric in ("pearson", "f1"):
        found = [
            (row, position, encoder["by_source"].get(source, {}).get(metric))
            for row, source in enumerate(sources)
            for position, encoder in enumerate(encoders.values())
        ]
        defined = [(row, position, f) for row, position, f in found if is_defined(f)]
        if not defined:
            continue

        def paint(axes: Axes, defined: list[tuple[int, int, Mapping[str, Any]]] = defined) -> None:
            step = 0.5 / len(encoders)
            for row, position, figure in defined:
                y = row + 0.12 + step * position
                tone = colour(position)
                axes.plot([figure["low"], figure["high"]], [y, y], color=tone)
                axes.plot(figure["value"], y, "o", color=tone)
            for row, source in enumerate(sources):
                axes.annotate(
                    source,
                    (0, row - 0.12),
                    xycoords=("axes fraction", "data"),
                    va="center",
                    fontsize=9,
                )
            axes.set_ylim(len(sources) - 0.35, -0.4)
            axes.yaxis.set_major_locator(NullLocator())
            axes.spines["left"].set_visible(False)
            _legend_of_contenders(axes, results)

        label = METRIC_NAMES[metric]
        alt = f"{label} by source for {', '.join(encoders)}, with 95% intervals; see the table."
        height = 0.75 + 0.35 * len(sources) + 0.18 * len(sources) * len(encoders)
        plots.append(draw(f"source-{metric}", f"{label} by source", alt, paint, height=height))
    return plots


def f1_over_threshold(results: Results, table: pd.DataFrame) -> list[Plot]:
    """Return F1 over the decision threshold, the mean over seeds, with 3.0 and the tuned ones."""
    grid = np.round(np.arange(LABEL_LOW, LABEL_HIGH + 0.025, 0.05), 2)
    seeds = {str(seed): part for seed, part in table.groupby("seed", sort=True)}

    def values(name: str, thresholds: np.ndarray, part: pd.DataFrame) -> list[float]:
        labels, scores = part["label"].to_numpy(), part[name].to_numpy()
        return [f1(labels, scores, threshold=float(at)) for at in thresholds]

    try:
        curves = {
            name: np.mean([values(name, grid, part) for part in seeds.values()], axis=0)
            for name in results["encoders"]
        }
    except UndefinedMetricError:
        return []

    def paint(axes: Axes) -> None:
        axes.axvline(DECISION_THRESHOLD, color=MUTED, linewidth=0.9)
        for position, (name, curve) in enumerate(curves.items()):
            axes.plot(grid, curve, color=colour(position))
            for seed, run in results["encoders"][name]["seeds"].items():
                tuned = run.get("threshold")
                if tuned is not None and seed in seeds:
                    (height,) = values(name, np.array([tuned]), seeds[seed])
                    axes.plot(
                        tuned,
                        height,
                        "o",
                        color=colour(position),
                        markerfacecolor=PAPER,
                        markeredgewidth=1.4,
                        zorder=3,
                    )
        axes.set(xlim=(LABEL_LOW, LABEL_HIGH), ylim=(0, 1), xlabel="threshold", ylabel="F1")
        _legend_of_contenders(axes, results)

    bests = ", ".join(
        f"{name} highest at {grid[curve.argmax()]:.2f}" for name, curve in curves.items()
    )
    alt = f"F1 on the test pairs over the decision threshold: {bests}."
    return [draw("threshold", "F1 over the threshold", alt, paint)]


def _several(table: pd.DataFrame) -> bool:
    return bool(table["seed"].nunique() > 1)


def _legend_of_contenders(axes: Axes, results: Results) -> None:
    names = list(results["encoders"])
    handles = [Line2D([], [], color=colour(position), marker="o") for position in range(len(names))]
    legend(axes, handles, names)
