"""What `benchmarks/statistics.py` found, as Markdown."""

from __future__ import annotations

import math
from typing import Any

TARGETS = {"interval": (0.94, 0.96), "difference": (0.94, 0.96), "significant": (0.04, 0.06)}
MCNEMAR_TARGET = (0.02, 0.07)

COLUMNS = {
    "interval": {
        "Pearson": "pearson/kosim",
        "percentile": "pearson/percentile",
        "Fisher z": "pearson/fisher",
        "Spearman": "spearman/kosim",
        "Fisher z of ranks": "spearman/fisher",
        "F1": "f1/kosim",
        "percentile of F1": "f1/percentile",
    },
    "difference": {
        "Pearson": "pearson/kosim",
        "percentile": "pearson/percentile",
        "Spearman": "spearman/kosim",
        "F1": "f1/kosim",
        "percentile of F1": "f1/percentile",
    },
    "significant": {
        "Pearson": "pearson/kosim",
        "percentile": "pearson/percentile",
        "Williams": "pearson/williams",
        "Spearman": "spearman/kosim",
        "F1": "f1/kosim",
        "percentile of F1": "f1/percentile",
        "McNemar mid-p": "mcnemar/kosim",
    },
}


Cells = dict[str, dict[str, Any]]


def report(results: dict[str, Any]) -> str:
    """Return the results as Markdown: what was promised, whether it held, and all tables."""
    cells: Cells = results["cells"]
    equal = {name: cell for name, cell in cells.items() if _is_equal(cell["truth"])}
    unequal = {name: cell for name, cell in cells.items() if name not in equal}
    judged = [
        *_judge("interval", cells),
        *_judge("difference", cells),
        *_judge("significant", equal),
    ]
    missed = [text for text, met in judged if not met]
    fewest = min(cell["replicates"] for cell in cells.values())
    ran = results["environment"]
    seconds = ", ".join(f"{name} {taken:.2f}" for name, taken in results["seconds"].items())
    lines = [
        "# The statistics, simulated",
        "",
        f"`python -m benchmarks.statistics --replicates {fewest} --resamples "
        f"{results['resamples']}`, {ran['date']}, {ran['hardware']}, Python {ran['python']}, numpy "
        f"{ran['numpy']}; at least {fewest:,} replicates a population, 519 pairs where nothing "
        "else is said. Populations that are not listed were not run.",
        "",
        f"**{len(judged) - len(missed)} of {len(judged)} figures at 519 pairs and one seed are "
        "within their targets** (intervals hold the truth in 94-96 %, tests raise false alarms in "
        "4-6 %, McNemar's in 2-7 %)." + (f" Outside: {'; '.join(missed)}." if missed else ""),
        "",
        "By chance alone a share that is truly 95 % comes out within "
        f"{196 * math.sqrt(0.05 * 0.95 / fewest):.1f} points of it in 19 of 20 populations. Bold "
        "is outside the target. Columns that name a metric alone are kosim's; the others are "
        "plain methods for comparison. `normal`: labels and scores jointly normal. `klue`: the "
        "labels of KLUE-STS dev, with errors that are smaller at the ends of the scale. A number "
        "is the true Pearson of both encoders, two numbers are those of unequal encoders; "
        "`unlike`: equal F1 at thresholds that trade precision for recall differently.",
        "",
        "10,000 resamples of 519 pairs for one paired difference take, in processor seconds: "
        f"{seconds}.",
    ]
    for title, figure, chosen, with_target in (
        ("95 % intervals of one encoder's figure that hold the truth", "interval", cells, True),
        ("95 % intervals of a difference that hold the truth", "difference", cells, True),
        ("Tests at 5 % that see a difference where there is none", "significant", equal, True),
        ("Tests at 5 % that see a difference where there is one", "significant", unequal, False),
    ):
        lines += ["", f"## {title} (%)", "", *_table(figure, chosen, judged=with_target)]
    return "\n".join(lines) + "\n"


def _is_equal(truth: dict[str, dict[str, float]]) -> bool:
    return all(math.isclose(truth["first"][name], truth["second"][name]) for name in truth["first"])


def _share(cell: dict[str, Any], figure: str, column: str) -> float | None:
    """Return a counted share, or None where the method does not apply."""
    if column.startswith("mcnemar") and cell["thresholds"][0] != cell["thresholds"][1]:
        return None  # Equal F1 at unlike thresholds are unequal shares of right decisions.
    count = cell["counts"].get(f"{figure}/{column}")
    return None if count is None else float(count / cell["replicates"])


def _meets(share: float, figure: str, column: str) -> bool:
    low, high = MCNEMAR_TARGET if column.startswith("mcnemar") else TARGETS[figure]
    return low <= share <= high


def _judge(figure: str, cells: Cells) -> list[tuple[str, bool]]:
    """Return what was promised: kosim's figures at 519 pairs and one seed, and if each is met."""
    judged = []
    for name, cell in cells.items():
        for title, column in COLUMNS[figure].items():
            share = _share(cell, figure, column)
            promised = column.endswith("/kosim") and cell["pairs"] == 519 and cell["seeds"] == 1
            if promised and share is not None:
                text = f"{figure}, {title}, {name}: {100 * share:.1f} %"
                judged.append((text, _meets(share, figure, column)))
    return judged


def _table(figure: str, cells: Cells, *, judged: bool) -> list[str]:
    columns = COLUMNS[figure]
    lines = ["| population | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, cell in cells.items():
        texts = []
        for column in columns.values():
            share = _share(cell, figure, column)
            text = "-" if share is None else f"{100 * share:.1f}"
            missed = judged and share is not None and not _meets(share, figure, column)
            texts.append(f"**{text}**" if missed else text)
        lines.append(f"| {name} | " + " | ".join(texts) + " |")
    return lines
