"""The plots of quality: each returns no plot where the results have nothing to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullLocator

from kosim.encoders.language import Line, Text, both
from kosim.encoders.records import DECISION_THRESHOLD, LABEL_HIGH, LABEL_LOW
from kosim.experiments.comparison.evaluation import CELL, THRESHOLDS
from kosim.experiments.comparison.facts import labels
from kosim.experiments.comparison.results import ComparisonResults, SeedResults
from kosim.experiments.study.figures import Estimate, written
from kosim.experiments.study.notation import METRIC_NAMES, confidence, decimal
from kosim.experiments.study.report.canvas import (
    INK,
    MUTED,
    PAPER,
    RULE,
    Plot,
    colours_by_kind,
    legend,
    say,
)

_CURVES: dict[str, Line] = {
    "train_loss": Line("training loss", "학습 손실"),
    "validation_loss": Line("validation loss", "검증 손실"),
    "pearson": METRIC_NAMES["pearson"],
    "f1": Line("F1", "F1"),
}
_LABEL, _SCORE = Line("label", "정답"), Line("score", "점수")


def tones_of(results: ComparisonResults) -> dict[str, str]:
    """Return the colour of every contender, by its kind."""
    encoders = results.encoders
    kinds = [encoder.kind for encoder in encoders.values()]
    return dict(zip(encoders, colours_by_kind(kinds), strict=True))


def learning_curves(results: ComparisonResults) -> list[Plot]:
    """Return for every trained contender its losses above its validation metrics, by epoch."""
    plots = []
    tones = tones_of(results)
    for position, (name, encoder) in enumerate(results.encoders.items()):
        runs = [run for run in encoder.seeds.values() if run.history]
        if runs:
            plots.append(_learning_curve(labels(results)[name], position, runs, tones[name]))
    return plots


def _learning_curve(name: Text, position: int, runs: list[SeedResults], tone: str) -> Plot:
    strong = 1.0 if len(runs) == 1 else 0.55
    styles: dict[str, dict[str, Any]] = {
        "train_loss": {"color": MUTED, "linestyle": (0, (1, 1.2))},
        "validation_loss": {"color": tone, "linestyle": "-"},
        "pearson": {"color": tone, "linestyle": "-"},
        "f1": {"color": tone, "linestyle": (0, (4, 2))},
    }
    marked = {"loss": "validation_loss", "pearson": "pearson", "f1": "f1"}

    def paint(losses: Axes, metrics: Axes) -> None:
        handles: dict[str, Line2D] = {}
        for run in runs:
            history = pd.DataFrame(run.history).set_index("epoch")
            for field, style in styles.items():
                if field in history:
                    axes = losses if field.endswith("loss") else metrics
                    values = history[field].astype(float)
                    (handles[field],) = axes.plot(history.index, values, alpha=strong, **style)
            for axes in (losses, metrics):
                axes.axvline(run.best_epoch or 0, color=MUTED, linewidth=0.7, zorder=0)
            for criterion, epoch in run.best_epochs.items():
                field = marked[criterion]
                if field in history and epoch in history.index:
                    axes = losses if criterion == "loss" else metrics
                    value = history[field].astype(float)[epoch]
                    _circle(axes, epoch, value, tone, filled=criterion == run.select)
        for axes, fields in ((losses, list(_CURVES)[:2]), (metrics, list(_CURVES)[2:])):
            shown = [field for field in fields if field in handles]
            legend(axes, [handles[field] for field in shown], [_CURVES[field] for field in shown])
        metrics.set_xlabel(say(Line("epoch", "에폭")))
        metrics.xaxis.set_major_locator(MaxNLocator(integer=True))

    return Plot(
        f"learning-{position}",
        both("{name}: loss and metric by epoch", "{name}: 에폭별 손실과 지표", name=name),
        both(
            "Loss and validation metrics of {name} by epoch; epoch kept: {kept}.",
            "{name}의 에폭별 손실과 검증 지표. 선택된 에폭: {kept}.",
            name=name,
            kept=", ".join(str(run.best_epoch) for run in runs),
        ),
        paint,
        height=4.6,
        rows=2,
    )


def _circle(axes: Axes, x: float, y: float, tone: str, *, filled: bool = False) -> None:
    fill = tone if filled else PAPER
    axes.plot(x, y, "o", color=tone, markerfacecolor=fill, markeredgewidth=1.4, zorder=3)


def predictions(results: ComparisonResults) -> list[Plot]:
    """Return for every contender how many pairs have which label and score, of the first seed."""
    plots = []
    tones, named = tones_of(results), labels(results)
    for position, (name, encoder) in enumerate(results.encoders.items()):
        if encoder.scores is None:
            continue
        seed, run = next(iter(encoder.seeds.items()))
        density = np.array(encoder.scores.density)

        def paint(
            axes: Axes,
            density: np.ndarray = density,
            tone: str = tones[name],
            tuned: float | None = run.threshold,
        ) -> None:
            bounds = (LABEL_LOW, LABEL_HIGH)
            axes.plot(bounds, bounds, color=RULE, linewidth=1, zorder=1)
            for row, column in np.argwhere(density > 0):
                # Square roots, so that a cell of one pair still shows beside one of hundreds.
                strength = float(np.sqrt(density[row, column] / density.max()))
                corner = row * CELL, column * CELL
                axes.add_patch(Rectangle(corner, CELL, CELL, color=tone, alpha=strength, lw=0))
            axes.axvline(DECISION_THRESHOLD, color=MUTED, linewidth=0.9, zorder=2)
            axes.axhline(DECISION_THRESHOLD, color=MUTED, linewidth=0.9, zorder=2)
            if tuned is not None:
                axes.axhline(tuned, color=INK, linewidth=0.9, linestyle=(0, (4, 2)), zorder=3)
                above = tuned >= DECISION_THRESHOLD
                at = decimal(tuned, 2)
                axes.annotate(
                    say(both("tuned {at}", "조정 {at}", at=at)),
                    (bounds[0], tuned),
                    xytext=(3, 3 if above else -3),
                    textcoords="offset points",
                    va="bottom" if above else "top",
                    fontsize=8,
                )
            axes.set(
                xlim=bounds, ylim=bounds, aspect="equal", xlabel=say(_LABEL), ylabel=say(_SCORE)
            )

        plots.append(
            Plot(
                f"density-{position}",
                both(
                    "{name}: score against label"
                    + (", seed {seed}" if len(encoder.seeds) > 1 else ""),
                    "{name}: 정답과 점수" + (", 시드 {seed}" if len(encoder.seeds) > 1 else ""),
                    name=named[name],
                    seed=seed,
                ),
                both(
                    "How many of {n} pairs have which label and which score by {name}; Pearson "
                    "{figure}. Darker cells hold more pairs.",
                    "쌍 {n}개의 정답과 {name} 점수의 분포. 피어슨 상관 {figure}. 진할수록 쌍이 "
                    "많습니다.",
                    n=int(density.sum()),
                    name=named[name],
                    figure=written(encoder.test.get("pearson")),
                ),
                paint,
                height=4.5,
            )
        )
    return plots


def by_source(results: ComparisonResults) -> list[Plot]:
    """Return Pearson and F1 of every contender with their intervals, a row for each source."""
    plots = []
    encoders, tones = results.encoders, list(tones_of(results).values())
    sources = list(dict.fromkeys(s for encoder in encoders.values() for s in encoder.by_source))
    for metric in ("pearson", "f1"):
        found = [
            (row, position, getattr(encoder.by_source.get(source), metric, None))
            for row, source in enumerate(sources)
            for position, encoder in enumerate(encoders.values())
        ]
        defined = [(row, position, f) for row, position, f in found if isinstance(f, Estimate)]
        if not defined:
            continue

        def paint(axes: Axes, defined: list[tuple[int, int, Estimate]] = defined) -> None:
            rows_with_intervals(axes, sources, defined, tones)
            legend_of_contenders(axes, results)

        label = METRIC_NAMES[metric]
        plots.append(
            Plot(
                f"source-{metric}",
                both("{label} by source", "출처별 {label}", label=label),
                both(
                    "{label} by source for {names}, with {level} intervals; see the table.",
                    "{names}의 출처별 {label}, {level} 신뢰 구간. 표를 보십시오.",
                    label=label,
                    level=confidence(results.config),
                    names=Line.join(", ", labels(results).values()),
                ),
                paint,
                height=0.75 + 0.35 * len(sources) + 0.18 * len(sources) * len(encoders),
            )
        )
    return plots


def rows_with_intervals(
    axes: Axes,
    rows: Sequence[Text],
    points: list[tuple[int, int, Estimate]],
    tones: Sequence[str],
) -> None:
    """Draw estimates with their intervals, each (row, series, figure), the rows named above."""
    for row, position, figure in points:
        y, tone = row + 0.12 + 0.5 / len(tones) * position, tones[position]
        axes.plot([figure.low, figure.high], [y, y], color=tone)
        axes.plot(figure.value, y, "o", color=tone)
    for row, name in enumerate(rows):
        axes.annotate(say(name), (0, row - 0.12), xycoords=("axes fraction", "data"), va="center")
    axes.set_ylim(len(rows) - 0.35, -0.4)
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines["left"].set_visible(False)


def f1_over_threshold(results: ComparisonResults) -> list[Plot]:
    """Return F1 over the decision threshold, the mean over seeds, with 3.0 and the tuned ones."""
    curves = {
        name: np.array(encoder.scores.f1)
        for name, encoder in results.encoders.items()
        if encoder.scores is not None and encoder.scores.f1 is not None
    }
    if not curves:
        return []
    tones, named = tones_of(results), labels(results)

    def paint(axes: Axes) -> None:
        axes.axvline(DECISION_THRESHOLD, color=MUTED, linewidth=0.9)
        for name, curve in curves.items():
            axes.plot(THRESHOLDS, curve, color=tones[name])
            for run in results.encoders[name].seeds.values():
                if run.threshold is not None:
                    height = float(np.interp(run.threshold, THRESHOLDS, curve))
                    _circle(axes, run.threshold, height, tones[name])
        axes.set(xlim=(LABEL_LOW, LABEL_HIGH), ylim=(0, 1))
        axes.set(xlabel=say(Line("threshold", "임계값")), ylabel="F1")
        legend_of_contenders(axes, results)

    bests = [
        both(
            "{name} highest at {at}",
            "{name} 최고 {at}",
            name=named[name],
            at=decimal(float(THRESHOLDS[curve.argmax()]), 2),
        )
        for name, curve in curves.items()
    ]
    alt = both(
        "F1 on the test pairs over the decision threshold: {bests}.",
        "임계값에 따른 평가 F1: {bests}.",
        bests=Line.join(", ", bests),
    )
    return [Plot("threshold", Line("F1 over the threshold", "임계값에 따른 F1"), alt, paint)]


def legend_of_contenders(axes: Axes, results: ComparisonResults) -> None:
    """Set the legend of all contenders in their colours."""
    handles = [Line2D([], [], color=tone, marker="o") for tone in tones_of(results).values()]
    legend(axes, handles, list(labels(results).values()))
