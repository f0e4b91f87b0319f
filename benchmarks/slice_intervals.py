"""Whether the intervals of slices cover, and whether Holm's level holds over all slices.

Test sets are drawn from the population of `benchmarks/populations.py` with the labels of KLUE-STS
dev, where the true difference of two encoders in mean absolute error and in Pearson is known.
Coverage is the share of slices of n pairs whose 95% interval holds the truth. Holm's level is the
share of test sets without any true difference in which at least one of many overlapping slices is
called significant.

    python -m benchmarks.slice_intervals
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.populations import Cell, Klue
from kosim.encoders.errors import UndefinedMetricError
from kosim.encoders.metrics import Floats
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.comparison.slices import METRICS, RESAMPLES
from kosim.experiments.statistics.significance import difference, holm
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parent / "results"
SIZES = (20, 50, 100, 200)
PAIRS = ((0.85, 0.85), (0.85, 0.90))
RESAMPLES_OF_INTERVALS = 399


def true_error(rho: float) -> float:
    """Return the mean absolute error of scores with this Pearson: E|N(0, s)| = s sqrt(2 / pi)."""
    klue = Klue()
    spread = klue.shares @ klue._spread(klue.values)
    return float(np.sqrt(2 / np.pi) * klue._scale(rho) * spread)


def coverage(n: int, first: float, second: float, replicates: int) -> dict[str, Any]:
    """Return the share of intervals that hold the truth, and of undefined ones, by metric."""
    cell = Cell("slice", Klue(), first, second, n=n)
    truths = {"error": true_error(first) - true_error(second), "pearson": first - second}
    held = dict.fromkeys(METRICS, 0)
    undefined = dict.fromkeys(METRICS, 0)
    for number in range(replicates):
        labels, one, other = cell.draw(np.random.default_rng([25, number, n]))
        for name, metric in METRICS.items():
            try:
                found = difference(
                    labels, one, other, metric, resamples=RESAMPLES_OF_INTERVALS, seed=number
                )
            except UndefinedMetricError:
                undefined[name] += 1
                continue
            held[name] += found.low <= truths[name] <= found.high
    return {
        "n": n,
        "first": first,
        "second": second,
        **{name: held[name] / (replicates - undefined[name]) for name in METRICS},
        "undefined": undefined,
    }


def overlapping(labels: Floats, generator: np.random.Generator) -> list[Floats]:
    """Return the rows of slices like those of a comparison: bands, thirds, crossings, rare ones."""
    free = generator.random(len(labels))
    masks = [(labels >= low) & (labels <= low + 1) for low in range(5)]
    masks += [(free >= low / 3) & (free < (low + 1) / 3) for low in range(3)]
    masks += [(free < 0.5) == much for much in (True, False)]
    masks += [
        ((free < 0.5) == much) & ((labels < 3) == low)
        for much in (True, False)
        for low in (True, False)
    ]
    masks += [generator.random(len(labels)) < share for share in (0.05, 0.1, 0.1, 0.2, 0.3, 0.5)]
    return [np.flatnonzero(mask) for mask in masks]


def level(replicates: int) -> dict[str, Any]:
    """Return how often any slice is called significant where no difference is true."""
    cell = Cell("level", Klue(), 0.85, 0.85)
    alarms, unadjusted, count = 0, 0, 0
    for number in range(replicates):
        generator = np.random.default_rng([52, number])
        labels, one, other = cell.draw(generator)
        slices = overlapping(labels, generator)
        count = len(slices)
        p_values = [
            difference(
                labels[rows],
                one[:, rows],
                other[:, rows],
                METRICS["error"],
                resamples=RESAMPLES,
                seed=number,
            ).p_value
            for rows in slices
        ]
        alarms += min(holm(p_values)) <= 0.05
        unadjusted += min(p_values) <= 0.05
    return {
        "test_sets": replicates,
        "slices": count,
        "any_false_alarm": alarms / replicates,
        "any_false_alarm_unadjusted": unadjusted / replicates,
    }


def to_markdown(results: dict[str, Any]) -> str:
    """Return the tables that are committed."""
    lines = [
        "# Intervals and tests of slices, simulated",
        "",
        f"`{results['command']}`: share of 95% intervals of the difference between two encoders "
        f"that hold the true one, in {results['replicates']:,} draws of n pairs "
        f"({RESAMPLES_OF_INTERVALS} resamples each).",
        "",
        "| n | true Pearsons | mean error | Pearson |",
        "|---:|---|---:|---:|",
    ]
    for row in results["coverage"]:
        lines.append(
            f"| {row['n']} | {row['first']:.2f}, {row['second']:.2f} | {row['error']:.1%} | "
            f"{row['pearson']:.1%} |"
        )
    found = results["level"]
    lines += [
        "",
        f"In {found['test_sets']:,} test sets of 519 pairs without any true difference, at least "
        f"one of {found['slices']} overlapping slices was called significant at 5% in "
        f"{found['any_false_alarm']:.1%} after Holm's adjustment "
        f"({found['any_false_alarm_unadjusted']:.1%} without it).",
    ]
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--replicates", default=1_000, show_default=True, help="Draws of each cell.")
@click.option("--test-sets", default=400, show_default=True, help="Test sets for Holm's level.")
def main(replicates: int, test_sets: int) -> None:
    """Simulate both and write the results."""
    results = {
        "command": f"python -m benchmarks.slice_intervals --replicates {replicates} "
        f"--test-sets {test_sets}",
        "replicates": replicates,
        "coverage": [
            coverage(n, *correlations, replicates) for correlations in PAIRS for n in SIZES
        ],
        "level": level(test_sets),
        "environment": describe_environment(),
    }
    write_json(RESULTS / "slice_intervals.json", results)
    write_text(RESULTS / "slice_intervals.md", to_markdown(results))


if __name__ == "__main__":
    main()
