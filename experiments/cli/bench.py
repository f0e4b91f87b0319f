"""``kosim bench``: how fast encoders and search are on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click

from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.console import notes, output, print_json, table
from kosim.experiments.cli.options import SAVED_ENCODER
from kosim.experiments.cli.stages import stage_progress
from kosim.experiments.retrieval.run import check_folder
from kosim.experiments.speed.bench import BenchSettings, run_bench
from kosim.experiments.speed.report import choice_name, title, write_report
from kosim.experiments.speed.workload import Workload, WorkloadSizes
from kosim.experiments.study.notation import amount, count, duration
from kosim.experiments.study.run_folder import default_folder

_SIZES = WorkloadSizes()
_CHOICES = "torch:fp32,onnx:fp32,onnx:int8"


@click.command("bench")
@click.option(
    "--encoders",
    type=SAVED_ENCODER,
    multiple=True,
    required=True,
    help="The folder of a saved encoder; several may follow. Bi-encoders search, cross-encoders "
    "rerank.",
)
@click.option("--corpus", type=click.Path(), help="Sentences to measure on; else the sample's.")
@click.option(
    "--compare",
    "choices",
    default=_CHOICES,
    show_default=True,
    help="Backends and precisions; the others are compared with the first.",
)
@click.option("--sentences", type=int, default=_SIZES.sentences, show_default=True)
@click.option("--pairs", type=int, default=_SIZES.pairs, show_default=True)
@click.option("--queries", type=int, default=_SIZES.queries, show_default=True)
@click.option("--candidates", type=int, default=_SIZES.candidates, show_default=True)
@click.option(
    "--singles", type=int, default=_SIZES.singles, show_default=True, help="Calls with one text."
)
@click.option("--rounds", type=int, default=3, show_default=True, help="Each row so many times.")
@click.option("--threads", type=int, help="As many as there are cores by default.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of the texts.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; runs/bench by default.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier report.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json to standard output.")
def bench_command(
    encoders: tuple[Path, ...],
    corpus: str | None,
    choices: str,
    rounds: int,
    threads: int | None,
    seed: int,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    **sizes: int,
) -> None:
    """Measure encoding, scoring, search and reranking on this machine.

    Each row, a job with one backend and precision, runs in processes of its own, from a cold
    start; the rows take turns. Nothing else should be running meanwhile.
    """
    settings = BenchSettings(choices=parse_choices(choices), rounds=rounds, threads=threads)
    folder = out or default_folder("bench", again=overwrite)
    check_folder(folder, overwrite=overwrite)
    workload = Workload.of(corpus, WorkloadSizes(**sizes), seed=seed)
    with stage_progress() as progress:
        results = run_bench(encoders, workload, settings, name=folder.name, progress=progress)
    write_report(results, folder)
    if as_json:
        print_json(results)
        notes.print(f"Report: {folder / 'report.html'}", highlight=False, soft_wrap=True)
    else:
        _print_summary(results, folder)


def parse_choices(given: str) -> tuple[ComputeChoice, ...]:
    """Return the choices of ``BACKEND:PRECISION`` separated by commas.

    Raises:
        ConfigError: one is not of that form, or does not exist.
    """
    choices = []
    for part in given.split(","):
        backend, colon, precision = part.strip().partition(":")
        if not colon:
            raise ConfigError(
                f"--compare has {part!r}; give BACKEND:PRECISION separated by commas, such as "
                f"{_CHOICES}"
            )
        choices.append(ComputeChoice.of(cast(Backend, backend), cast(Precision, precision)))
    return tuple(choices)


def _print_summary(results: dict[str, Any], folder: Path) -> None:
    shown = table("", "", "a second", "times faster", "one, p50", "peak memory")
    for row in results["rows"]:
        shown.add_row(
            title(row),
            choice_name(row),
            amount(row["items_per_second"]),
            f"{row['times_faster']:.2f}",
            duration(row["latency_ms"]["p50"] / 1000),
            f"{count(row['peak_memory_mib'])} MiB",
        )
    output.print(shown)
    output.print(f"\nReport: {folder / 'report.html'}", highlight=False, soft_wrap=True)
