"""The report of a retrieval evaluation: tables, the quality-against-latency plot, its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from kosim.encoders.storage import write_json, write_text
from kosim.experiments.retrieval.finding import Results
from kosim.experiments.study.notation import (
    count,
    decimal,
    difference,
    duration,
    estimate,
    p_value,
)
from kosim.experiments.study.report import facts
from kosim.experiments.study.report.canvas import MUTED, Plot, colour, draw
from kosim.experiments.study.report.document import Section, Table
from kosim.experiments.study.report.render import render_page

NAMES = {
    "ndcg@10": "nDCG@10",
    "mrr@10": "MRR@10",
    "recall@1": "recall@1",
    "recall@10": "recall@10",
    "recall@100": "recall@100",
}
_MILLISECONDS = {
    0.1: "0.1 ms",
    1.0: "1 ms",
    10.0: "10 ms",
    100.0: "0.1 s",
    1_000.0: "1 s",
    10_000.0: "10 s",
    100_000.0: "100 s",
}
_BETWEEN = {
    0.2: "0.2 ms",
    0.5: "0.5 ms",
    2.0: "2 ms",
    5.0: "5 ms",
    20.0: "20 ms",
    50.0: "50 ms",
    200.0: "0.2 s",
    500.0: "0.5 s",
    2_000.0: "2 s",
    5_000.0: "5 s",
    20_000.0: "20 s",
}
_NARROW = 20
"""Times less than this factor apart leave room for marks between the powers of ten."""


def write_report(results: Mapping[str, Any], folder: Path) -> None:
    """Write ``results.json``, ``report.md`` and ``report.html`` into ``folder``.

    Raises:
        StorageError: the folder cannot be written.
    """
    for template, target in (("report.md.j2", "report.md"), ("report.html.j2", "report.html")):
        page = render_page(
            template, results, verdict=results["finding"], sections=_sections(results)
        )
        write_text(folder / target, page)
    write_json(folder / "results.json", results)


def _sections(results: Results) -> list[Section]:
    return [
        Section(
            "results",
            "What each way finds",
            "방법별 결과",
            _note(results),
            [_quality(results), _times(results)],
            [_quality_against_latency(results)],
        ),
        Section(
            "differences",
            "Differences",
            "차이의 유의성",
            f"The primary metric is {NAMES[results['primary']]}. Each p-value is adjusted for the "
            "number of pairs by Holm's method, metric by metric; both rows of a pair are compared "
            "on the same resampled groups.",
            _differences(results),
        ),
        Section(
            "origin",
            "Data, encoders and machine",
            "데이터, 인코더, 환경",
            "",
            [
                *facts.record("Queries and corpus", results["task"]),
                *facts.record("Index", results.get("index") or {}),
                *facts.record("Encoders", results.get("encoders") or {}),
                *facts.record("Settings", results["settings"]),
                *facts.record("Environment", results.get("environment") or {}),
            ],
        ),
    ]


def _note(results: Results) -> str:
    task, timed = results["task"], results["rows"][0]["latency_ms"]["queries"]
    return (
        f"Means over {task['queries']:,} queries, a query's own sentence left out of its hits; "
        f"95% intervals resample the {task['groups']:,} groups, the queries of a group together. "
        "Behind the reranked hits the bi-encoder's order goes on. Times are of "
        f"{timed} of these queries, asked one at a time. The last row of the first table is what "
        "a perfect order would have: with several relevant sentences a query, recall at a small "
        "rank cannot be 1."
    )


def _quality(results: Results) -> Table:
    rows = [
        (row["name"], *(estimate(row["metrics"][metric]) for metric in NAMES))
        for row in results["rows"]
    ]
    best = [decimal(results["best_possible"][metric]) for metric in NAMES]
    rows.append(("perfect order", *best))
    return Table("Quality, with 95% intervals", ("", *NAMES.values()), tuple(rows))


def _times(results: Results) -> Table:
    rows = tuple(
        (
            row["name"],
            *(duration(row["latency_ms"][level] / 1000) for level in ("p50", "p95")),
            count(row["cross_encoder_calls"]),
        )
        for row in results["rows"]
    )
    return Table("A query alone", ("", "p50", "p95", "Cross-encoder calls"), rows)


def _differences(results: Results) -> list[Table]:
    names = {row["key"]: row["name"] for row in results["rows"]}
    tables = []
    for metric, label in NAMES.items():
        rows = tuple(
            (
                f"{names[entry['first']]} − {names[entry['second']]}",
                difference(entry[metric]),
                p_value(entry[metric]["p_adjusted"]),
            )
            for entry in results["comparisons"]
        )
        if rows:
            kind = " (primary)" if metric == results["primary"] else ""
            tables.append(Table(f"{label}{kind}", ("", "Difference", "p, adjusted"), rows))
    return tables


def _quality_against_latency(results: Results) -> Plot:
    """Draw nDCG@10, with its interval, against the median time of a query."""
    points = [
        (row, row["metrics"][results["primary"]], row["latency_ms"]["p50"])
        for row in results["rows"]
    ]
    times = [time for *_, time in points]
    tones = {"lexical": 2, "hybrid": 3, "dense": 0}

    def paint(axes: Axes) -> None:
        chain = [(time, figure["value"]) for row, figure, time in points if row["mode"] == "dense"]
        axes.plot(*zip(*chain, strict=True), color=MUTED, linewidth=0.9, linestyle=(0, (1, 1.2)))
        for row, figure, time in points:
            tone = colour(1 if row["depth"] is not None else tones[row["mode"]])
            axes.plot([time, time], [figure["low"], figure["high"]], color=tone)
            axes.plot(time, figure["value"], "o", color=tone)
            reranked = row["depth"] is not None
            # Above its interval, where the numbers of neighbouring depths do not meet.
            axes.annotate(
                _short(row),
                (time, figure["high"] if reranked else figure["value"]),
                xytext=(0, 3) if reranked else (7, 5),
                textcoords="offset points",
                ha="center" if reranked else "left",
            )
        axes.set_xscale("log")
        axes.set_xlim(min(times) / 2, max(times) * 2)
        marks = _MILLISECONDS | (_BETWEEN if max(times) < _NARROW * min(times) else {})
        axes.xaxis.set_major_locator(FixedLocator(list(marks)))
        axes.xaxis.set_major_formatter(FixedFormatter(list(marks.values())))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlabel="a query, median (numbers: reranked)", ylabel=NAMES[results["primary"]])

    alt = "; ".join(
        f"{row['name']} {estimate(figure)} at {duration(time / 1000)}"
        for row, figure, time in points
    )
    return draw("retrieval-quality", "Quality against time", f"{alt}.", paint, height=3.4)


def _short(row: Mapping[str, Any]) -> str:
    if row["depth"] is not None:
        return str(row["depth"])
    return {"lexical": "BM25", "hybrid": "hybrid", "dense": "bi-encoder"}[row["mode"]]
