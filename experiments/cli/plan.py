"""``kosim plan``: the machines that a corpus and its queries will need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import click

from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.console import notes, output, print_json, table
from kosim.experiments.cli.options import SAVED_ENCODER
from kosim.experiments.cli.stages import stage_progress
from kosim.experiments.planning.demand import GIBIBYTE, Demand
from kosim.experiments.planning.measurements import Measurements
from kosim.experiments.planning.measuring import PlanSizes, measure_machine
from kosim.experiments.planning.plan import Option, Plan, make_plan
from kosim.experiments.study.notation import amount, count, duration

_SIZES = PlanSizes()


@click.command("plan")
@click.option("--sentences", type=float, required=True, help="Of the corpus, such as 1e9.")
@click.option("--queries-per-second", type=float, default=1.0, show_default=True)
@click.option(
    "--rerank-depth", type=int, help="Candidates reranked a query; 50 with --reranker, else 0."
)
@click.option("--node-memory", type=float, default=64.0, show_default=True, help="GiB.")
@click.option("--node-cores", type=int, default=16, show_default=True)
@click.option("--memory-share", type=float, default=0.8, show_default=True, help="Planned with.")
@click.option("--utilisation", type=float, default=0.7, show_default=True, help="Of the cores.")
@click.option("--encoder", type=SAVED_ENCODER, help="A saved bi-encoder.")
@click.option("--reranker", type=SAVED_ENCODER, help="A saved cross-encoder.")
@click.option("--corpus", type=click.Path(), help="Sentences like the corpus's; else the sample's.")
@click.option("--backend", type=click.Choice(get_args(Backend)), help="What computes.")
@click.option(
    "--precision", type=click.Choice(get_args(Precision)), default="fp32", show_default=True
)
@click.option("--sample", type=int, default=_SIZES.sample, show_default=True, help="Encoded.")
@click.option(
    "--vectors",
    type=int,
    default=_SIZES.vectors,
    show_default=True,
    help="Of the largest index that is measured; mixed from encoded ones where those are fewer.",
)
@click.option("--pairs", type=int, default=_SIZES.pairs, show_default=True, help="Reranked.")
@click.option(
    "--measurements",
    type=click.Path(path_type=Path),
    help="A file: what was measured before is read from it, or else written to it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan_command(
    sentences: float,
    rerank_depth: int | None,
    encoder: Path | None,
    reranker: Path | None,
    corpus: str | None,
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
    """
    known = measurements is not None and measurements.exists()
    measured = Measurements.load(measurements) if known and measurements else None
    depth = rerank_depth
    if depth is None:
        reranks = reranker is not None if measured is None else measured.reranker is not None
        depth = 50 if reranks else 0
    demand = Demand(
        sentences=_whole(sentences),
        queries_per_second=queries_per_second,
        rerank_depth=depth,
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
                progress=progress,
            )
        if measurements is not None:
            measured.save(measurements)
    else:
        _check_same(measured, encoder, reranker)
    plan = make_plan(demand, measured)
    if as_json:
        print_json(plan.to_json())
    else:
        _print_plan(plan)


def _whole(number: float) -> int:
    if number != number or abs(number) == float("inf") or number != int(number):
        raise ConfigError(f"sentences is {number:g}; give a whole number, such as 1e9")
    return int(number)


def _check_same(measured: Measurements, encoder: Path | None, reranker: Path | None) -> None:
    for name, given, kept in (
        ("encoder", encoder, measured.encoder),
        ("reranker", reranker, measured.reranker),
    ):
        if given is not None and str(given) != kept:
            raise ConfigError(
                f"the measurements are of {name} {kept}, not {given}; leave --{name} out, or give "
                "another --measurements file"
            )


def _print_plan(plan: Plan) -> None:
    demand = plan.demand
    output.print(
        f"{count(demand.sentences)} sentences, {amount(demand.queries_per_second)} queries a "
        f"second, {demand.rerank_depth} candidates reranked: {plan.chosen.type}, "
        f"{count(plan.chosen.nodes)} x {demand.node_cores} cores and {demand.node_memory:g} GiB",
        style="bold",
        highlight=False,
    )
    shown = table("", *(option.type for option in (plan.chosen, *plan.alternatives)))
    for label, cell in _ROWS.items():
        shown.add_row(label, *(cell(option) for option in (plan.chosen, *plan.alternatives)))
    output.print(shown)
    if plan.built_by_itself != plan.chosen.type:
        notes.print(
            f"kosim index build would choose {plan.built_by_itself}: give it --type "
            f"{plan.chosen.type}",
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
    "encoding, on all these cores": lambda option: duration(option.encode_seconds),
    "encoding, core time": lambda option: duration(option.total.encode_seconds),
    "building, core time": lambda option: duration(option.total.build_seconds),
    "a query, core time": lambda option: duration(option.query_core_seconds),
    "a query, one core a shard": lambda option: duration(option.latency_seconds),
    "recall@10 as measured": lambda option: f"{option.total.recall:.3f}",
}
"""What is shown of an option."""
