"""Train one encoder a trial and record what it reached, what it cost, and its learning curve.

A plan is a file of JSON lines, one trial each (`Trial`); the results are another, one line
for each finished trial. A trial that stands in the results is not run again, and a killed run goes
on from the last epoch of the trial that it broke. The test pairs choose nothing here: epoch,
calibration and threshold come from the validation pairs, and the tables choose by them too.

    python -m benchmarks.training.trials PLAN.jsonl [PLAN.jsonl ...] --klue ../shared/data/klue-sts
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from transformers import TrainerCallback

from benchmarks.training.variants import Variant, variant
from kosim.encoders.base import Kind, PairEncoder
from kosim.encoders.metrics import f1, pearson, spearman
from kosim.encoders.records import LabelledPairs
from kosim.encoders.training import TrainingConfig, TrainingResult, train
from kosim.experiments.comparison.contenders import make_encoder
from kosim.experiments.data.partition import Partition, load_partition
from kosim.experiments.settings import DataSettings, EncoderSettings
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parents[1] / "results" / "training" / "trials.jsonl"

Origin = Literal["sample", "klue"]


class Trial(BaseModel):
    """One training of one encoder; everything that decides its outcome."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Trials of one name differ in their seed alone.")
    data: Origin
    kind: Kind
    backbone: str = "mini"
    max_length: int = 128
    seed: int = 1
    training: dict[str, Any] = {}
    variant: Variant = Variant()
    start: dict[str, Any] | None = Field(
        None, description="Settings of a training of the other kind, whose weights come first."
    )

    @property
    def key(self) -> str:
        """What makes two trials the same, whatever they are called."""
        content = self.model_dump(mode="json", exclude={"name"})
        content["backbone"] = Path(self.backbone).name
        return json.dumps(content, sort_keys=True)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file of JSON lines; a last line that a kill cut is left out."""
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def trials_of(plans: list[Path]) -> Iterator[Trial]:
    """Yield the trials of all plans; a line with ``seeds`` is one trial a seed."""
    for plan in plans:
        for content in read_lines(plan):
            seeds = content.pop("seeds", None) or [content.pop("seed", 1)]
            for seed in seeds:
                yield Trial.model_validate({**content, "seed": seed})


def load_data(origin: Origin, klue: Path | None) -> Partition:
    """Return training, validation and test pairs as ``kosim compare`` splits them."""
    if origin == "sample":
        return load_partition(DataSettings(dataset="sample"))
    if klue is None:
        raise click.UsageError("trials on KLUE-STS need --klue FOLDER")
    train_file, test_file = klue / "train.csv", klue / "klue-sts-v1.1_dev.json"
    return load_partition(DataSettings(train=str(train_file), test=str(test_file)))


def run(trial: Trial, data: Partition, scratch: Path, keep: Path | None = None) -> dict[str, Any]:
    """Train the trial's encoder and return its record; keep the encoder in a run folder."""
    if data.training is None:
        raise ValueError("there are no training pairs")
    backbone = trial.backbone
    if trial.start is not None:
        backbone = str(scratch / "start")
        other: Kind = "bi" if trial.kind == "cross" else "cross"
        if not Path(backbone).is_dir():
            first = _untrained(trial, other, trial.backbone)
            _train(first, data, trial, trial.start, Variant(), scratch / "first")
            first.save(backbone)
    encoder = _untrained(trial, trial.kind, backbone)
    checkpoints = scratch / "checkpoints"
    resumed = checkpoints.is_dir()
    began, cpu = time.monotonic(), time.process_time()
    result = _train(encoder, data, trial, trial.training, trial.variant, checkpoints)
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    if keep is not None:
        encoder.save(keep / trial.kind / f"seed-{trial.seed}", overwrite=True)
    both = 2 if result.config.swap_augmentation else 1
    steps = -(-len(data.training.train) * both // result.config.batch_size)
    return {
        **trial.model_dump(mode="json"),
        "key": trial.key,
        "config": result.config.model_dump(mode="json"),
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "steps": steps * len(result.history),
        "resumed": resumed,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "history": [
            {name: round(value, 5) for name, value in row.model_dump().items()}
            for row in result.history
        ],
        "threshold": result.threshold,
        "validation": _metrics(encoder, data.training.validation)[0],
        **dict(zip(("test", "scores"), _metrics(encoder, data.test.pairs), strict=True)),
    }


def _untrained(trial: Trial, kind: Kind, backbone: str) -> PairEncoder:
    settings = EncoderSettings(kind=kind, backbone=backbone, max_length=trial.max_length)
    return make_encoder(settings, seed=trial.seed, device="cpu", backbone=backbone)


def _train(
    encoder: PairEncoder,
    data: Partition,
    trial: Trial,
    settings: dict[str, Any],
    chosen: Variant,
    checkpoints: Path,
) -> TrainingResult:
    pairs = data.training
    if pairs is None:
        raise ValueError("there are no training pairs")
    config = TrainingConfig(**settings, seed=trial.seed)
    with variant(encoder.kind, chosen, pairs.train.labels):
        return train(
            encoder,
            pairs.train,
            pairs.validation,
            config,
            folder=checkpoints,
            resume=True,
            callbacks=[_Epochs()],
        )


class _Epochs(TrainerCallback):
    """Prints the validation value after each epoch."""

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], **rest: Any
    ) -> None:
        if "eval_pearson" in metrics:
            value = metrics["eval_pearson"]
            click.echo(f"{time.strftime('%H:%M')} epoch {state.epoch:g}: validation {value:.4f}")


