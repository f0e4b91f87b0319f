"""What pruning saves, and whether it costs the best value: studies with it and without it.

For each seed of the sampler two studies of the same encoder, data and space, one with the median
pruner: the best validation value of each, and the epochs that were trained. A study that was
killed goes on when this is started again; with ``--only`` just some seeds are run, and the report
follows when it is started without.

    python -m benchmarks.tuning.pruning benchmarks/tuning/klue-sts-mini.toml \\
        --space benchmarks/tuning/space.toml --work runs/pruning
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy import stats

from kosim.encoders.base import Kind
from kosim.encoders.errors import KosimError
from kosim.encoders.storage import write_json, write_text
from kosim.encoders.training.losses import TRAINING_BY_KIND
from kosim.experiments.data.partition import load_training
from kosim.experiments.settings import CompareSettings, read_settings
from kosim.experiments.study.environment import describe_environment
from kosim.experiments.tuning.outcome import describe_study
from kosim.experiments.tuning.settings import TuneSettings, data_fingerprint, first_of_kind
from kosim.experiments.tuning.space import read_space
from kosim.experiments.tuning.storage import open_storage
from kosim.experiments.tuning.study import begin_study, load_study
from kosim.experiments.tuning.worker import work

RESULTS = Path(__file__).parents[1] / "results" / "tuning"
LEVEL = 0.95


def run_study(settings: TuneSettings, data: str, folder: Path, name: str) -> dict[str, Any]:
    """Run a study of the data with that fingerprint in this process; return what it found."""
    storage = open_storage(str(folder / "studies.db"))
    begin_study(storage, name, settings, data, resume=True)
    work(storage, name, report=lambda trial: click.echo(f"{name} {trial.number}", err=True))
    found = describe_study(load_study(storage, name), settings)
    best, cost = found["best"], found["cost"].model_dump()
    return {
        "best": best.value,
        "values": best.values,
        "epochs": cost["epochs"],
        "pruned": cost.get("pruned", 0),
        "trials": len(found["trials"]),
    }


def conclude(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the share of epochs saved, and the mean change of the best value with its interval.

    The interval is Student's over the seeds.
    """
    changes = np.array([row["median"]["best"] - row["none"]["best"] for row in rows])
    half = (
        stats.t.ppf(0.5 + LEVEL / 2, len(changes) - 1) * stats.sem(changes)
        if len(changes) > 1
        else float("nan")
    )
    spent, whole = (sum(row[how]["epochs"] for row in rows) for how in ("median", "none"))
    return {
        "epochs_saved": 1 - spent / whole,
        "best_change": float(changes.mean()),
        "best_change_interval": [float(changes.mean() - half), float(changes.mean() + half)],
        "best_spread": {
            how: float(np.std([row[how]["best"] for row in rows], ddof=1))
            for how in ("none", "median")
        },
    }


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    found, environment = results["conclusion"], results["environment"]
    low, high = found["best_change_interval"]
    lines = [
        "# What pruning saves",
        "",
        f"`{results['command']}`: {results['trials']} trials a study (TPE), "
        f"{results['pairs']['train']:,} training and {results['pairs']['validation']:,} validation "
        f"pairs, on {environment['processor']}. Best: validation Pearson.",
        "",
        "| seed of the sampler | best, all epochs | best, pruned | epochs, all | epochs, pruned "
        "| saved | trials pruned |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in results["rows"]:
        whole, pruned = row["none"], row["median"]
        lines.append(
            f"| {row['seed']} | {whole['best']:.4f} | {pruned['best']:.4f} | {whole['epochs']} "
            f"| {pruned['epochs']} | {1 - pruned['epochs'] / whole['epochs']:.0%} "
            f"| {pruned['pruned']} of {pruned['trials']} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"Epochs saved: {found['epochs_saved']:.0%}. Change of the best value: "
            f"{found['best_change']:+.4f} (95% interval {low:+.4f} to {high:+.4f}); its standard "
            f"deviation over the seeds without pruning is {found['best_spread']['none']:.4f}.",
            "",
        ]
    )


@click.command()
@click.argument("config")
@click.option("--space", required=True)
@click.option(
    "--kind", type=click.Choice(list(TRAINING_BY_KIND)), default="cross", show_default=True
)
@click.option("--trials", default=24, show_default=True)
@click.option("--limit", default=800, show_default=True, help="Training and validation pairs.")
@click.option("--seeds", default="0,1,2", show_default=True, help="Of the sampler.")
@click.option("--only", multiple=True, type=int, help="Run these seeds, no report.")
@click.option("--work", "folder", type=click.Path(path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    config: str,
    space: str,
    kind: Kind,
    trials: int,
    limit: int,
    seeds: str,
    only: tuple[int, ...],
    folder: Path,
    out: Path,
) -> None:
    """Run the studies and write what they found."""
    rows = []
    try:
        raw = read_settings(config)
        comparison = CompareSettings.parse({**raw, "data": {**raw["data"], "limit": limit}})
        pairs = load_training(comparison.data)
        encoder = comparison.encoders[first_of_kind(comparison, kind)]
        data, domains = data_fingerprint(pairs), read_space(space, encoder)
        for seed in only or [int(one) for one in seeds.split(",")]:
            row: dict[str, Any] = {"seed": seed}
            for prune in ("none", "median"):
                settings = TuneSettings(
                    kind=kind,
                    comparison=comparison,
                    space=domains,
                    trials=trials,
                    prune="median" if prune == "median" else None,
                    seed=seed,
                )
                row[prune] = run_study(settings, data, folder / f"seed-{seed}", f"{kind}-{prune}")
            rows.append(row)
            click.echo(row, err=True)
    except KosimError as error:
        raise click.ClickException(str(error)) from error
    if only:
        return
    results = {
        "command": f"python -m benchmarks.tuning.pruning {shlex.join(sys.argv[1:])}",
        "kind": kind,
        "trials": trials,
        "pairs": {"train": len(pairs.train), "validation": len(pairs.validation)},
        "rows": rows,
        "conclusion": conclude(rows),
        "environment": describe_environment(),
    }
    write_json(out / "pruning.json", results)
    write_text(out / "pruning.md", to_markdown(results))
    click.echo(to_markdown(results))


if __name__ == "__main__":
    main()
