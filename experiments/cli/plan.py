"""``kosim plan``: the machines that a corpus and its queries will need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.console import notes, output, print_json, table
from kosim.experiments.cli.corpus_options import dimensions_option
from kosim.experiments.cli.encoder_options import (
    backend_option,
    encoder_option,
    precision_option,
    reranker_option,
)
from kosim.experiments.cli.options import (
    json_option,
    measured_corpus_option,
    option,
    sample_option,
)
from kosim.experiments.cli.progress import stage_progress
from kosim.experiments.speed.planning.demand import GIBIBYTE, Demand
from kosim.experiments.speed.planning.measurements import Measurements
from kosim.experiments.speed.planning.measuring import PlanSizes, measure_machine
from kosim.experiments.speed.planning.plan import Option, Plan, make_plan
from kosim.experiments.study.notation import amount, count, duration

_SIZES = PlanSizes()
_CANDIDATES = 100
_ALTERNATIVES = 3
"""Layouts that are shown beside the chosen one; --json has all."""


@click.command("plan")
@option("--sentences", type=float, required=True, help="Sentences of the corpus, such as 1e9.")
@option("--queries-per-second", type=float, default=1.0, help="Queries that arrive each second.")
@option(
    "--candidates",
    type=int,
    aliases=("--rerank-depth",),
    help="Candidates that are reranked for each query.",
    shown_default=f"{_CANDIDATES} with --reranker, else 0",
)
@option("--node-memory", type=float, default=64.0, help="Memory of a node in GiB.")
@option("--node-cores", type=int, default=16, help="CPU cores of a node.")
@option(
    "--memory-share",
    type=float,
    default=0.8,
    help="Share of a node's memory that the plan may use.",
)
@option(
    "--utilisation",
    type=float,
    default=0.7,
    help="Share of the cores' time that the plan may use.",
)
@encoder_option()
@reranker_option()
@measured_corpus_option
@dimensions_option
@backend_option
@precision_option
@sample_option("sentences", "sample", _SIZES.sample, "Sentences to encode when measuring.")
@sample_option(
    "vectors",
    "vectors",
    _SIZES.vectors,
    "Vectors of the largest index to measure; mixed from encoded ones where those are fewer.",
)
@sample_option("pairs", "pairs", _SIZES.pairs, "Pairs to rerank when measuring.")
@option(
    "--measurements",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File of earlier measurements; it is read where it exists, and written where not.",
)
@json_option
def plan_command(
    sentences: float,
    candidates: int | None,
    encoder: Path | None,
    reranker: Path | None,
    corpus: str | None,
    dimensions: int | None,
    backend: Backend | None,
    precision: Precision,
    sample: int,
    vectors: int,
    pairs: int,
    measurements: Path | None,
    as_json: bool,
    queries_per_second: float,
    node_memory: float,
    node_cores: int,
    memory_share: float,
    utilisation: float,
) -> None:
    """Say what a corpus and its queries need: index type, memory, disk, cores, nodes and time.

    It measures quick figures on one core of this machine and scales them; every assumption is
    printed with its value. Nothing else should be running meanwhile.

    \b
    Example:
      kosim plan --sentences 1e8 --encoder mini-bi --reranker mini-cross
    """
    known = measurements is not None and measurements.exists()
    measured = Measurements.load(measurements) if known and measurements else None
    if candidates is None:
        reranks = reranker is not None if measured is None else measured.reranker is not None
        candidates = _CANDIDATES if reranks else 0
    demand = Demand(
        sentences=_whole(sentences),
        queries_per_second=queries_per_second,
        candidates=candidates,
        node_memory=node_memory,
        node_cores=node_cores,
        memory_share=memory_share,
        utilisation=utilisation,
    )
    if measured is None:
        if encoder is None:
            raise ConfigError(
                "no encoder is given; name the folder of a saved bi-encoder with --encoder, or a "
                "file of measurements with --measurements"
            )
        with stage_progress() as progress:
            measured = measure_machine(
                encoder,
                reranker,
                corpus,
                PlanSizes(sample, vectors, pairs),
                choice=ComputeChoice.of(backend, precision),
                dimensions=dimensions,
                progress=progress,
            )
        if measurements is not None:
            measured.save(measurements)
    else:
        _check_same(measured, encoder, reranker, dimensions)
    plan = make_plan(demand, measured)
    if as_json:
        print_json(plan.to_json())
    else:
        _print_plan(plan)


def _whole(number: float) -> int:
    if number != number or abs(number) == float("inf") or number != int(number):
        raise ConfigError(f"sentences is {number:g}; give a whole number, such as 1e9")
    return int(number)


def _check_same(
    measured: Measurements, encoder: Path | None, reranker: Path | None, dimensions: int | None
) -> None:
    for name, given, kept in (
        ("encoder", encoder, measured.encoder),
        ("reranker", reranker, measured.reranker),
        ("dimensions", dimensions, measured.dimension),
    ):
        if given is not None and str(given) != str(kept):
            raise ConfigError(
                f"the measurements are of {name} {kept}, not {given}; leave --{name} out, or give "
                "another --measurements file"
            )


def _print_plan(plan: Plan) -> None:
    demand = plan.demand
    output.print(
        f"{count(demand.sentences)} sentences, {amount(demand.queries_per_second)} queries a "
        f"second, {demand.candidates} candidates reranked: {plan.chosen.type}, "
        f"{count(plan.chosen.nodes)} x {demand.node_cores} cores and {demand.node_memory:g} GiB",
        style="bold",
    )
    options = (plan.chosen, *plan.alternatives[:_ALTERNATIVES])
    shown = table("", *(option.type for option in options))
    for label, cell in _ROWS.items():
        shown.add_row(label, *(cell(option) for option in options))
    output.print(shown)
    if plan.built_by_itself != plan.chosen.type:
        notes.print(
            f"kosim index build would choose {plan.built_by_itself}: give it --type "
            f"{plan.chosen.type.replace(' ', ' --vectors ')}",
            style="dim",
        )
    assumed = table("assumption", "value", "from")
    for row in plan.assumptions:
        assumed.add_row(*row)
    output.print(assumed)


def _gibibytes(size: float) -> str:
    return f"{amount(size / GIBIBYTE)} GiB"


_ROWS: dict[str, Callable[[Option], str]] = {
    "nodes": lambda option: count(option.nodes),
    "shards x replicas": lambda option: f"{count(option.shards)} x {count(option.replicas)}",
    "cores for the queries": lambda option: amount(option.cores),
    "memory, one copy": lambda option: _gibibytes(option.total.resident),
    "memory of a node's process": lambda option: _gibibytes(option.shard_memory),
    "disk, one copy": lambda option: _gibibytes(option.total.disk),
    "disk of a node": lambda option: _gibibytes(option.shard_disk),
    "encoding, on all these cores": lambda option: duration(option.encode_seconds).en,
    "encoding, core time": lambda option: duration(option.total.encode_seconds).en,
    "building, core time": lambda option: duration(option.total.build_seconds).en,
    "a query, core time": lambda option: duration(option.query_core_seconds).en,
    "a query, one core a shard": lambda option: duration(option.latency_seconds).en,
    "recall@10 as measured": lambda option: f"{option.total.recall:.3f}",
}
"""What is shown of an option."""
