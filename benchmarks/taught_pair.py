"""Both kinds before and after teaching each other, on KLUE-STS dev and on KorSTS dev.

The encoders are those that `benchmarks/teach_each_other.sh` leaves in its folder: one of each kind
before, and students of several seeds after. On KLUE-STS the defaults from the same backbone stand
beside them, with the seeds of `benchmarks/results/training`. Intervals and p-values are by test
pair; several seeds make one value, their mean.

    python -m benchmarks.taught_pair runs/teach-each-other \\
        --klue ../shared/data/klue-sts/klue-sts-v1.1_dev.json \\
        --korsts ../shared/data/korsts/sts-dev.tsv
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

import kosim
from benchmarks.figures import gap, interval
from benchmarks.training.tables import scores_of as scores_of_trials
from benchmarks.training.trials import RESULTS as TRIALS
from benchmarks.training.trials import read_lines
from kosim.encoders.metrics import Floats
from kosim.encoders.records import LabelledPairs
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.data.partition import load_partition
from kosim.experiments.settings import DataSettings
from kosim.experiments.statistics.significance import F1, Pearson, difference, estimate
from kosim.experiments.study.environment import describe_environment, processor_of

RESULTS = Path(__file__).parent / "results"

KINDS = "bi", "cross"
STAGES = DEFAULT, BEFORE, AFTER = "defaults", "before", "after"
GAPS = [(kind, AFTER, kind, other) for kind in KINDS for other in (BEFORE, DEFAULT)] + [
    ("cross", stage, "bi", stage) for stage in (DEFAULT, BEFORE, AFTER)
]
"""What is compared: (kind, stage) minus (kind, stage)."""

Key = tuple[str, str]


def encoders_in(work: Path) -> dict[Key, list[Path]]:
    """Return the saved encoders of each (kind, stage), seeds in order.

    Raises:
        click.ClickException: one of the four is missing.
    """
    found = {}
    for kind in KINDS:
        found[kind, BEFORE] = [work / BEFORE / kind]
        found[kind, AFTER] = sorted(work.glob(f"{kind}/{kind}/seed-*"))
    for (kind, stage), paths in found.items():
        if not paths or not all(path.is_dir() for path in paths):
            raise click.ClickException(f"{work} holds no {kind}-encoder {stage} teaching")
    return found


def scores_of(paths: list[Path], test: LabelledPairs) -> Floats:
    """Return the scores of the n test pairs by s encoders: (s, n)."""
    return np.array([kosim.load(path).score(test.pairs) for path in paths], dtype=np.float64)


def scores_of_defaults(backbone: str) -> dict[Key, Floats]:
    """Return the scores of KLUE-STS dev by the trials of the defaults, as far as there are any."""
    found = {}
    trials = [
        trial
        for trial in read_lines(TRIALS)
        if trial["data"] == "klue"
        and trial["name"] == "default"
        and Path(trial["backbone"]).name == backbone
    ]
    for kind in KINDS:
        if of_kind := [trial for trial in trials if trial["kind"] == kind]:
            found[kind, DEFAULT] = scores_of_trials(of_kind)
    return found


def measure(scores: dict[Key, Floats], test: LabelledPairs) -> dict[str, Any]:
    """Return the figures of each (kind, stage) and the gaps between them."""
    rows = [
        {
            "kind": kind,
            "stage": stage,
            "seeds": len(each),
            "pearson": vars(estimate(test.labels, each, Pearson())),
            "f1": vars(estimate(test.labels, each, F1(3.0))),
        }
        for kind in KINDS
        for stage in STAGES
        if (each := scores.get((kind, stage))) is not None
    ]
    gaps = [
        {
            "of": f"{kind}, {stage}",
            "minus": f"{other}, {other_stage}",
            **vars(
                difference(test.labels, scores[kind, stage], scores[other, other_stage], Pearson())
            ),
        }
        for kind, stage, other, other_stage in GAPS
        if {(kind, stage), (other, other_stage)} <= scores.keys()
    ]
    return {"pairs": len(test.labels), "rows": rows, "gaps": gaps}


def to_markdown(content: dict[str, Any]) -> str:
    """Return the tables of both tests."""
    lines = ["# Two encoders that teach each other", "", content["says"]]
    for name, test in content["tests"].items():
        lines += [
            "",
            f"## {name}, {test['pairs']:,} pairs",
            "",
            "| encoder | seeds | Pearson | F1 at 3.0 |",
            "|---|---:|---:|---:|",
        ]
        lines += [
            f"| {row['kind']}, {row['stage']} | {row['seeds']} | {interval(row['pearson'])} | "
            f"{interval(row['f1'])} |"
            for row in test["rows"]
        ]
        lines += ["", "| Pearson of | minus that of | gap | p |", "|---|---|---:|---:|"]
        lines += [
            f"| {each['of']} | {each['minus']} | {gap(each)} | {each['p_value']:.3f} |"
            for each in test["gaps"]
        ]
    return "\n".join([*lines, "", f"On {processor_of(content['environment'])}."]) + "\n"


@click.command()
@click.argument("work", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--klue", type=click.Path(exists=True), required=True, help="KLUE-STS dev.")
@click.option("--korsts", type=click.Path(exists=True), required=True, help="KorSTS dev.")
@click.option("--backbone", default="e5-small-ko", show_default=True, help="Of the defaults.")
@click.option(
    "--out",
    default=RESULTS / "taught_pair.json",
    type=click.Path(path_type=Path),
    show_default=True,
)
def main(work: Path, klue: str, korsts: str, backbone: str, out: Path) -> None:
    """Test the encoders in WORK, and write the figures as JSON and a page beside it."""
    encoders = encoders_in(work)
    tests = {}
    for name, path in {"KLUE-STS dev": klue, "KorSTS dev": korsts}.items():
        test = load_partition(DataSettings(test=path)).test.pairs
        scores = {key: scores_of(paths, test) for key, paths in encoders.items()}
        if path == klue:
            scores |= scores_of_defaults(backbone)
        tests[name] = measure(scores, test)
    content = {
        "says": (
            "`benchmarks/teach_each_other.sh`. Intervals are 95% by test pair, and p-values are "
            f"not adjusted for the number of gaps. *{DEFAULT}*: KLUE-STS with the defaults, as in "
            "[training](training/tables.md)."
        ),
        "tests": tests,
        "environment": describe_environment(),
    }
    write_json(out, content)
    write_text(out.with_suffix(".md"), to_markdown(content))


if __name__ == "__main__":
    main()
