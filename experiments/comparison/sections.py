"""The order of a report: which tables and plots stand under which heading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kosim.experiments.comparison import cost_plots, plots, tables
from kosim.experiments.comparison.tables import Results
from kosim.experiments.study.report import facts
from kosim.experiments.study.report.canvas import Plot
from kosim.experiments.study.report.document import Section, Table


def build_sections(results: Results, predictions: pd.DataFrame | None = None) -> list[Section]:
    """Return the sections that have content; without predictions there are no plots."""
    drawn: Mapping[str, list[Plot]] = {}
    if predictions is not None:
        drawn = {
            "figures": [
                *plots.predictions(results, predictions),
                *plots.f1_over_threshold(results, predictions),
                *cost_plots.quality_against_speed(results),
            ],
            "sources": plots.by_source(results),
            "cost": cost_plots.corpus_costs(results),
            "training": plots.learning_curves(results),
        }
    sections = [
        Section(
            "summary",
            "Summary",
            "요약",
            _summary_note(results),
            [
                *tables.summary(results),
                *tables.comparisons(results),
                *tables.further_tests(results),
            ],
        ),
        Section(
            "figures",
            "What the scores look like",
            "점수 분포",
            "Full lines mark the decision at 3.0, dashed lines and open circles the threshold "
            "that was chosen on the validation pairs.",
            plots=drawn.get("figures", []),
        ),
        Section(
            "sources",
            "By source",
            "출처별 결과",
            "",
            tables.by_source(results),
            drawn.get("sources", []),
        ),
        Section(
            "cost",
            "Cost",
            "비용",
            _cost_note(results),
            [*tables.speeds(results), *tables.corpus_costs(results)],
            drawn.get("cost", []),
        ),
        Section(
            "disagreements",
            "Disagreements",
            "의견이 갈린 문장 쌍",
            "Scores and labels from 0 (unrelated) to 5 (equivalent).",
            tables.disagreements(results),
        ),
        Section(
            "training",
            "Training and seeds",
            "학습과 시드",
            "Circles mark the best epoch by each criterion; the filled one and the vertical line "
            "mark the epoch that was kept.",
            [*tables.training(results), *tables.spread(results), *tables.asymmetry(results)],
            drawn.get("training", []),
        ),
        Section("data", "Data", "데이터", "", facts.data(results)),
        Section(
            "environment",
            "Encoders, environment and configuration",
            "인코더, 환경, 설정",
            "",
            [
                *_encoders(results),
                *facts.record("Environment", results.get("environment") or {}),
                *facts.record("Configuration", results.get("config") or {}),
            ],
        ),
    ]
    return [section for section in sections if section.tables or section.plots]


def _summary_note(results: Results) -> str:
    seeds = max(len(encoder["seeds"]) for encoder in results["encoders"].values())
    if seeds == 1:
        return "Intervals and tests resample the test pairs, both encoders on the same ones."
    return (
        f"Values are means over {seeds} seeds; intervals and tests resample the test pairs, all "
        "seeds and encoders on the same ones."
    )


def _cost_note(results: Results) -> str:
    cost: Mapping[str, Any] = results.get("cost") or {}
    parts = []
    if cost.get("device"):
        parts.append(f"Measured on {cost['device']} with {cost.get('threads')} threads.")
    even = cost.get("break_even") or {}
    query, pairs = even.get("query_sentences"), even.get("all_pairs_sentences")
    if query is not None and pairs is not None:
        parts.append(
            f"The bi-encoder's way is faster from {query:,} sentences on for a query (reranking "
            f"included) and from {pairs:,} on for all pairs."
        )
    return " ".join(parts)


def _encoders(results: Results) -> list[Table]:
    named = ("kind", "backbone", "revision", "backbone_note", "loss")
    return facts.record(
        "Encoders",
        {
            name: {key: encoder.get(key) for key in named}
            for name, encoder in results["encoders"].items()
        },
    )
