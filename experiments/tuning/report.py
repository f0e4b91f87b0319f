"""The report of a study: what changed and why, how the search went, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kosim.encoders.storage import write_text
from kosim.experiments.study.notation import (
    DASH,
    METRIC_NAMES,
    count,
    decimal,
    difference,
    duration,
    estimate,
    p_value,
    percent,
    signed,
)
from kosim.experiments.study.report import facts
from kosim.experiments.study.report.canvas import INK, MUTED, Plot, colour, draw, legend
from kosim.experiments.study.report.document import Section, Table
from kosim.experiments.study.report.render import render_page
from kosim.experiments.tuning.finding import compute_finding

Results = Mapping[str, Any]

_CURVES = 5
"""Trials whose learning curves are drawn."""


def write_report(results: Results, folder: Path) -> None:
    """Write ``report.md`` and ``report.html`` into ``folder``.

    Raises:
        StorageError: the folder cannot be written.
    """
    for template, target in (("report.md.j2", "report.md"), ("report.html.j2", "report.html")):
        page = render_page(
            template, results, verdict=compute_finding(results), sections=_sections(results)
        )
        write_text(folder / target, page)


def _sections(results: Results) -> list[Section]:
    plots = [_history(results), _importances(results), _parallel(results), _curves(results)]
    tested = _test(results)
    sections = [
        Section(
            "parameters",
            "What was tuned",
            "하이퍼파라미터",
            "Effect: what the metric gains when this parameter alone goes from its base to its "
            "best value, where that was tried; ± is the standard deviation over the seeds. "
            "Importance: the share of the variance between trials that the parameter explains "
            "(fANOVA).",
            [_parameters(results)],
        ),
        Section(
            "test",
            "On the test pairs",
            "시험 데이터",
            "Base and best, trained once more and tested once. Intervals and p-values are those "
            "of the comparison in the folder test.",
            tested,
        ),
        Section("search", "How the search went", "탐색 과정", plots=[p for p in plots if p]),
        Section("trials", "All trials", "모든 시도", "", [_trials(results)]),
        Section(
            "cost",
            "Cost, settings and machine",
            "비용, 설정, 환경",
            "",
            [
                *facts.record("Cost", results["cost"]),
                *facts.record("Settings", results["settings"]),
                *facts.record("Environment", results["environment"]),
            ],
        ),
    ]
    return [section for section in sections if section.tables or section.plots]


def _parameters(results: Results) -> Table:
    rows = []
    for record in results["parameters"]:
        effect, spread = record["effect"], record["effect_spread"]
        shown = DASH if effect is None else signed(effect, 4)
        if spread is not None:
            shown += f" ± {decimal(spread, 4)}"
        importance = record["importance"]
        evidence = DASH if importance is None else f"importance {percent(importance)}"
        rows.append((record["name"], _text(record["base"]), _text(record["best"]), shown, evidence))
    return Table("Hyperparameters", ("", "Base", "Best", "Effect", "Evidence"), tuple(rows))


def _test(results: Results) -> list[Table]:
    test = results["test"]
    if test is None:
        return []
    rows = []
    for metric in ("pearson", "spearman", "f1", "f1_tuned"):
        found = test["difference"][metric]
        rows.append(
            (
                METRIC_NAMES[metric],
                estimate(test["encoders"]["base"][metric]),
                estimate(test["encoders"]["best"][metric]),
                difference(found),
                p_value(found.get("p_value")),
            )
        )
    columns = ("Metric", "Base", "Best", "Best − base", "p")
    return [Table("Base and best on the test pairs", columns, tuple(rows))]


def _trials(results: Results) -> Table:
    names = [record["name"] for record in results["parameters"]]
    rows = []
    for trial in results["trials"]:
        rows.append(
            (
                str(trial["number"]),
                trial["state"],
                decimal(trial["value"], 4) if trial["value"] is not None else DASH,
                *(_text(trial["values"].get(name, DASH)) for name in names),
                count(trial["epochs"]),
                duration(trial["seconds"]),
                trial["outcome"] or "",
            )
        )
    columns = ("Trial", "State", "Value", *names, "Epochs run", "Time", "Remark")
    return Table("Trials", columns, tuple(rows), frozenset({1, len(columns) - 1}))


def _complete(results: Results) -> list[Mapping[str, Any]]:
    return [trial for trial in results["trials"] if trial["value"] is not None]


def _history(results: Results) -> Plot | None:
    trials = _complete(results)
    numbers = [trial["number"] for trial in trials]
    values = [trial["value"] for trial in trials]
    label = METRIC_NAMES[results["metric"]]

    def paint(axes: Axes) -> None:
        axes.plot(numbers, values, "o", color=colour(0), markersize=4)
        axes.step(numbers, np.maximum.accumulate(values), where="post", color=INK)
        if results["base"]:
            axes.axhline(results["base"]["value"], color=MUTED, linewidth=0.9, linestyle="--")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="trial", ylabel=f"{label}, validation")

    alt = f"{len(trials)} finished trials; the best reached {decimal(max(values))}."
    return draw("tuning-history", "Best so far, and the base (dashed)", alt, paint)


def _importances(results: Results) -> Plot | None:
    known = [record for record in results["parameters"] if record["importance"] is not None]
    if not known:
        return None
    known.sort(key=lambda record: record["importance"])
    names = [record["name"] for record in known]
    shares = [record["importance"] for record in known]

    def paint(axes: Axes) -> None:
        axes.barh(names, shares, color=colour(1), height=0.6)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        axes.set(xlabel="share of the variance between trials")

    alt = "; ".join(f"{name}: {percent(share)}" for name, share in zip(names, shares, strict=True))
    return draw("tuning-importances", "Importance of each parameter", f"{alt}.", paint)


def _parallel(results: Results) -> Plot | None:
    trials = _complete(results)
    names = [record["name"] for record in results["parameters"]]
    if len(names) < 2 or len(trials) < 2:
        return None
    scales = [_scale([trial["values"][name] for trial in trials]) for name in names]
    values = np.array([trial["value"] for trial in trials])
    best = int(values.argmax())

    def paint(axes: Axes) -> None:
        low, high = values.min(), values.max()
        for row in np.argsort(values):
            heights = [scale[row] for scale in scales]
            height = (values[row] - low) / (high - low) if high > low else 1.0
            axes.plot(
                range(len(names)),
                heights,
                color=INK if row == best else colour(0),
                alpha=1.0 if row == best else 0.15 + 0.5 * float(height),
                linewidth=1.8 if row == best else 1.0,
            )
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
        axes.set_yticks([0, 1], ["lowest", "highest"])

    alt = (
        f"One line a trial over {', '.join(names)}; the best (dark): "
        + ", ".join(f"{name} {_text(trials[best]['values'][name])}" for name in names)
        + "."
    )
    return draw("tuning-parallel", "Values of each trial; the best dark", alt, paint, height=3.4)


def _scale(values: list[Any]) -> list[float]:
    """Return places between 0 and 1: by rank of the different values."""
    order = {value: place for place, value in enumerate(sorted(set(values), key=_sortable))}
    last = max(len(order) - 1, 1)
    return [order[value] / last for value in values]


def _sortable(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value


def _curves(results: Results) -> Plot | None:
    trials = sorted(_complete(results), key=lambda trial: -trial["value"])[:_CURVES]
    metric = results["metric"]
    drawn = [
        (trial["number"], [row[metric] for row in next(iter(trial["curves"].values()))])
        for trial in trials
        if trial["curves"]
    ]
    if not drawn:
        return None

    def paint(axes: Axes) -> None:
        handles = [
            axes.plot(range(1, len(curve) + 1), curve, "o-", markersize=3, color=colour(place))[0]
            for place, (_, curve) in enumerate(drawn)
        ]
        legend(axes, handles, [f"#{number}" for number, _ in drawn])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="epoch", ylabel=f"{METRIC_NAMES[metric]}, validation")

    alt = "; ".join(f"trial {number}: {decimal(curve[-1])} at its end" for number, curve in drawn)
    return draw("tuning-curves", "Learning curves of the best trials", f"{alt}.", paint)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
