"""``kosim bench``: how fast encoders and search are on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.console import chosen_language
from kosim.experiments.cli.encoder_options import model_option
from kosim.experiments.cli.options import (
    measured_corpus_option,
    option,
    run_options,
    sample_option,
    seed_option,
)
from kosim.experiments.cli.progress import stage_progress
from kosim.experiments.cli.summary import show
from kosim.experiments.speed.bench import BenchSettings, run_bench
from kosim.experiments.speed.report import SPEED
from kosim.experiments.speed.workload import Workload, WorkloadSizes
from kosim.experiments.study.run_folder import choose_folder

_SIZES = WorkloadSizes()
_CHOICES = "torch:fp32,onnx:fp32,onnx:int8"


@click.command("bench")
@model_option(
    "--encoder",
    "encoders",
    multiple=True,
    aliases=("--encoders",),
    help="Saved bi-encoder to measure: encoding and search; can be repeated.",
)
@model_option(
    "--reranker",
    "rerankers",
    multiple=True,
    help="Saved cross-encoder to measure: scoring and reranking; can be repeated.",
)
@measured_corpus_option
@option(
    "--compare",
    "choices",
    default=_CHOICES,
    metavar="BACKEND:PRECISION,...",
    help="Backends and precisions to measure; the others are compared with the first.",
)
@sample_option("sentences", "sentences", _SIZES.sentences, "Sentences to encode in one call.")
@sample_option("pairs", "pairs", _SIZES.pairs, "Pairs to score in one call.")
@sample_option("queries", "queries", _SIZES.queries, "Queries to search in one call.")
@option(
    "--candidates",
    type=int,
    default=_SIZES.candidates,
    help="Documents that are retrieved for a query and then reranked.",
)
@option(
    "--latency-queries",
    "singles",
    type=int,
    default=_SIZES.singles,
    aliases=("--singles",),
    help="Calls with a single text, to measure latency.",
)
@option("--rounds", type=int, default=3, help="Times that each row is measured.")
@option("--threads", type=int, help="Threads of each process.", shown_default="one per core")
@seed_option("the order of the texts")
@run_options("runs/bench")
def bench_command(
    encoders: tuple[Path, ...],
    rerankers: tuple[Path, ...],
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

    \b
    Example:
      kosim bench --encoder mini-bi --reranker mini-cross
    """
    if not encoders and not rerankers:
        raise ConfigError("nothing to measure is given; name a model with --encoder or --reranker")
    settings = BenchSettings(choices=parse_choices(choices), rounds=rounds, threads=threads)
    folder = choose_folder("bench", out, overwrite=overwrite)
    workload = Workload.of(corpus, WorkloadSizes(**sizes), seed=seed)
    with stage_progress() as progress:
        results = SPEED.run(
            folder,
            lambda: run_bench(
                (*encoders, *rerankers), workload, settings, name=folder.name, progress=progress
            ),
            overwrite=overwrite,
            language=chosen_language(),
        )
    show(SPEED, results, folder, as_json=as_json)


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
