"""An epoch of training by kosim beside plain sentence-transformers, and where its time goes.

Both train the same backbone on the same pairs with the same optimizer, each in every arithmetic
that the processor multiplies in:

* ``plain``: sentence-transformers' own trainer, as its documentation shows it: random batches
  padded to their longest;
* ``kosim``: `kosim.train`, with batches of equal length and quicker dropout.

Each round draws new training pairs; every way trains a fresh encoder on the pairs of that round,
one after the other and in another order each time, so that a drift of the machine's speed hits
all of them. The time is that of all steps of the round, scaled to the pairs of an epoch; what is
quoted is the median of the rounds' ratios. A pool of as few batches as a round has can be grouped
less well than an epoch's, so kosim is rather slower here than in a real epoch. The profile is that
of one more training of kosim's.

    python -m benchmarks.training_epoch --backbone ../shared/models/e5-small-ko \
        --train ../shared/data/klue-sts/train.csv
"""

from __future__ import annotations

import shlex
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import (
    CrossEncoder,
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss
from torch.profiler import ProfilerActivity, profile
from transformers import TrainerCallback

from kosim.encoders.backbone import find_backbone
from kosim.encoders.base import Kind, PairEncoder
from kosim.encoders.compute.runtime import TrainingPrecision
from kosim.encoders.errors import KosimError
from kosim.encoders.metrics import pearson
from kosim.encoders.records import LABEL_HIGH, LabelledPairs
from kosim.encoders.storage import write_json, write_text
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.defaults import multiplies_in_bf16
from kosim.encoders.training.run import train
from kosim.experiments.comparison.contenders import make_encoder
from kosim.experiments.data.partition import load_training
from kosim.experiments.settings import DataSettings, EncoderSettings
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parent / "results"
MAX_LENGTH = 120
BATCH = 32
RATE = 1e-4
WARMUP = 0.1
VALIDATION_PAIRS = 300
DURING_TRAINING = 20
"""Validation pairs that the trainer sees; the quality is measured once, on all of them."""
SHARES = {
    "multiplying by weights": ("aten::mm", "aten::addmm"),
    "attention": ("aten::bmm", "aten::_softmax", "aten::_softmax_backward_data"),
    "dropout": ("aten::random_", "aten::bernoulli_", "aten::ge"),
    "other arithmetic": ("aten::copy_", "aten::_to_copy"),
    "optimizer": ("aten::_fused_adamw_", "aten::linalg_vector_norm"),
}
"""Operators by what they are for: ``copy_`` turns float32 into bfloat16 and back."""


class _Clock(TrainerCallback):
    """Measures from the first step's begin to the last step's end: no set-up, no evaluation."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 0:
            self.started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.seconds = time.perf_counter() - self.started


class _Profile(TrainerCallback):
    """Adds up the time of each operator from the third step on."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 2:
            self.profiler = profile(activities=[ProfilerActivity.CPU])
            self.profiler.start()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.profiler.stop()

    def shares(self) -> dict[str, float]:
        """Return each group's share of the time."""
        spent = {one.key: one.self_cpu_time_total for one in self.profiler.key_averages()}
        whole = sum(spent.values())
        named = {
            name: sum(spent.get(operator, 0.0) for operator in operators) / whole
            for name, operators in SHARES.items()
        }
        return {**named, "all else": 1 - sum(named.values())}


def train_plainly(
    kind: Kind,
    backbone: str,
    pairs: LabelledPairs,
    precision: TrainingPrecision,
    seed: int,
    folder: str,
) -> tuple[Any, float]:
    """Train with sentence-transformers alone; return the model and the seconds of all steps."""
    torch.manual_seed(seed)
    data = Dataset.from_dict(
        {
            "sentence1": list(pairs.sentence1),
            "sentence2": list(pairs.sentence2),
            "label": (pairs.labels / LABEL_HIGH).tolist(),
        }
    )
    options: dict[str, Any] = {
        "output_dir": folder,
        "num_train_epochs": 1,
        "per_device_train_batch_size": BATCH,
        "learning_rate": RATE,
        "warmup_steps": WARMUP,
        "seed": seed,
        "bf16": precision == "bf16",
        "use_cpu": True,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    clock = _Clock()
    model: Any
    if kind == "bi":
        model = SentenceTransformer(backbone, device="cpu")
        model.max_seq_length = MAX_LENGTH
        SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(**options),
            train_dataset=data,
            loss=CosineSimilarityLoss(model),
            callbacks=[clock],
        ).train()
    else:
        model = CrossEncoder(backbone, num_labels=1, max_length=MAX_LENGTH, device="cpu")
        CrossEncoderTrainer(
            model=model,
            args=CrossEncoderTrainingArguments(**options),
            train_dataset=data,
            loss=BinaryCrossEntropyLoss(model),
            callbacks=[clock],
        ).train()
    return model, clock.seconds


def plain_scores(kind: Kind, model: Any, pairs: LabelledPairs) -> Any:
    """Return the cosine or the logit of each pair."""
    if kind == "cross":
        return model.predict(list(pairs.pairs), show_progress_bar=False)
    first, second = (
        model.encode(list(side), normalize_embeddings=True, show_progress_bar=False)
        for side in (pairs.sentence1, pairs.sentence2)
    )
    return (first * second).sum(axis=1)


def kosims(
    kind: Kind,
    backbone: str,
    pairs: LabelledPairs,
    validation: LabelledPairs,
    precision: TrainingPrecision,
    seed: int,
    callbacks: list[TrainerCallback],
) -> PairEncoder:
    """Return an encoder that `kosim.train` trained for an epoch."""
    settings = EncoderSettings(kind=kind, backbone=backbone, max_length=MAX_LENGTH)
    encoder = make_encoder(settings, seed=seed, device="cpu", backbone=backbone)
    config = TrainingConfig(
        epochs=1,
        warmup=WARMUP,
        batch_size=BATCH,
        learning_rate=RATE,
        seed=seed,
        precision=precision,
    )
    with tempfile.TemporaryDirectory() as folder:
        few = validation.take(range(DURING_TRAINING))
        train(encoder, pairs, few, config, folder=folder, callbacks=callbacks)
    return encoder


def run(
    kind: Kind,
    way: str,
    backbone: str,
    pairs: LabelledPairs,
    validation: LabelledPairs,
    seed: int,
) -> dict[str, float]:
    """Train one fresh encoder one way; return seconds a batch and the validation Pearson."""
    name, precision = way.split()
    if name == "plain":
        with tempfile.TemporaryDirectory() as folder:
            model, seconds = train_plainly(kind, backbone, pairs, precision, seed, folder)  # type: ignore[arg-type]
        scores = plain_scores(kind, model, validation)
    else:
        clock = _Clock()
        encoder = kosims(kind, backbone, pairs, validation, precision, seed, [clock])  # type: ignore[arg-type]
        seconds, scores = clock.seconds, encoder.score(validation.pairs, raw=True)
    return {
        "seconds": seconds * BATCH / len(pairs),
        "pearson": pearson(validation.labels, np.asarray(scores, dtype=np.float64)),
    }


def summarise(rounds: list[dict[str, dict[str, float]]], batches: float) -> dict[str, Any]:
    """Return each way's median seconds an epoch and Pearson, and how often kosim's fits into it."""
    summary: dict[str, Any] = {}
    for way in rounds[0]:
        quick = way.replace("plain", "kosim")
        summary[way] = {
            "epoch_seconds": statistics.median(one[way]["seconds"] for one in rounds) * batches,
            "pearson": [one[way]["pearson"] for one in rounds],
            "over_kosim": statistics.median(
                one[way]["seconds"] / one[quick]["seconds"] for one in rounds
            ),
            "over_plain_fp32": statistics.median(
                one["plain fp32"]["seconds"] / one[way]["seconds"] for one in rounds
            ),
        }
    return summary


def to_markdown(results: dict[str, Any]) -> str:
    """Return the page that is committed."""
    environment = results["environment"]
    lines = [
        "# A training epoch beside plain sentence-transformers",
        "",
        f"`{results['command']}`: {results['rounds']} rounds of {results['batches']} batches of "
        f"{BATCH} pairs of KLUE-STS on one machine ({environment['processor']}), "
        f"{environment['threads']} thread, torch {environment['torch']}. An epoch has "
        f"{results['epoch_pairs']:,} pairs. Times faster are medians of the rounds' ratios: than "
        "plain in the same arithmetic, and than plain in float32, which is what sentence-"
        "transformers does unless told otherwise (kosim takes bf16 where the processor has it).",
        "",
        "| encoder | way | seconds an epoch | times faster, same arithmetic | than plain fp32 | "
        "validation Pearson, by round |",
        "|---|---|---:|---:|---:|---|",
    ]
    for kind, summary in results["kinds"].items():
        for way, one in summary.items():
            plain = way.replace("kosim", "plain")
            faster = "1.00" if way == plain else f"{summary[plain]['over_kosim']:.2f}"
            values = ", ".join(f"{value:.3f}" for value in one["pearson"])
            lines.append(
                f"| {kind} | {way} | {one['epoch_seconds']:.0f} | {faster} | "
                f"{one['over_plain_fp32']:.2f} | {values} |"
            )
    lines += ["", "Where the time of kosim's steps goes (torch's profiler):", ""]
    lines += [f"| encoder | way | {' | '.join([*SHARES, 'all else'])} |"]
    lines += ["|---|---|" + "---:|" * (len(SHARES) + 1)]
    for name, shares in results["shares"].items():
        kind, way = name.split(" ", 1)
        cells = " | ".join(f"{share:.0%}" for share in shares.values())
        lines.append(f"| {kind} | {way} | {cells} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--backbone", required=True)
@click.option("--train", "train_file", required=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--batches", default=16, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
@click.option("--name", default="training_epoch", show_default=True)
def main(backbone: str, train_file: str, rounds: int, batches: int, out: Path, name: str) -> None:
    """Measure all ways for both kinds and write the results."""
    torch.set_num_threads(1)
    try:
        backbone = str(find_backbone(backbone).path)
        data = load_training(DataSettings(train=train_file))
    except KosimError as error:
        raise click.ClickException(str(error)) from error
    validation = data.validation.take(range(min(VALIDATION_PAIRS, len(data.validation))))
    precisions: list[TrainingPrecision] = ["fp32"]
    if multiplies_in_bf16(torch.device("cpu")):
        precisions.append("bf16")
    ways = [f"{one} {precision}" for precision in precisions for one in ("plain", "kosim")]
    kinds: dict[str, Any] = {}
    shares: dict[str, Any] = {}
    few = data.train.take(range(BATCH * max(4, min(batches, 8))))
    for kind in ("cross", "bi"):
        measured = []
        for number in range(rounds):
            rows = np.random.default_rng(number).permutation(len(data.train))[: BATCH * batches]
            pairs = data.train.take(rows)
            turn = number % len(ways)
            one = {
                way: run(kind, way, backbone, pairs, validation, seed=number)  # type: ignore[arg-type]
                for way in ways[turn:] + ways[:turn]
            }
            print(kind, number, one, flush=True)
            measured.append({way: one[way] for way in ways})
        kinds[kind] = summarise(measured, len(data.train) / BATCH)
        for precision in precisions:
            watch = _Profile()
            kosims(kind, backbone, few, validation, precision, 0, [watch])  # type: ignore[arg-type]
            shares[f"{kind} kosim {precision}"] = watch.shares()
    results = {
        "command": f"python -m benchmarks.training_epoch {shlex.join(sys.argv[1:])}",
        "rounds": rounds,
        "batches": batches,
        "epoch_pairs": len(data.train),
        "kinds": kinds,
        "shares": shares,
        "environment": describe_environment(),
    }
    write_json(out / f"{name}.json", results)
    write_text(out / f"{name}.md", to_markdown(results))


if __name__ == "__main__":
    main()
