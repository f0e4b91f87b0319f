"""The report of a comparison of tokenizers: tables, plots, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from encoders.storage import write_text
from experiments.evaluation import COMPARED
from experiments.notation import (
    METRIC_NAMES,
    amount,
    count,
    decimal,
    difference,
    duration,
    estimate,
    is_defined,
    p_value,
    percent,
)
from experiments.report import facts
from experiments.report.canvas import MUTED, Plot, colour, draw, legend
from experiments.report.render import render_page
from experiments.report.sections import Section
from experiments.report.tables import Table

Results = Mapping[str, Any]


def write_report(results: Results, folder: Path) -> None:
    """Write ``report.md`` and ``report.html`` into ``folder``.

    Raises:
        StorageError: the folder cannot be written.
    """
    for suffix in ("md", "html"):
        page = render_page(
            f"report.{suffix}.j2", results, verdict=results["finding"], sections=_sections(results)
        )
        write_text(folder / f"report.{suffix}", page)


def _sections(results: Results) -> list[Section]:
    sections = [
        Section(
            "quality",
            "What the encoders reach",
            "인코더 성능",
            _note(results),
            [_quality(part, f"{kind}-encoders") for kind, part in results["encoders"].items()],
            [_quality_plot(results)],
        ),
        Section(
            "tokenizers",
            "What the tokenizers make of a text",
            "토크나이저 특성",
            "Counted on the training sentences. An epoch is one of fine-tuning, its validation "
            "included, as measured in this run.",
            [_texts(results)],
            [_length_plot(results)],
        ),
        Section(
            "differences",
            "Differences",
            "차이의 유의성",
            "Every two encoders of one kind, on the same resampled test pairs; p-values are "
            "adjusted for the number of pairs by Holm's method, metric by metric.",
            [_differences(part, f"{kind}-encoders") for kind, part in results["encoders"].items()],
        ),
        Section(
            "ready",
            "A ready-made backbone, its texts cut into morphemes or not",
            "기성 모델의 형태소 분절",
            f"Backbone: {results['config']['ready']}." if results.get("ready") else "",
            [
                table
                for kind, part in (results.get("ready") or {}).items()
                for table in (
                    _quality(part, f"{kind}-encoders"),
                    _differences(part, f"{kind}-encoders"),
                )
            ],
        ),
        Section(
            "pretraining",
            "Pretraining",
            "사전학습",
            "Replaced token detection on held-out sentences; losses in nats.",
            [_pretraining(results)],
            [_curves(results)],
        ),
        Section(
            "origin",
            "Settings and machine",
            "설정과 환경",
            "",
            [
                *facts.record("Settings", results["config"]),
                *facts.record("Environment", results.get("environment") or {}),
            ],
        ),
    ]
    return [section for section in sections if section.tables or section.plots]


def _note(results: Results) -> str:
    seeds, pairs = results["config"]["seeds"], results["pairs"]
    tested = next(iter(results["encoders"].values()))["test_pairs"]
    return (
        f"Means over {len(seeds)} seeds with 95% intervals over the {tested:,} test pairs; "
        f"fine-tuned on {pairs['train']:,} pairs, chosen on {pairs['validation']:,}. All networks "
        "have the same architecture, corpus, budget and seed."
    )


def _quality(part: Results, caption: str) -> Table:
    rows = []
    for name, encoder in part["encoders"].items():
        spread = (encoder.get("seed_spread") or {}).get("pearson") or {}
        rows.append(
            (
                name,
                *(estimate(encoder["test"][metric]) for metric in COMPARED),
                decimal(spread.get("sd")),
            )
        )
    columns = ("", *(METRIC_NAMES[metric] for metric in COMPARED), "SD of Pearson over seeds")
    return Table(f"Test set, {caption}", columns, tuple(rows))


def _texts(results: Results) -> Table:
    rows = []
    for name, record in results["tokenizers"].items():
        epochs = [
            duration(part["encoders"][name]["epoch_seconds"])
            for part in results["encoders"].values()
        ]
        rows.append(
            (
                name,
                count(record["vocabulary"]),
                decimal(record["tokens_per_word"], 2),
                f"{100 * record['unknown_rate']:.2f}%",
                amount(record["pair_length_mean"]),
                amount(record["pair_length_p95"]),
                percent(record["pairs_cut"]),
                *epochs,
            )
        )
    columns = (
        "",
        "Vocabulary",
        "Tokens a word",
        "Unknown",
        "Pair, mean tokens",
        "p95",
        "Pairs cut",
        *(f"Epoch, {kind}" for kind in results["encoders"]),
    )
    return Table("Tokenizers", columns, tuple(rows))


def _differences(part: Results, caption: str) -> Table:
    rows = tuple(
        (
            f"{entry['first']} − {entry['second']}",
            *(
                cell
                for metric in ("pearson", "f1")
                for cell in (
                    difference(entry[metric]),
                    p_value(entry[metric].get("p_adjusted")),
                )
            ),
        )
        for entry in part["pairwise"]
    )
    columns = ("", "Pearson", "p, adjusted", METRIC_NAMES["f1"], "p, adjusted")
    return Table(f"Differences, {caption}", columns, rows)


def _pretraining(results: Results) -> Table:
    names = ("generator_loss", "discriminator_loss", "precision", "recall", "average_precision")
    rows = []
    for name, record in results["tokenizers"].items():
        made = record["pretraining"]
        last = made["curve"][-1]
        rows.append(
            (
                name,
                count(made["steps"]),
                count(made["parameters"]),
                *(decimal(last[figure]) for figure in names),
                decimal(last["replaced_share"]),
            )
        )
    columns = (
        "",
        "Steps",
        "Parameters",
        "Generator loss",
        "Discriminator loss",
        "Precision",
        "Recall",
        "Area under PR curve",
        "By chance",
    )
    return Table("At the end of pretraining", columns, tuple(rows))


def _quality_plot(results: Results) -> Plot:
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


def _length_plot(results: Results) -> Plot:
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


def _curves(results: Results) -> Plot:
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
