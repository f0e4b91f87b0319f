"""The table of peers as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kosim.experiments.study.environment import processor_of
from kosim.experiments.study.notation import amount, count, decimal, duration

_TITLES = {
    "encode": ("Encoding sentences", "sentences/s", "mean cosine"),
    "score": ("Scoring pairs", "pairs/s", "Pearson"),
    "rerank": ("Retrieve and rerank", "queries/s", "shared top 10"),
    "vectors": ("Searching vectors", "queries/s", "shared top 10"),
}
_HEAD = (
    "| | {unit} | times faster | one, p50 | of the peer's | p95 | of the peer's | cold start "
    "| peak memory | {agreement} |"
)
_RULE = "|---|" + "---:|" * 9


def markdown(results: Mapping[str, Any]) -> str:
    """Return the report: one table a task, then who is absent and why, then the settings."""
    settings, environment = results["settings"], results["environment"]
    lines = [
        "# kosim beside its peers",
        "",
        f"{results['corpus']['origin']}, {count(results['corpus']['sentences'])} sentences; "
        f"{processor_of(environment)}, {settings['threads']} threads; "
        f"{settings['rounds']} rounds in turn, ratios are medians over the rounds. Times faster "
        "and agreement are with the first peer of each table. "
        "`python -m benchmarks.peers.run` makes this page.",
    ]
    for task in dict.fromkeys(row["task"] for row in results["rows"]):
        title, unit, agreement = _TITLES[task]
        rows = [row for row in results["rows"] if row["task"] == task]
        lines += ["", f"## {title}", "", _HEAD.format(unit=unit, agreement=agreement), _RULE]
        lines += [_line(row) for row in rows]
    if results["absent"]:
        lines += ["", "## Not measured", ""]
        lines += [f"* {name}: {reason}" for name, reason in results["absent"].items()]
    shown = ", ".join(f"{name} {count(value)}" for name, value in settings.items())
    return "\n".join([*lines, "", f"Settings: {shown}.", ""])


def _line(row: Mapping[str, Any]) -> str:
    cells = [
        row["name"],
        amount(row["items_per_second"]),
        f"{row['times_faster']:.2f}",
        duration(row["p50_ms"] / 1000).en,
        f"{row['p50_share']:.2f}",
        duration(row["p95_ms"] / 1000).en,
        f"{row['p95_share']:.2f}",
        duration(row["cold_start_seconds"]).en,
        f"{count(row['peak_memory_mib'])} MiB",
        decimal(row["agreement"], 4),
    ]
    return f"| {' | '.join(cells)} |"
