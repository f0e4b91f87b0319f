"""What each part of teaching gains where people labelled few pairs: how pairs are found, starts.

A teacher of the other kind, trained on the gold pairs alone, labels pairs of the corpus. Students
of one kind learn some of them, found in one way or in several, and then the gold pairs; one learns
the gold pairs alone. All are tested on KLUE-STS dev, whose sentences no pair holds.

    DATA="--train ../shared/data/klue-sts/train.csv --limit 2000 --max-length 128
      --test ../shared/data/klue-sts/klue-sts-v1.1_dev.json"
    for kind in bi cross; do
      kosim train $kind $DATA --backbone mini --out runs/teaching-parts/teacher-$kind
    done
    python -m benchmarks.teaching_parts bi --teacher runs/teaching-parts/teacher-cross
    python -m benchmarks.teaching_parts cross --teacher runs/teaching-parts/teacher-bi

A run that was killed goes on when it is called again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pandas as pd

import kosim
from benchmarks.figures import gap, interval
from kosim.encoders.base import PairEncoder
from kosim.encoders.metrics import Floats, f1
from kosim.encoders.records import LabelledPairs
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.data.partition import load_partition
from kosim.experiments.settings import DataSettings
from kosim.experiments.statistics.significance import Pearson, difference, estimate
from kosim.experiments.study.environment import describe_environment, processor_of

RESULTS = Path(__file__).parent / "results"
SHARED = Path("../shared/data")

SOURCES = ("vectors", "bm25", "random", "hard")
ALL, GOLD, START = "all four", "gold pairs alone", "all four, from the teacher's weights"
PARTS: dict[str, tuple[str, ...]] = {
    **{source: (source,) for source in SOURCES},
    "vectors, bm25 and random": SOURCES[:3],
}


class Student(NamedTuple):
    """An encoder, and how many silver pairs it learnt."""

    path: Path
    pairs: int


def students(kind: str, teacher: str, folder: Path, settings: dict[str, Any]) -> dict[str, Student]:
    """Train the students that are not there yet."""
    mini = {"backbone": "mini", "max_length": 128, "training": settings.pop("training")}
    corpus = settings.pop("corpus")
    whole = folder / "all"
    results = kosim.teach(
        kind,  # type: ignore[arg-type]
        teachers=teacher,
        corpus=corpus,
        student=mini,
        baseline=True,
        candidates=4 * settings["pairs"],
        out=whole,
        resume=True,
        **settings,
    )
    found = {
        GOLD: Student(whole / f"{kind}-baseline" / "seed-1", 0),
        ALL: Student(whole / kind / "seed-1", results.silver[0].pairs),
    }
    labelled = pd.read_parquet(whole / "labelled.parquet")
    for name, sources in {**PARTS, START: SOURCES}.items():
        out = folder / name.replace(" ", "-")
        silver = out.with_name(f"{out.name}.parquet")
        labelled[labelled["source"].isin(sources)].to_parquet(silver)
        student = {**mini, "backbone": teacher} if name == START else mini
        results = kosim.teach(
            kind,  # type: ignore[arg-type]
            silver=str(silver),
            student=student,
            out=out,
            resume=True,
            **settings,
        )
        found[name] = Student(out / kind / "seed-1", results.silver[0].pairs)
    return found


def scores_of(encoder: PairEncoder, test: LabelledPairs) -> Floats:
    """Return the encoder's scores of the n test pairs: (n,)."""
    return np.asarray(encoder.score(test.pairs), dtype=np.float64)


def measure(found: dict[str, Student], test: LabelledPairs) -> list[dict[str, Any]]:
    """Return the figures of each student and its gap to the one of gold pairs alone."""
    gold = scores_of(kosim.load(found[GOLD].path), test)
    rows: list[dict[str, Any]] = []
    for name, student in found.items():
        encoder = kosim.load(student.path)
        scores = scores_of(encoder, test)
        rows.append(
            {
                "learns": name,
                "pairs": student.pairs,
                "pearson": vars(estimate(test.labels, scores, Pearson())),
                "f1": f1(test.labels, scores, threshold=encoder.threshold),
                "gap": vars(difference(test.labels, scores, gold, Pearson()))
                if name != GOLD
                else None,
            }
        )
    return rows


def to_markdown(content: dict[str, Any]) -> str:
    """Return the tables of both kinds, as far as they were run."""
    lines = ["# What each part of teaching gains", "", content["says"]]
    for kind, run in sorted(content["kinds"].items()):
        other = {"bi": "cross", "cross": "bi"}[kind]
        teacher = run["teacher"]
        lines += [
            "",
            f"## A {kind}-encoder taught by a {other}-encoder",
            "",
            f"The teacher has a Pearson correlation of {interval(teacher)} itself.",
            "",
            "| the student learns | silver pairs | Pearson | F1 tuned | minus gold alone | p |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for row in run["rows"]:
            told = "– | –"
            if found := row["gap"]:
                told = f"{gap(found)} | {found['p_value']:.3f}"
            cells = [
                row["learns"],
                f"{row['pairs']:,}",
                interval(row["pearson"]),
                f"{row['f1']:.3f}",
            ]
            lines.append(f"| {' | '.join(cells)} | {told} |")
        lines += ["", f"On {processor_of(run['environment'])}."]
    return "\n".join(lines) + "\n"


@click.command()
@click.argument("kind", type=click.Choice(["bi", "cross"]))
@click.option("--teacher", required=True, help="Saved encoder of the other kind.")
@click.option("--pairs", default=5_000, show_default=True, help="Silver pairs of each student.")
@click.option("--gold", default=2_000, show_default=True, help="Pairs that people labelled.")
@click.option("--epochs", default=6, show_default=True, help="At most, over the gold pairs.")
@click.option("--work", default=Path("runs/teaching-parts"), type=click.Path(path_type=Path))
@click.option("--out", default=RESULTS, type=click.Path(path_type=Path), show_default=True)
def main(
    kind: str, teacher: str, pairs: int, gold: int, epochs: int, work: Path, out: Path
) -> None:
    """Train the students of KIND, and add what they reached to the page."""
    klue = SHARED / "klue-sts"
    data = {
        "train": str(klue / "train.csv"),
        "test": str(klue / "klue-sts-v1.1_dev.json"),
        "limit": gold,
    }
    settings = {
        "corpus": SHARED / "corpus" / "ko-sentences.txt.gz",
        "data": data,
        "pairs": pairs,
        "silver_epochs": 1,
        "training": {"epochs": epochs},
    }
    found = students(kind, teacher, work / kind, settings)
    test = load_partition(DataSettings(**data)).test.pairs
    rows = measure(found, test)
    taught = scores_of(kosim.load(teacher), test)
    path = out / "teaching_parts.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"kinds": {}}
    content["says"] = (
        f"`python -m benchmarks.teaching_parts`: {gold:,} pairs of KLUE-STS train are the gold "
        f"pairs, and up to {pairs:,} pairs of the corpus the silver ones of each student, learnt "
        f"in one epoch before at most {epochs} of the gold ones; the teachers learnt at most 10. "
        "Both kinds from `mini`, one seed, tested on KLUE-STS dev. Intervals are 95% by test pair; "
        "p-values are not adjusted for the number of students."
    )
    content["kinds"][kind] = {
        "teacher": vars(estimate(test.labels, taught, Pearson())),
        "rows": rows,
        "environment": describe_environment(),
    }
    write_json(path, content)
    write_text(path.with_suffix(".md"), to_markdown(content))


if __name__ == "__main__":
    main()