def _metrics(encoder: PairEncoder, pairs: LabelledPairs) -> tuple[dict[str, float], list[float]]:
    scores = np.asarray(encoder.score(pairs.pairs), dtype=np.float64)
    return {
        "pearson": pearson(pairs.labels, scores),
        "spearman": spearman(pairs.labels, scores),
        "f1": f1(pairs.labels, scores, threshold=3.0),
        "f1_tuned": f1(pairs.labels, scores, threshold=encoder.threshold),
    }, [round(float(score), 4) for score in scores]


@click.command()
@click.argument("plans", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--klue", type=click.Path(path_type=Path), help="Folder of KLUE-STS.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    default=Path(tempfile.gettempdir()) / "kosim-trials",
    show_default=True,
    help="Folder of the checkpoints of the trial that runs.",
)
@click.option("--threads", default=1, show_default=True, help="Threads of torch.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Folder of a run, in which kosim compare --resume finds the encoders.",
)
@click.option("--data", "only", type=click.Choice(["sample", "klue"]), help="Only trials on this.")
def main(
    plans: tuple[Path, ...],
    klue: Path | None,
    out: Path,
    work: Path,
    threads: int,
    keep: Path | None,
    only: str | None,
) -> None:
    """Run every trial of the plans that has no result yet."""
    torch.set_num_threads(threads)
    out.parent.mkdir(parents=True, exist_ok=True)
    loaded: dict[str, Partition] = {}
    refused: set[str] = set()
    while trial := _next(plans, out, only, refused):
        data = loaded.setdefault(trial.data, load_data(trial.data, klue))
        scratch = work / hashlib.sha256(trial.key.encode()).hexdigest()[:16]
        try:
            record = run(trial, data, scratch, keep)
        except Exception as error:  # one trial that cannot be trained ends no other
            click.echo(f"{trial.name} seed {trial.seed}: {type(error).__name__}: {error}", err=True)
            refused.add(trial.key)
            continue
        record["environment"] = describe_environment()
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        shutil.rmtree(scratch, ignore_errors=True)
        click.echo(
            f"{time.strftime('%H:%M')} {trial.data} {trial.kind} {trial.name} seed {trial.seed}: "
            f"validation {record['validation']['pearson']:.4f} test "
            f"{record['test']['pearson']:.4f} f1 {record['test']['f1_tuned']:.3f} epochs "
            f"{record['epochs']} best {record['best_epoch']} {record['seconds']:.0f} s "
            f"(cpu {record['cpu_seconds']:.0f})"
        )


def _next(plans: tuple[Path, ...], out: Path, only: str | None, refused: set[str]) -> Trial | None:
    """Return the first trial without a result; the plans may grow while trials run."""
    done = {record["key"] for record in read_lines(out)} | refused
    for trial in trials_of(list(plans)):
        if trial.key not in done and only in (None, trial.data):
            return trial
    return None


if __name__ == "__main__":
    main()
