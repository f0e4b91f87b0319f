"""Whether spoiled labels are found: 5% of the labels are spoiled, and the ranking is looked at.

A spoiled label is drawn evenly from those at least two points away from the label that the data
give. Precision is the share of spoiled labels among the first 5% of the ranking; chance is 5%.
Pairs with the annotators' own labels (KLUE-STS dev) can be ranked beside them, unspoiled: are those
first on which annotators disagree? A killed run goes on from its last training.

    python -m benchmarks.noisy_labels sample
    python -m benchmarks.noisy_labels ../shared/data/klue-sts/train.csv --pairs 3000 \\
        --annotated ../shared/data/klue-sts/klue-sts-v1.1_dev.json
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from kosim.encoders.records import LABEL_HIGH, LABEL_LOW, LabelledPairs
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.data.cleaning import clean_training
from kosim.experiments.data.datasets import load_dataset
from kosim.experiments.data.pairs import load_pairs
from kosim.experiments.noise.find import NoiseRanking, find_noise
from kosim.experiments.settings import EncoderSettings, parse_settings
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parent / "results"
SHARE, FURTHER = 0.05, 2.0
FIRST = 0.1
"""Share of the annotated pairs, first in the ranking, whose annotators are looked at."""

APART = 3
"""Annotators disagree about a pair when their labels lie at least so many points apart."""

Rows = npt.NDArray[np.intp]


def spoil(pairs: LabelledPairs, seed: int = 0) -> tuple[LabelledPairs, Rows]:
    """Return the pairs with spoiled labels, and the positions of those."""
    rng = np.random.default_rng(seed)
    positions = rng.permutation(len(pairs))[: round(SHARE * len(pairs))]
    labels = pairs.labels.copy()
    for position in positions:
        candidates = rng.uniform(LABEL_LOW, LABEL_HIGH, 1_000)
        far = candidates[np.abs(candidates - labels[position]) >= FURTHER]
        labels[position] = round(float(far[0]), 1)
    return replace(pairs, labels=labels), positions


def share(hits: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return the share of hits, with Wilson's interval."""
    interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
    return {"value": float(hits.mean()), "low": interval.low, "high": interval.high}


def precision(ranking: NoiseRanking, spoiled: Rows) -> dict[str, float]:
    """Return the share of spoiled labels among as many first pairs."""
    return share(np.isin(ranking.order[: len(spoiled)], spoiled))


def disagreement(ranking: NoiseRanking, annotations: list[list[int]]) -> dict[str, Any]:
    """Return the share of pairs whose annotators disagree, among the first and among all."""
    apart = np.array([max(each) - min(each) >= APART for each in annotations])
    first = ranking.order[: round(FIRST * len(apart))]
    return {
        "n": len(apart),
        "first": len(first),
        "of_first": share(apart[first]),
        "of_all": share(apart),
    }


def part(ranking: NoiseRanking, rows: Rows, kind: str = "both") -> NoiseRanking:
    """Return the ranking of some pairs, by one kind or by both."""
    kinds = ranking.scores if kind == "both" else [kind]
    return NoiseRanking(
        ranking.pairs.take(rows), {each: ranking.scores[each][rows] for each in kinds}
    )


def read_annotated(path: str) -> tuple[LabelledPairs, list[list[int]]]:
    """Return the pairs of KLUE-STS's official file, and each annotator's label of each."""
    entries = json.loads(Path(path).read_text(encoding="utf-8"))
    pairs = LabelledPairs.from_lists(
        [(each["sentence1"], each["sentence2"]) for each in entries],
        [each["labels"]["real-label"] for each in entries],
    )
    return pairs, [each["annotations"]["annotations"] for each in entries]


@click.command()
@click.argument("data")
@click.option("--pairs", "most", type=int, help="Pairs to draw; all by default.")
@click.option("--annotated", help="KLUE-STS dev in the official JSON, to rank beside them.")
@click.option("--folds", default=3, show_default=True)
@click.option("--epochs", default=3, show_default=True)
@click.option("--backbone", default="mini", show_default=True)
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    default="build/noisy_labels",
    show_default=True,
    help="Folder for the scores of each training.",
)
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    data: str,
    most: int | None,
    annotated: str | None,
    folds: int,
    epochs: int,
    backbone: str,
    keep: Path,
    results: Path,
) -> None:
    """Spoil labels of DATA (sample, or a file), rank them and write the results."""
    raw = load_dataset("sample")[0] if data == "sample" else load_pairs(data)
    if raw is None:
        raise click.ClickException(f"{data} has no training pairs")
    pairs, _ = clean_training(raw)
    if most is not None:
        pairs = pairs.take(np.sort(np.random.default_rng(1).permutation(len(pairs))[:most]))
    pairs, spoiled = spoil(pairs)
    own = np.arange(len(pairs))
    others, annotations = read_annotated(annotated) if annotated else (pairs.take([]), [])
    contenders = {
        kind: parse_settings(
            EncoderSettings, {"kind": kind, "backbone": backbone, "training": {"epochs": epochs}}
        )
        for kind in ("bi", "cross")
    }
    ranking = find_noise(
        LabelledPairs.from_lists([*pairs.pairs, *others.pairs], [*pairs.labels, *others.labels]),
        contenders,
        folds=folds,
        keep=keep,
        progress=print,
    )
    each = {kind: precision(part(ranking, own, kind), spoiled) for kind in ("both", "bi", "cross")}
    name = "sample" if data == "sample" else Path(data).parent.name
    found: dict[str, Any] = {
        "command": _command(data, most, annotated),
        "pairs": len(pairs),
        "spoiled": len(spoiled),
        "folds": folds,
        "epochs": epochs,
        "backbone": backbone,
        "precision": each,
        "environment": describe_environment(),
    }
    if annotations:
        beside = part(ranking, len(pairs) + np.arange(len(others)))
        found["annotators"] = disagreement(beside, annotations)
    write_json(results / f"noisy_labels-{name}.json", found)
    write_text(results / f"noisy_labels-{name}.md", "\n".join(_lines(name, found)) + "\n")


def _command(data: str, most: int | None, annotated: str | None) -> str:
    given = "sample" if data == "sample" else Path(data).name
    options = f" --pairs {most}" if most else ""
    options += f" --annotated {Path(annotated).name}" if annotated else ""
    return f"python -m benchmarks.noisy_labels {given}{options}"


def _lines(name: str, found: dict[str, Any]) -> list[str]:
    lines = [
        f"# Finding spoiled labels: {name}",
        "",
        f"`{found['command']}`: {found['spoiled']} of {found['pairs']:,} labels spoiled by "
        f"at least {FURTHER:g} points; {found['folds']} folds, {found['epochs']} epochs, backbone "
        f"{found['backbone']}. Precision among the first {found['spoiled']} pairs of the ranking, "
        "with 95% intervals; chance is 5%.",
        "",
        "| ranked by | precision |",
        "|---|---:|",
        *(f"| {kind} | {_written(each)} |" for kind, each in found["precision"].items()),
    ]
    if "annotators" in found:
        apart = found["annotators"]
        lines += [
            "",
            f"Of {apart['n']} pairs whose labels were not spoiled, annotators lie at least {APART} "
            f"points apart in {_written(apart['of_first'])} of the first {apart['first']}, and in "
            f"{_written(apart['of_all'])} of all.",
        ]
    return lines


def _written(figure: dict[str, float]) -> str:
    return f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}]"


if __name__ == "__main__":
    main()
