"""How many minimal pairs are right: those drawn of each phenomenon, read one by one.

A pair is right when both sentences are Korean that somebody could write, and differ as claimed: a
contrast changes what is said, and a rewriting keeps it. Each of ``READINGS`` says which pairs of a
draw a reader disputed, and why. The last one belongs to the rules as they are: the script refuses
pairs of another digest. After those before it, the rules that had made disputed pairs were mended.
The pairs are written to ``--out``, which stays out of the repository.

    python -m benchmarks.minimal_pairs ../shared/data/corpus/ko-sentences.txt.gz
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import click
from scipy.stats import binomtest

from kosim.encoders.storage import content_checksum, write_json, write_text
from kosim.experiments.study.environment import describe_environment
from kosim.experiments.teaching.minimal_pairs import LABELS, minimal_pairs

RESULTS = Path(__file__).parent / "results"
COUNT, EACH = 1_600, 13

BY_CONSTRUCTION = ("spacing", "full-width", "decomposed", "identical")
"""Phenomena that need no reading: their rule touches no word."""


class Reading(NamedTuple):
    """What a reader disputed of a draw: reasons by phenomenon and number."""

    seed: int
    digest: str
    disputed: dict[str, dict[int, str]]


READINGS = (
    Reading(
        seed=30,
        digest="73ca12419717",
        disputed={
            "negation": {
                2: "the clause joined by 도 is denied, the one before is not",
                3: "a proposal is denied as if it were a statement",
            },
            "antonym": {
                11: "nobody says 도시 마을",
                12: "가능하면 is a phrase of its own, with no opposite",
                13: "it contradicts 잘 만들어진",
            },
            "time": {4: "a 저녁 일정 in the morning"},
            "name": {4: "a lacking heater is no reason for a warm room"},
            "role": {7: "an order to oneself"},
            "modality": {
                8: "해도 됐던 in a clause inside makes no sense",
                10: "nobody has the duty to rest well",
            },
            "quantity": {
                3: "조금 softens 많이, and 많이 많이 says nearly the same",
                10: "nobody greets a friend by a smile that is pretty at times",
                12: "nobody says 조금 나온 소재",
            },
            "style": {8: "없는가 became 없는갑니까"},
            "particle": {7: "고집 영화 is read as one word"},
            "order": {
                1: "평균 오점이나 지연이 is read as an alternative",
                12: "내일 아침에 belongs to 과외 일정",
            },
            "paraphrase": {13: "답장을 원하면 is read as wanting a reply"},
        },
    ),
)


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), default="build/minimal_pairs.tsv")
def main(corpus: Path, out: Path) -> None:
    """Draw pairs of CORPUS (gzipped sentences), and write the share that was disputed."""
    with gzip.open(corpus, "rt", encoding="utf-8") as file:
        made = minimal_pairs((line.rstrip("\n") for line in file), COUNT, READINGS[-1].seed)
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
    *earlier, last = READINGS
    if digest != last.digest:
        raise click.ClickException(f"{out} ({digest}) was not read; read it and add a Reading")
    rows = {name: _share(len(read[name]), len(last.disputed.get(name, ()))) for name in names}
    contrasts = [name for name in names if LABELS[name] <= 2]
    total = {
        "contrasts": _share(*_sums(rows, contrasts)),
        "all": _share(*_sums(rows, names)),
    }
    before = {
        one.seed: (_share(EACH * len(names), len(_reasons(one))), _reasons(one)) for one in earlier
    }
    results = {
        "command": "python -m benchmarks.minimal_pairs ko-sentences.txt.gz",
        "pairs": COUNT,
        "seed": last.seed,
        "read": digest,
        "phenomena": rows,
        "together": total,
        "disputed": _reasons(last),
        "earlier": {seed: {**row, "disputed": why} for seed, (row, why) in before.items()},
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
        *(f"- {one}" for one in _reasons(last)),
    ]
    for seed, (row, reasons) in before.items():
        lines += [
            "",
            f"Of a draw before (seed {seed}, {row['n']} pairs), {_written(row)} were right; then "
            "the rules were mended that had made these:",
            "",
            *(f"- {reason}" for reason in reasons),
        ]
    write_text(RESULTS / "minimal_pairs.md", "\n".join(lines) + "\n")


def _reasons(reading: Reading) -> list[str]:
    return [
        f"{name} {number}: {why}"
        for name, found in reading.disputed.items()
        for number, why in sorted(found.items())
    ]


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
