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
from benchmarks.statistics_report import report
from kosim.encoders.metrics import Floats
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.statistics.influence import F1, Pearson, Spearman
from kosim.experiments.statistics.paired_tests import mcnemar_midp, williams
from kosim.experiments.statistics.resampling import resample_weights
from kosim.experiments.statistics.significance import difference, estimate

ALPHA = 0.05
CHUNK = 100
"""Replicates between two savings of the results."""


def percentile(values: Floats) -> tuple[float, float]:
    """Return the plain percentile bootstrap's interval.

    Its quantiles are at (resamples + 1) alpha / 2, as kosim's: others are up to a point of
    coverage too narrow with few resamples, which would not be the method's fault.
    """
    low, high = np.nanquantile(values, [ALPHA / 2, 1 - ALPHA / 2], method="weibull")
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
        plain, other_plain = of_first.prepare(labels, first), of_second.prepare(labels, second)
        drawn = [(plain(w)[0], other_plain(w)[0]) for w in resample_weights(cell.n, **draws)]
        values, other_values = np.concatenate(drawn, axis=1)
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
                "thresholds": list(cell.thresholds),
                "truth": {"first": asdict(first), "second": asdict(second)},
                "replicates": 0,
                "counts": {},
            },
        )
        while kept["replicates"] < replicates:
            counts = Counter(kept["counts"])
            end = min(replicates, kept["replicates"] + CHUNK)
            for number in range(kept["replicates"], end):
                replicate(cell, number, resamples, counts)
            kept["counts"] = dict(sorted(counts.items()))
            kept["replicates"] = end
            results["environment"] = environment()
            write_json(out, results)
            print(f"{cell.name}: {end} of {replicates}", flush=True)
    return results


def timings() -> dict[str, float]:
    """Return the processor seconds of a paired difference from 10,000 resamples of 519 pairs."""
    labels, first, second = all_cells()[0].draw(np.random.default_rng(0))
    seconds = {}
    for name, metric in (("Pearson", Pearson()), ("Spearman", Spearman()), ("F1", F1())):
        runs = []
        for _ in range(3):
            start = time.process_time()
            difference(labels + 3, first + 3, second + 3, metric)
            runs.append(time.process_time() - start)
        seconds[name] = round(min(runs), 2)
    return seconds


def environment() -> dict[str, str]:
    """Return when and on what this ran."""
    cpu = Path("/proc/cpuinfo")
    vectors = "AVX2" if cpu.exists() and "avx2" in cpu.read_text() else platform.machine()
    return {
        "date": time.strftime("%Y-%m"),
        "hardware": f"{os.cpu_count()} cores, {vectors}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


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
    target = options.out / "statistics.json"
    results = run(chosen, options.replicates, options.resamples, target)
    results["seconds"] = timings()
    write_json(target, results)
    write_text(options.out / "statistics.md", report(results))


if __name__ == "__main__":
    main()
