"""Seconds of a training epoch: padded to the maximum, as sentence-transformers pads, and ours.

Three ways to train the same backbone on the same pairs with the same optimizer:

* ``padded``: every input padded to 120 tokens, as KoELECTRA's own fine-tuning script does;
* ``dynamic``: sentence-transformers' trainer as it comes, random batches padded to their longest;
* ``grouped``: kosim's batches of equal length.

Each round draws new training pairs; every way trains a fresh encoder on the same pairs of that
round, one after the other, so that a drift of the machine's speed hits all three. The time is
that of all steps of the round, scaled to the pairs of an epoch; what is quoted is the median of
the rounds' ratios. A pool of as few batches as a round has can be grouped less well than an
epoch's, so ``grouped`` is rather slower here than in a real epoch.

``padded`` computes the same as ``dynamic``, since padding is masked, and each of its batches
takes as long as the next: it is timed on fewer batches, and its quality is that of ``dynamic``.

    python -m benchmarks.training_epoch --backbone ../shared/models/e5-small-ko \
        --train ../shared/data/klue-sts/train.csv
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from transformers import TrainerCallback

from kosim.encoders.base import Kind, PairEncoder
from kosim.encoders.errors import KosimError
from kosim.encoders.metrics import pearson
from kosim.encoders.records import LabelledPairs
from kosim.encoders.storage import write_json, write_text
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.run import train
from kosim.experiments.comparison.contenders import make_encoder
from kosim.experiments.data.partition import load_training
from kosim.experiments.settings import DataSettings, EncoderSettings
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parent / "results"
WAYS = ("padded", "dynamic", "grouped")
MAX_LENGTH = 120
VALIDATION_PAIRS = 300
DURING_TRAINING = 20
"""Validation pairs that the trainer sees; the quality is measured once, on all of them."""


class _Clock(TrainerCallback):
    """Measures from the first step's begin to the last step's end: no set-up, no evaluation."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 0:
            self.started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.seconds = time.perf_counter() - self.started


def pad_to_maximum(encoder: PairEncoder) -> None:
    """Make every input as long as the longest allowed."""
    encoder.model[0].processing_kwargs = {
        "text": {"padding": "max_length", "max_length": MAX_LENGTH, "truncation": True}
    }


def run(
    kind: Kind, way: str, backbone: str, pairs: LabelledPairs, validation: LabelledPairs, seed: int
) -> dict[str, float]:
    """Train one fresh encoder one way; return seconds a batch and the validation Pearson."""
    settings = EncoderSettings(kind=kind, backbone=backbone, max_length=MAX_LENGTH)
    encoder = make_encoder(settings, seed=seed, device="cpu", backbone=backbone)
    if way == "padded":
        pad_to_maximum(encoder)
    config = TrainingConfig(
        epochs=1, warmup=0.1, batch_size=32, seed=seed, group_by_length=way == "grouped"
    )
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        few = validation.take(range(DURING_TRAINING))
        train(encoder, pairs, few, config, folder=folder, callbacks=[clock])
    figures = {"seconds": clock.seconds * 32 / len(pairs)}
    if way != "padded":
        raw = encoder.score(validation.pairs, raw=True)
        figures["pearson"] = pearson(validation.labels, raw)
    return figures


def summarise(rounds: list[dict[str, dict[str, float]]], batches: float) -> dict[str, Any]:
    """Return each way's median seconds an epoch and Pearson, and the medians of the ratios."""
    summary: dict[str, Any] = {
        way: {
            "epoch_seconds": statistics.median(one[way]["seconds"] for one in rounds) * batches,
            "pearson": [one[way]["pearson"] for one in rounds if "pearson" in one[way]],
        }
        for way in WAYS
    }
    for way in WAYS[:2]:
        summary[f"{way}_over_grouped"] = statistics.median(
            one[way]["seconds"] / one["grouped"]["seconds"] for one in rounds
        )
    return summary


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    environment = results["environment"]
    lines = [
        "# A training epoch, three ways",
        "",
        f"`{results['command']}`: {results['rounds']} rounds of {results['batches']} batches of "
        f"32 pairs of KLUE-STS (padded: {results['padded_batches']}) on one machine "
        f"({environment['processor']}), {environment['threads']} thread, torch "
        f"{environment['torch']}. An epoch has {results['epoch_pairs']:,} pairs. Ratios are "
        "medians of the rounds' ratios.",
        "",
        "| encoder | way | seconds an epoch | times the grouped | validation Pearson, by round |",
        "|---|---|---:|---:|---|",
    ]
    for kind, summary in results["kinds"].items():
        for way in WAYS:
            ratio = summary.get(f"{way}_over_grouped", 1.0)
            values = ", ".join(f"{value:.3f}" for value in summary[way]["pearson"]) or "as dynamic"
            lines.append(
                f"| {kind} | {way} | {summary[way]['epoch_seconds']:.0f} | {ratio:.2f} | {values} |"
            )
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--backbone", required=True)
@click.option("--train", "train_file", required=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--batches", default=16, show_default=True)
@click.option("--padded-batches", default=4, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    backbone: str, train_file: str, rounds: int, batches: int, padded_batches: int, out: Path
) -> None:
    """Measure all ways for both kinds and write the results."""
    try:
        data = load_training(DataSettings(train=train_file))
    except KosimError as error:
        raise click.ClickException(str(error)) from error
    validation = data.validation.take(range(min(VALIDATION_PAIRS, len(data.validation))))
    kinds: dict[str, Any] = {}
    for kind in ("cross", "bi"):
        measured = []
        for number in range(rounds):
            rows = np.random.default_rng(number).permutation(len(data.train))[: 32 * batches]
            pairs = data.train.take(rows)
            one = {}
            for way in WAYS:
                part = pairs.take(range(32 * padded_batches)) if way == "padded" else pairs
                one[way] = run(kind, way, backbone, part, validation, seed=number)  # type: ignore[arg-type]
                print(kind, number, way, one[way], flush=True)
            measured.append(one)
        kinds[kind] = summarise(measured, len(data.train) / 32)
    results = {
        "command": f"python -m benchmarks.training_epoch --rounds {rounds} --batches {batches}",
        "rounds": rounds,
        "batches": batches,
        "padded_batches": padded_batches,
        "epoch_pairs": len(data.train),
        "kinds": kinds,
        "environment": describe_environment(),
    }
    write_json(out / "training_epoch.json", results)
    write_text(out / "training_epoch.md", to_markdown(results))


if __name__ == "__main__":
    main()
