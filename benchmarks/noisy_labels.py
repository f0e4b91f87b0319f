"""Whether spoiled labels are found: 5% of the labels are spoiled, and the ranking is looked at.

A spoiled label is drawn evenly from those at least two points away from the label that the data
give. Precision is the share of spoiled labels among the first 5% of the ranking; chance is 5%.

    python -m benchmarks.noisy_labels sample
    python -m benchmarks.noisy_labels ../shared/data/klue-sts/train.csv --pairs 3000
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
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


def spoil(pairs: LabelledPairs, seed: int = 0) -> tuple[LabelledPairs, np.ndarray]:
    """Return the pairs with spoiled labels, and the positions of those."""
    rng = np.random.default_rng(seed)
    positions = rng.permutation(len(pairs))[: round(SHARE * len(pairs))]
    labels = pairs.labels.copy()
    for position in positions:
        candidates = rng.uniform(LABEL_LOW, LABEL_HIGH, 1_000)
        far = candidates[np.abs(candidates - labels[position]) >= FURTHER]
        labels[position] = round(float(far[0]), 1)
    return replace(pairs, labels=labels), positions


def precision(ranking: NoiseRanking, spoiled: np.ndarray) -> dict[str, float]:
    """Return the share of spoiled labels among as many first hits, with Wilson's interval."""
    hits = int(np.isin(ranking.order[: len(spoiled)], spoiled).sum())
    interval = binomtest(hits, len(spoiled)).proportion_ci(method="wilson")
    return {"value": hits / len(spoiled), "low": interval.low, "high": interval.high}


@click.command()
@click.argument("data")
@click.option("--pairs", "most", type=int, help="Pairs to draw; all by default.")
@click.option("--folds", default=5, show_default=True)
@click.option("--epochs", default=3, show_default=True)
@click.option("--backbone", default="mini", show_default=True)
def main(data: str, most: int | None, folds: int, epochs: int, backbone: str) -> None:
    """Spoil labels of DATA (sample, or a file), rank them and write the results."""
    raw = load_dataset("sample")[0] if data == "sample" else load_pairs(data)
    if raw is None:
        raise click.ClickException(f"{data} has no training pairs")
    pairs, _ = clean_training(raw)
    if most is not None:
        pairs = pairs.take(np.sort(np.random.default_rng(1).permutation(len(pairs))[:most]))
    spoiled_pairs, spoiled = spoil(pairs)
    contenders = {
        kind: parse_settings(
            EncoderSettings, {"kind": kind, "backbone": backbone, "training": {"epochs": epochs}}
        )
        for kind in ("bi", "cross")
    }
    ranking = find_noise(
        spoiled_pairs, contenders, folds=folds, progress=lambda *said: print(*said)
    )
    each: dict[str, Any] = {"both": precision(ranking, spoiled)}
    for kind, scores in ranking.scores.items():
        each[kind] = precision(NoiseRanking(spoiled_pairs, {kind: scores}), spoiled)
    name = "sample" if data == "sample" else Path(data).parent.name
    given = "sample" if data == "sample" else Path(data).name
    options = f" --pairs {most}" if most else ""
    results = {
        "command": f"python -m benchmarks.noisy_labels {given}{options}",
        "pairs": len(pairs),
        "spoiled": len(spoiled),
        "folds": folds,
        "epochs": epochs,
        "backbone": backbone,
        "precision": each,
        "environment": describe_environment(),
    }
    lines = [
        f"# Finding spoiled labels: {name}",
        "",
        f"`{results['command']}`: {len(spoiled)} of {len(pairs):,} labels spoiled by at least "
        f"{FURTHER:g} points; {folds} folds, {epochs} epochs, backbone {backbone}. Precision among "
        f"the first {len(spoiled)} pairs of the ranking, with 95% intervals; chance is 5%.",
        "",
        "| ranked by | precision |",
        "|---|---:|",
        *(
            f"| {kind} | {found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}] |"
            for kind, found in each.items()
        ),
    ]
    write_json(RESULTS / f"noisy_labels-{name}.json", results)
    write_text(RESULTS / f"noisy_labels-{name}.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
