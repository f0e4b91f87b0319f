"""The report of a speed benchmark: tables, the plot, its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from kosim.encoders.storage import write_json, write_text
from kosim.experiments.speed.measurement import Task
from kosim.experiments.study.notation import DASH, amount, count, decimal, duration, percent
from kosim.experiments.study.report import facts
from kosim.experiments.study.report.canvas import Plot, colour, draw
from kosim.experiments.study.report.document import Section, Table
from kosim.experiments.study.report.render import render_page

Results = Mapping[str, Any]
_FEW_ROUNDS = 3

NAMES: dict[Task, str] = {
    "encode": "Encoding sentences",
    "score": "Scoring pairs",
    "search": "Search",
    "rerank": "Search and rerank",
}
_KOREAN: dict[Task, str] = {
    "encode": "문장 인코딩",
    "score": "문장 쌍 채점",
    "search": "검색",
    "rerank": "검색 후 재정렬",
}
_UNITS: dict[Task, str] = {
    "encode": "sentences",
    "score": "pairs",
    "search": "queries",
    "rerank": "queries",
}
_AGREEMENT: dict[Task, str] = {
    "encode": "mean cosine",
    "score": "Pearson",
    "search": "shared top 10",
    "rerank": "shared top 10",
}


def write_report(results: Results, folder: Path) -> None:
    """Write ``results.json``, ``report.md`` and ``report.html`` with the plot into ``folder``.

    Raises:
        StorageError: the folder cannot be written.
    """
    for template, target in (("report.md.j2", "report.md"), ("report.html.j2", "report.html")):
        page = render_page(template, results, verdict=finding(results), sections=_sections(results))
        write_text(folder / target, page)
    write_json(folder / "results.json", results)


def finding(results: Results) -> dict[str, dict[str, Any]]:
    """Return headline, sentences and warnings in Korean and English."""
    rows, rounds = results["rows"], results["settings"]["rounds"]
    reference, *others = results["settings"]["choices"]
    best = max(rows, key=lambda row: row["times_faster"])
    times = f"{best['times_faster']:.2f}"
    headline, korean = f"The speed of {reference}", f"{reference}의 속도"
    if others:
        headline = (
            f"{choice_name(best)} is up to {times} times as fast as {reference} on this machine "
            f"({NAMES[best['task']].lower()})"
        )
        korean = f"{choice_name(best)}: {reference}의 최대 {times}배 속도({_KOREAN[best['task']]})"
    few = rounds < _FEW_ROUNDS
    return {
        "en": {
            "headline": headline,
            "sentences": [_sentence(group) for group in groups(rows)],
            "warnings": ["Measured in fewer than 3 rounds; times can be off."] if few else [],
        },
        "ko": {
            "headline": korean,
            "sentences": [_korean_sentence(group) for group in groups(rows)],
            "warnings": ["3번 미만으로 측정해 오차가 클 수 있음."] if few else [],
        },
    }


def groups(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return the rows that are compared with one another, together."""
    together: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        together.setdefault((row["task"], row["encoder"], row["reranker"]), []).append(row)
    return list(together.values())


def title(row: Mapping[str, Any]) -> str:
    """Return what a row measures, and of which encoder."""
    return f"{NAMES[row['task']]}, {Path(row['reranker'] or row['encoder']).name}"


def choice_name(row: Mapping[str, Any]) -> str:
    """Return what computed a row, and whether it was refined."""
    return f"{row['backend']} {row['precision']}{' refined' if row['refined'] else ''}"


def _sentence(group: Sequence[Mapping[str, Any]]) -> str:
    unit = _UNITS[group[0]["task"]]
    speeds = ", ".join(f"{choice_name(row)} {amount(row['items_per_second'])}" for row in group)
    return f"{title(group[0])}: {speeds} {unit} a second."


def _korean_sentence(group: Sequence[Mapping[str, Any]]) -> str:
    speeds = ", ".join(f"{choice_name(row)} {amount(row['items_per_second'])}" for row in group)
    name = Path(group[0]["reranker"] or group[0]["encoder"]).name
    return f"{_KOREAN[group[0]['task']]}({name}), 초당 처리량: {speeds}."


