"""What each way to begin is worth: both encoders fine-tuned from four backbones, three seeds.

The backbones are those of ``make.sh``: as drawn, after replaced token detection, after
distillation, after both. Every run is written to ``runs.json`` as it ends and is not trained again
when this is started again; at the end each kind has a report of ``kosim compare``, with intervals
and adjusted paired tests.

With ``--only`` just some are trained, as soon as their backbones are there; the report follows when
it is started without. Each kind can have a process of its own (``--kind``).

    python -m benchmarks.mini.starts --starts runs/mini --out runs/mini/starts
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click

from kosim.encoders.base import Kind
from kosim.encoders.errors import KosimError
from kosim.encoders.metrics import f1, pearson
from kosim.encoders.storage import write_json
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.losses import TRAINING_BY_KIND
from kosim.experiments.comparison.contenders import load_contender, train_contender
from kosim.experiments.comparison.run import compare
from kosim.experiments.data.partition import load_partition
from kosim.experiments.settings import (
    CompareSettings,
    DataSettings,
    EncoderSettings,
    EvaluationSettings,
)
from kosim.experiments.study.run_folder import open_run

RESULTS = Path(__file__).parents[1] / "results" / "mini"
STARTS = ("random", "rtd", "distilled", "rtd-distilled")
EPOCHS: dict[Kind, int] = {"bi": 2, "cross": 3}
DATA = Path("../shared/data/klue-sts")


def settings(kind: Kind, starts: Path, data: Path, seeds: list[int]) -> CompareSettings:
    """Return the settings of the comparison of one kind."""
    training = TrainingConfig(
        epochs=EPOCHS[kind],
        learning_rate=2e-4,
        warmup=0.1,
        batch_size=32,
        weight_decay=0.01,
        precision="bf16",
    )
    return CompareSettings(
        name=f"mini: {kind}-encoders by start",
        seeds=seeds,
        evaluation=EvaluationSettings(examples=0),  # KLUE's texts are not copied
        data=DataSettings(train=str(data / "train.csv"), test=str(data / "klue-sts-v1.1_dev.json")),
        encoders={
            start: EncoderSettings(
                kind=kind, backbone=str(starts / start), max_length=120, training=training
            )
            for start in STARTS
        },
    )


def record_runs(
    chosen: CompareSettings, kind: Kind, starts: list[str], folder: Path, results: Path
) -> None:
    """Train what is not trained yet and write the figures of every run as it ends."""
    partition = load_partition(chosen.data)
    test = partition.test.pairs
    with open_run(folder, chosen, resume=True):
        runs: list[dict[str, Any]] = []
        for seed in chosen.seeds:
            for start in starts:
                train_contender(start, chosen, partition.training, seed=seed, out=folder)
                encoder = load_contender(start, chosen, seed=seed, out=folder)
                scores = encoder.score(test.pairs)
                training = encoder.training or {}
                runs.append(
                    {
                        "start": start,
                        "seed": seed,
                        "pearson": pearson(test.labels, scores),
                        "f1": f1(test.labels, scores),
                        "f1_tuned": f1(test.labels, scores, threshold=encoder.threshold),
                        "best_epoch": training["best_epoch"],
                        "seconds": training["seconds"],
                    }
                )
                write_json(results / f"{kind}-runs.json", runs)
                click.echo(
                    f"{kind} {start} seed {seed}: Pearson {runs[-1]['pearson']:.4f}", err=True
                )


@click.command()
@click.option("--starts", type=click.Path(path_type=Path), required=True, help="Of the backbones.")
@click.option("--data", type=click.Path(path_type=Path), default=DATA, show_default=True)
@click.option("--seeds", default="1,2,3", show_default=True)
@click.option("--only", multiple=True, type=click.Choice(STARTS), help="Train these, no report.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(TRAINING_BY_KIND)))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Of the encoders.")
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    starts: Path,
    data: Path,
    seeds: str,
    only: tuple[str, ...],
    kinds: tuple[Kind, ...],
    out: Path,
    results: Path,
) -> None:
    """Fine-tune, evaluate, report."""
    missing = [start for start in only or STARTS if not (starts / start).is_dir()]
    if missing:
        raise click.ClickException(f"{starts / missing[0]} is not there; run make.sh first")
    try:
        for kind in kinds or TRAINING_BY_KIND:
            chosen = settings(kind, starts, data, [int(seed) for seed in seeds.split(",")])
            record_runs(chosen, kind, list(only or STARTS), out / kind, results)
            if only:
                continue
            compare(chosen, out / kind, resume=True)
            for name in ("report.md", "report.html", "results.json", "config.toml"):
                target = results / kind / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(out / kind / name, target)
    except KosimError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
