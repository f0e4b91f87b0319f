"""How many minimal pairs are right: those drawn of each phenomenon, read one by one.

A pair is right when both sentences are Korean that somebody could write, and differ as claimed: a
contrast changes what is said, and a rewriting keeps it. ``DISPUTED`` are the numbers of the pairs
that a reader disputed, and why; it belongs to the pairs whose digest is ``READ``, and the script
refuses others. The pairs are written to ``--out``, which stays out of the repository.

    python -m benchmarks.minimal_pairs ../shared/data/corpus/ko-sentences.txt.gz
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from pathlib import Path

import click
from scipy.stats import binomtest

from kosim.encoders.storage import content_checksum, write_json, write_text
from kosim.experiments.study.environment import describe_environment
from kosim.experiments.teaching.minimal_pairs import LABELS, minimal_pairs

RESULTS = Path(__file__).parent / "results"
COUNT, SEED, EACH = 1_600, 30, 13

BY_CONSTRUCTION = ("spacing", "full-width", "decomposed", "identical")
"""Phenomena that need no reading: their rule touches no word."""

READ = ""
DISPUTED: dict[str, dict[int, str]] = {}


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), default="build/minimal_pairs.tsv")
def main(corpus: Path, out: Path) -> None:
    """Draw pairs of CORPUS (gzipped sentences), and write the share that was disputed."""
    with gzip.open(corpus, "rt", encoding="utf-8") as file:
        made = minimal_pairs((line.rstrip("\n") for line in file), COUNT, SEED)
    names = [name for name in LABELS if name not in BY_CONSTRUCTION]
    read: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pair, name in zip(made.pairs, made.sources, strict=True):
        if len(read[name]) < EACH:
            read[name].append(pair)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        for name in names:
            for number, pair in enumerate(read[name], start=1):
                writer.writerow([name, number, *pair])
    digest = content_checksum({name: read[name] for name in names})[:12]
    if digest != READ:
        raise click.ClickException(f"{out} ({digest}) was not read; read it and note DISPUTED")
    rows = {name: _share(len(read[name]), len(DISPUTED.get(name, ()))) for name in names}
    contrasts = [name for name in names if LABELS[name] <= 2]
    reasons = [
        f"{name} {number}: {why}"
        for name, found in DISPUTED.items()
        for number, why in sorted(found.items())
    ]
    total = {
        "contrasts": _share(*_sums(rows, contrasts)),
        "all": _share(*_sums(rows, names)),
    }
    results = {
        "command": "python -m benchmarks.minimal_pairs ko-sentences.txt.gz",
        "pairs": COUNT,
        "seed": SEED,
        "read": digest,
        "phenomena": rows,
        "together": total,
        "disputed": reasons,
        "environment": describe_environment(),
    }
    write_json(RESULTS / "minimal_pairs.json", results)
    lines = [
        "# How many minimal pairs to train on are right",
        "",
        f"`{results['command']}`: up to {EACH} pairs of each phenomenon, of {COUNT:,} made "
        "of 799,122 sentences and of commands, read by a language model, which helped to write the "
        "rules; no person has read them. Right: both sentences are possible Korean and differ as "
        "claimed. 95% intervals (Wilson).",
        "",
        "| phenomenon | label | read | right |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {LABELS[name]:g} | {row['n']} | {_written(row)} |"
            for name, row in rows.items()
        ),
        *(f"| **{name}** | | {row['n']} | {_written(row)} |" for name, row in total.items()),
        "",
        "Disputed, by the number in the draw:",
        "",
        *(f"- {one}" for one in reasons),
    ]
    write_text(RESULTS / "minimal_pairs.md", "\n".join(lines) + "\n")


def _sums(rows: dict[str, dict[str, float]], names: list[str]) -> tuple[int, int]:
    n = sum(int(rows[name]["n"]) for name in names)
    return n, n - sum(round(rows[name]["right"] * rows[name]["n"]) for name in names)


def _share(n: int, disputed: int) -> dict[str, float]:
    interval = binomtest(n - disputed, n).proportion_ci(method="wilson")
    return {"n": n, "right": 1 - disputed / n, "low": interval.low, "high": interval.high}


def _written(row: dict[str, float]) -> str:
    return f"{row['right']:.0%} [{row['low']:.0%}, {row['high']:.0%}]"


if __name__ == "__main__":
    main()
