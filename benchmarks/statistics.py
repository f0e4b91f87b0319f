"""Are the intervals and tests of a comparison right? Simulated where the truth is known.

Each cell is a population of labels and two encoders' scores whose true Pearson, Spearman and F1
are known. Every replicate draws a test set from it and asks the library for its intervals and
tests. Counted is how often the 95 % intervals hold the truth, and how often the tests at 5 % see
a difference, where there is none or where there is one; beside it, how plain methods do.

    python -m benchmarks.statistics                      # resumes after a kill
    python -m benchmarks.statistics --replicates 200 --cells klue-0.90 --out FOLDER
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from benchmarks.populations import Cell, all_cells
from encoders.storage import write_json, write_text
from experiments.influence import F1, Pearson, Spearman
from experiments.metrics import Floats
from experiments.paired_tests import mcnemar_midp, williams
from experiments.resampling import resample_weights
from experiments.significance import difference, estimate

ALPHA = 0.05
CHUNK = 100
TARGETS = {"interval": (0.94, 0.96), "difference": (0.94, 0.96), "significant": (0.04, 0.06)}
MCNEMAR_TARGET = (0.02, 0.07)


def percentile(values: Floats) -> tuple[float, float]:
    """Return the plain percentile bootstrap's interval."""
    low, high = np.nanquantile(values, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def fisher(value: float, variance: float, n: int) -> tuple[float, float]:
    """Return the textbook interval of a correlation, on Fisher's z scale."""
    z, half = np.arctanh(value), norm.ppf(1 - ALPHA / 2) * np.sqrt(variance / (n - 3))
    return float(np.tanh(z - half)), float(np.tanh(z + half))


def replicate(cell: Cell, number: int, resamples: int, counts: Counter[str]) -> None:
    """Draw the cell's test set ``number``, ask for its intervals and tests, and count."""
    labels, first, second = cell.draw(np.random.default_rng([number, cell.n]))
    at_first, at_second = cell.thresholds
    cut = cell.population.label_threshold
    draws = {"resamples": resamples, "seed": number}
    weights = np.concatenate(list(resample_weights(cell.n, **draws)))

    def covers(method: str, bounds: tuple[float, float], truth: float) -> None:
        counts[method] += bounds[0] <= truth <= bounds[1]

    def detects(method: str, seen: bool) -> None:
        counts[f"significant/{method}"] += seen

    for name, of_first, of_second in (
        ("pearson", Pearson(), Pearson()),
        ("spearman", Spearman(), Spearman()),
        ("f1", F1(at_first, label_threshold=cut), F1(at_second, label_threshold=cut)),
    ):
        truth, other = (getattr(each, name) for each in cell.truths)
        found = estimate(labels, first, of_first, **draws)
        covers(f"interval/{name}/kosim", (found.low, found.high), truth)
        paired = difference(labels, first, second, of_first, of_second, **draws)
        covers(f"difference/{name}/kosim", (paired.low, paired.high), truth - other)
        detects(f"{name}/kosim", paired.p_value <= ALPHA)
        if name == "spearman":
            # The variance is Bonett & Wright's (2000). A second bootstrap of ranks is left out,
            # as it would take as long as all the rest.
            bounds = fisher(found.value, 1 + found.value**2 / 2, cell.n)
            covers(f"interval/{name}/fisher", bounds, truth)
            continue
        values, _ = of_first.prepare(labels, first)(weights)
        other_values, _ = of_second.prepare(labels, second)(weights)
        covers(f"interval/{name}/percentile", percentile(values), truth)
        bounds = percentile(values - other_values)
        covers(f"difference/{name}/percentile", bounds, truth - other)
        detects(f"{name}/percentile", not bounds[0] <= 0 <= bounds[1])
        if name == "pearson":
            covers(f"interval/{name}/fisher", fisher(found.value, 1, cell.n), truth)
            if cell.seeds == 1:
                p_value = williams(labels, first[0], second[0]).p_value
                detects(f"{name}/williams", p_value <= ALPHA)
    decisions = mcnemar_midp(
        labels,
        first,
        second,
        thresholds_first=at_first,
        thresholds_second=at_second,
        label_threshold=cut,
    )
    detects("mcnemar/kosim", decisions.p_value <= ALPHA)


def run(cells: list[Cell], replicates: int, resamples: int, out: Path) -> dict[str, Any]:
    """Run what is missing of the cells, keeping every finished chunk in ``out``."""
    results: dict[str, Any] = {"resamples": resamples, "cells": {}}
    if out.exists():
        results = json.loads(out.read_text(encoding="utf-8"))
        if results["resamples"] != resamples:
            raise SystemExit(f"{out} holds a run of {results['resamples']} resamples; move it")
    for cell in cells:
        first, second = cell.truths
        kept = results["cells"].setdefault(
            cell.name,
            {
                "pairs": cell.n,
                "seeds": cell.seeds,
                "truth": {"first": asdict(first), "second": asdict(second)},
                "replicates": 0,
                "seconds": 0.0,
                "counts": {},
            },
        )
        while kept["replicates"] < replicates:
            start, counts = time.perf_counter(), Counter(kept["counts"])
            end = min(replicates, kept["replicates"] + CHUNK)
            for number in range(kept["replicates"], end):
                replicate(cell, number, resamples, counts)
            kept["counts"] = dict(sorted(counts.items()))
            kept["replicates"] = end
            kept["seconds"] = round(kept["seconds"] + time.perf_counter() - start, 1)
            results["environment"] = environment()
            write_json(out, results)
            print(f"{cell.name}: {end} of {replicates}, {kept['seconds']:.0f} s", flush=True)
    return results


def environment() -> dict[str, str]:
    """Return when and on what this ran."""
    cpu = Path("/proc/cpuinfo")
    vectors = "AVX2" if cpu.exists() and "avx2" in cpu.read_text() else platform.machine()
    return {
        "command": "python -m benchmarks.statistics",
        "date": time.strftime("%Y-%m"),
        "hardware": f"{os.cpu_count()} cores, {vectors}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


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


def share(name: str, kept: dict[str, Any], figure: str, column: str) -> float | None:
    """Return a counted share, or None where the method does not apply."""
    if column.startswith("mcnemar") and "unlike" in name:
        return None  # equal F1 at unlike thresholds are unequal shares of right decisions
    count = kept["counts"].get(f"{figure}/{column}")
    return None if count is None else float(count / kept["replicates"])


def meets(value: float, figure: str, column: str) -> bool:
    """Return whether a share lies in the range in which it should."""
    low, high = MCNEMAR_TARGET if column.startswith("mcnemar") else TARGETS[figure]
    return low <= value <= high


def table(figure: str, cells: dict[str, Any], *, judged: bool = True) -> list[str]:
    """Return a Markdown table of shares in per cent; judged, what misses its target is bold."""
    columns = COLUMNS[figure]
    lines = ["| population | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, kept in cells.items():
        values = []
        for column in columns.values():
            value = share(name, kept, figure, column)
            text = "-" if value is None else f"{100 * value:.1f}"
            missed = judged and value is not None and not meets(value, figure, column)
            values.append(f"**{text}**" if missed else text)
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return lines


def report(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    cells = {name: kept for name, kept in results["cells"].items() if kept["replicates"]}
    equal = {
        n: kept
        for n, kept in cells.items()
        if kept["truth"]["first"] == kept["truth"]["second"] or "unlike" in n
    }
    unequal = {name: kept for name, kept in cells.items() if name not in equal}
    promised, missed = 0, []
    for figure, chosen in (("interval", cells), ("difference", cells), ("significant", equal)):
        for name, kept in chosen.items():
            for title, column in COLUMNS[figure].items():
                value = share(name, kept, figure, column)
                if (
                    value is None
                    or not column.endswith("kosim")
                    or name.endswith(("pairs", "seeds"))
                ):
                    continue
                promised += 1
                if not meets(value, figure, column):
                    missed.append(f"{figure} of {title}, {name}: {100 * value:.1f} %")
    fewest = min(kept["replicates"] for kept in cells.values())
    ran = results["environment"]
    lines = [
        "# The statistics, simulated",
        "",
        f"`{ran['command']}`, {ran['date']}, {ran['hardware']}, Python {ran['python']}, numpy "
        f"{ran['numpy']}; at least {fewest:,} replicates a population, {results['resamples']} "
        "resamples each, 519 pairs where nothing else is said.",
        "",
        f"**{promised - len(missed)} of {promised} figures at 519 pairs are within their targets** "
        "(intervals 94-96 %, false alarms 4-6 %, McNemar 2-7 %). "
        + (f"Outside: {'; '.join(missed)}." if missed else "None is outside."),
        "",
        f"By chance alone a share that is truly 95 % comes out within "
        f"{196 * np.sqrt(0.05 * 0.95 / fewest):.1f} points of it in 19 of 20 populations. Bold is "
        "outside the target. Columns that name a metric alone are kosim's; the others are plain "
        "methods for comparison. `normal`: labels and scores jointly normal. `klue`: the labels "
        "of KLUE-STS dev, with errors that are smaller at the ends of the scale. The number is "
        "the true Pearson of the encoder, two numbers those of unequal encoders; `unlike`: equal "
        "F1 at thresholds that trade precision for recall differently.",
        "",
        "## How often 95 % intervals of one encoder's figure hold the truth (%)",
        "",
        *table("interval", cells),
        "",
        "## How often 95 % intervals of a difference hold the truth (%)",
        "",
        *table("difference", cells),
        "",
        "## How often tests at 5 % find a difference where there is none (%)",
        "",
        *table("significant", equal),
        "",
        "## How often tests at 5 % find a difference where there is one (%)",
        "",
        *table("significant", unequal, judged=False),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the cells and write ``statistics.json`` and ``statistics.md``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=4000, help="test sets a population")
    parser.add_argument("--resamples", type=int, default=399, help="resamples a test set")
    parser.add_argument("--cells", help="names of populations, separated by commas; all if absent")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    cells = all_cells()
    names = options.cells.split(",") if options.cells else [cell.name for cell in cells]
    if unknown := set(names) - {cell.name for cell in cells}:
        parser.error(f"unknown populations: {', '.join(sorted(unknown))}")
    chosen = [cell for cell in cells if cell.name in names]
    results = run(chosen, options.replicates, options.resamples, options.out / "statistics.json")
    write_text(options.out / "statistics.md", report(results))


if __name__ == "__main__":
    main()
