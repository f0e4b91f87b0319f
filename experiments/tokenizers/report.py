"""The report of a comparison of tokenizers: tables and files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kosim.encoders.storage import write_text
from kosim.experiments.comparison.evaluation import COMPARED
from kosim.experiments.study.notation import (
    METRIC_NAMES,
    amount,
    count,
    decimal,
    difference,
    duration,
    estimate,
    p_value,
    percent,
)
from kosim.experiments.study.report import facts
from kosim.experiments.study.report.document import Section, Table
from kosim.experiments.study.report.render import render_page
from kosim.experiments.tokenizers import plots

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
            [plots.quality_by_tokenizer(results)],
        ),
        Section(
            "tokenizers",
            "What the tokenizers make of a text",
            "토크나이저 특성",
            "Counted on the training sentences. An epoch is one of fine-tuning, its validation "
            "included, as measured in this run.",
            [_texts(results)],
            [plots.epoch_by_length(results)],
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
            [plots.detection_curves(results)],
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
