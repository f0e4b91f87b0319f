"""One process and several: the same training pairs, global batch and seed, the same result?

``kosim train`` on KLUE-STS, once as it is and once by torchrun; then Pearson of the saved encoder
on dev. Other seeds show how far two runs of one process are apart. Dropout differs between the
processes, so that the runs agree as seeds do, not to the digit (the tests compare without it).

Both ways may use the whole machine: one process all its cores, several their share of them.

    python -m benchmarks.data_parallel --backbone ../shared/models/e5-small-ko \
        --train ../shared/data/klue-sts/train.csv \
        --test ../shared/data/klue-sts/klue-sts-v1.1_dev.json --pairs 4000 --seeds 1,2
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from kosim.encoders.loading import load
from kosim.encoders.metrics import pearson
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.data.partition import load_partition
from kosim.experiments.settings import DataSettings
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parent / "results"


def train(kind: str, processes: int, options: list[str], out: Path) -> float:
    """Train and save one encoder; return the seconds of everything, start-up included."""
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [
        *(sys.executable, *(launcher if processes > 1 else []), "-m", "kosim"),
        *("train", kind, *options, "--out", str(out)),
    ]
    started = time.monotonic()
    ended = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    if ended.returncode:
        raise click.ClickException(f"{shlex.join(command)} failed")
    return time.monotonic() - started


def measure(out: Path, data: DataSettings, total_seconds: float) -> dict[str, Any]:
    """Return the curves of a saved encoder and its Pearson on the test pairs."""
    encoder = load(out)
    training = encoder.training or {}
    test = load_partition(data).test.pairs
    best = training["history"][training["best_epoch"] - 1]
    return {
        "processes": training["processes"],
        "seed": training["config"]["seed"],
        "batch_size": training["config"]["batch_size"],
        "train_pairs": training["train_pairs"],
        "history": training["history"],
        "best_epoch": training["best_epoch"],
        "validation_pearson": best["pearson"],
        "test_pearson": pearson(test.labels, encoder.score(test.pairs)),
        "train_seconds": training["seconds"],
        "total_seconds": total_seconds,
        "notices": training["notices"],
    }


def to_markdown(results: dict[str, Any]) -> str:
    """Return the tables that are committed."""
    environment = results["environment"]
    lines = [
        "# One process and several",
        "",
        f"`{results['command']}` on {environment['processor']}, {results['cores']} cores, torch "
        f"{environment['torch']}. The global batch is the same in every row.",
    ]
    for kind, runs in results["kinds"].items():
        first = runs[0]
        lines += [
            "",
            f"## {kind}-encoder: {first['train_pairs']:,} training pairs, batches of "
            f"{first['batch_size']}",
            "",
            "| processes | seed | training loss, by epoch | validation loss, by epoch "
            "| validation Pearson | dev Pearson | seconds of training |",
            "|---:|---:|---|---|---:|---:|---:|",
        ]
        for run in runs:
            losses, validation = (
                ", ".join(f"{row[name]:.5f}" for row in run["history"])
                for name in ("train_loss", "validation_loss")
            )
            lines.append(
                f"| {run['processes']} | {run['seed']} | {losses} | {validation} "
                f"| {run['validation_pearson']:.4f} | {run['test_pearson']:.4f} "
                f"| {run['train_seconds']:.0f} |"
            )
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--backbone", required=True, help="A folder or hub id.")
@click.option("--train", "train_file", required=True, help="Training pairs.")
@click.option("--test", "test_file", required=True, help="Test pairs.")
@click.option("--pairs", type=int, help="Training and validation pairs, at most; all by default.")
@click.option("--epochs", default=2, show_default=True)
@click.option("--learning-rate", type=float, help="That of kosim train by default.")
@click.option("--batch-size", default=32, show_default=True, help="Of all processes together.")
@click.option("--max-length", default=120, show_default=True)
@click.option("--processes", default=2, show_default=True)
@click.option("--seeds", default="1", show_default=True)
@click.option("--kinds", default="bi,cross", show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    backbone: str, train_file: str, test_file: str, seeds: str, kinds: str, out: Path, **rest: Any
) -> None:
    """Train both ways with every seed and write the results."""
    options = ["--backbone", backbone, "--train", train_file, "--test", test_file]
    for name in ("epochs", "batch_size", "max_length", "device"):
        options += [f"--{name.replace('_', '-')}", str(rest[name])]
    if rest["learning_rate"]:
        options += ["--learning-rate", str(rest["learning_rate"])]
    if rest["pairs"]:
        options += ["--limit", str(rest["pairs"])]
    data = DataSettings(train=train_file, test=test_file)
    measured: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="kosim-") as scratch:
        for kind in kinds.split(","):
            for seed in seeds.split(","):
                for processes in (1, rest["processes"]):
                    saved = Path(scratch) / f"{kind}-{seed}-{processes}"
                    seconds = train(kind, processes, [*options, "--seed", seed], saved)
                    measured.setdefault(kind, []).append(measure(saved, data, seconds))
                    print(kind, measured[kind][-1], flush=True)
    results = {
        "command": f"python -m benchmarks.data_parallel {shlex.join(sys.argv[1:])}",
        "kinds": measured,
        "cores": len(os.sched_getaffinity(0)),
        "environment": describe_environment(),
    }
    write_json(out / "data_parallel.json", results)
    write_text(out / "data_parallel.md", to_markdown(results))


if __name__ == "__main__":
    main()