def _sections(results: Results) -> list[Section]:
    together = groups(results["rows"])
    return [
        Section(
            "speed",
            "Speed and what it costs",
            "속도와 그 대가",
            "Each row is measured in processes of its own, the rows taking turns. Times faster "
            "is the median over the rounds of the first row's time by this row's. Agreement is "
            "with the first row: the mean cosine of vectors, the correlation of raw scores, or "
            "the share of its top 10 that is found. A cold start ends with the first answer and "
            "includes importing the libraries. Refined is what encodes queries, and scores the "
            "candidates around the last hit again, in full precision.",
            [_table(group) for group in together],
            [_plot(results)],
        ),
        Section(
            "roofline",
            "Beside the peak of the machine",
            "이론 한계 대비",
            "Operations of the transformer's matrix products, padding not counted, a second; "
            "the peak is the best square product that was measured with the same threads.",
            [_roofline(results)],
        ),
        Section(
            "origin",
            "Data and machine",
            "데이터와 환경",
            "",
            [
                *facts.record("Corpus", results["corpus"]),
                *facts.record("Settings", results["settings"]),
                *facts.record("Environment", results["environment"]),
            ],
        ),
    ]


def _table(group: Sequence[Mapping[str, Any]]) -> Table:
    task: Task = group[0]["task"]
    columns = (
        "",
        f"{_UNITS[task]}/s",
        "times faster",
        "one, p50",
        "one, p95",
        "cold start",
        "peak memory",
        _AGREEMENT[task],
    )
    rows = tuple(
        (
            choice_name(row),
            amount(row["items_per_second"]),
            f"{row['times_faster']:.2f}",
            duration(row["latency_ms"]["p50"] / 1000),
            duration(row["latency_ms"]["p95"] / 1000),
            duration(row["cold_start_seconds"]),
            f"{count(row['peak_memory_mib'])} MiB",
            decimal(row["agreement"], 4),
        )
        for row in group
    )
    return Table(f"{title(group[0])} ({count(group[0]['items'])} {_UNITS[task]})", columns, rows)


def _roofline(results: Results) -> Table:
    rows = tuple(
        (title(row), choice_name(row), amount(row["gflops"]), percent(row["peak_share"]))
        for row in results["rows"]
        if row["gflops"] is not None
    )
    peaks = tuple(
        ("matrix product", precision, DASH if peak is None else amount(peak), DASH)
        for precision, peak in results["peak_gflops"].items()
    )
    return Table("GFLOP/s", ("", "", "GFLOP/s", "of the peak"), (*rows, *peaks), frozenset({1}))


def _plot(results: Results) -> Plot:
    """Draw how many times faster than the first choice each row is."""
    together = groups(results["rows"])
    choices = list(dict.fromkeys(choice_name(row) for row in results["rows"]))

    def paint(axes: Axes) -> None:
        thick = 0.8 / len(choices)
        for place, group in enumerate(together):
            for row in group:
                number = choices.index(choice_name(row))
                axes.barh(
                    place + (number - (len(choices) - 1) / 2) * thick,
                    row["times_faster"],
                    height=0.9 * thick,
                    color=colour(number),
                )
        axes.axvline(1.0, color=colour(0), linewidth=0.8)
        axes.set_yticks(range(len(together)), [title(group[0]) for group in together])
        axes.invert_yaxis()
        axes.set_xlabel(f"times as fast as {choices[0]}")
        handles = [Patch(color=colour(number)) for number in range(len(choices))]
        # Of the figure: beside long names the axes are too narrow for it.
        axes.figure.legend(handles, choices, loc="outside upper left", ncols=2)

    alt = "; ".join(
        f"{title(row)} by {choice_name(row)} {row['times_faster']:.2f} times"
        for row in results["rows"]
    )
    height = 1.0 + 0.25 * len(together) * len(choices)
    return draw("speed", "Times faster", f"{alt}.", paint, height=height)
