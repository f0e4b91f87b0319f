"""kosim beside its peers: the same sentences, models and threads, all taking turns.

Every measurement is a process of its own, a peer's in an environment of its own (made under
``--environments`` from ``requirements/PEER.txt``). In each round all take their turn, so that
what else the machine does falls on each alike; a ratio is the median over the rounds of the
peer's time by ours. A peer that cannot run is listed with the reason.

    python -m benchmarks.peers.run CORPUS --encoder BI --reranker CROSS --environments DIR
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.peers.contestants import PEERS, contestants
from benchmarks.peers.environments import PeerError, python_of
from benchmarks.peers.materials import prepare
from benchmarks.peers.report import markdown
from kosim.encoders.errors import KosimError
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.cli.encoder_options import SAVED_ENCODER
from kosim.experiments.speed.bench import agreement
from kosim.experiments.speed.measurement import Measurement, Task
from kosim.experiments.speed.workload import Workload, WorkloadSizes
from kosim.experiments.study.environment import describe_environment

RESULTS = Path(__file__).parents[1] / "results"


def compare(
    task: str,
    runners: Mapping[str, Callable[[], Measurement]],
    rounds: int,
    absent: dict[str, str],
) -> list[dict[str, Any]]:
    """Measure all in turn and return a row for each; who fails is named in ``absent``."""
    measured: dict[str, list[Measurement]] = {name: [] for name in runners}
    for number in range(rounds):
        order = list(measured) if number % 2 == 0 else list(reversed(measured))
        for name in order:
            try:
                measured[name].append(runners[name]())
            except PeerError as error:
                absent[f"{name} ({task})"] = str(error)
                del measured[name]
            else:
                click.echo(f"{task}: {name}, round {number + 1}", err=True)
    peer = next((name for name in measured if not name.startswith("kosim")), next(iter(measured)))
    return [figures(task, name, peer, measured) for name in measured]


def figures(
    task: str, name: str, peer: str, measured: Mapping[str, Sequence[Measurement]]
) -> dict[str, Any]:
    """Return a row: its times, and beside the first peer's the ratios of bulk and of latency."""
    own, theirs = measured[name], measured[peer]
    singles = 1000 * np.array([one.singles for one in own])
    kind: Task = "rerank" if task == "vectors" else task  # type: ignore[assignment]

    def ratio(value: Callable[[Measurement], float]) -> float:
        both = zip(theirs, own, strict=True)
        return float(np.median([value(one) / value(other) for one, other in both]))

    return {
        "task": task,
        "name": name,
        "compared_with": peer,
        "items_per_second": own[0].items / float(np.median([one.bulk for one in own])),
        "times_faster": ratio(lambda one: one.bulk),
        "p50_ms": float(np.percentile(singles, 50)),
        "p95_ms": float(np.percentile(singles, 95)),
        "p50_share": 1 / ratio(lambda one: float(np.percentile(one.singles, 50))),
        "p95_share": 1 / ratio(lambda one: float(np.percentile(one.singles, 95))),
        "cold_start_seconds": float(np.median([one.cold_start for one in own])),
        "peak_memory_mib": float(np.median([one.peak_memory for one in own])) / (1 << 20),
        "agreement": agreement(kind, theirs[0], own[0]),
    }


@click.command()
@click.argument("corpus", type=click.Path())
@click.option("--encoder", type=SAVED_ENCODER, required=True)
@click.option("--reranker", type=SAVED_ENCODER, required=True)
@click.option("--environments", type=click.Path(path_type=Path), required=True)
@click.option("--python", "given", multiple=True, help="PEER=PATH: an environment that is there.")
@click.option("--task", "tasks", multiple=True, type=click.Choice(list(PEERS)))
@click.option("--peer", "wanted", multiple=True, help="Only these; all by default.")
@click.option("--sentences", default=10_000)
@click.option("--pairs", default=5_000)
@click.option("--queries", default=50)
@click.option("--candidates", default=100)
@click.option("--singles", default=50)
@click.option("--rounds", default=5)
@click.option("--threads", default=2)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS / "peers")
def main(
    corpus: str,
    encoder: Path,
    reranker: Path,
    environments: Path,
    given: tuple[str, ...],
    tasks: tuple[str, ...],
    wanted: tuple[str, ...],
    rounds: int,
    threads: int,
    out: Path,
    **sizes: int,
) -> None:
    """Measure kosim and its peers; write OUT.json and OUT.md, anew after each task."""
    workload = Workload.of(corpus, WorkloadSizes(**sizes))
    pythons = {name: Path(path) for name, _, path in (one.partition("=") for one in given)}
    absent: dict[str, str] = {}
    chosen = tasks or tuple(PEERS)
    for peer in dict.fromkeys(peer for task in chosen for peer in PEERS[task]):
        if peer in pythons or (wanted and peer not in wanted):
            continue
        try:
            pythons[peer] = python_of(peer, environments)
        except PeerError as error:
            absent[peer] = str(error)
    with tempfile.TemporaryDirectory(prefix="kosim-") as scratch:
        # So that exports lie beside the encoders, where peers find them, and not in a cache.
        os.environ["XDG_CACHE_HOME"] = scratch
        materials = prepare(Path(scratch), encoder, reranker, workload, threads)
        rows: list[dict[str, Any]] = []
        for task in chosen:
            rows += compare(task, contestants(materials, task, pythons), rounds, absent)
            results = {
                "rows": rows,
                "absent": absent,
                "settings": {"rounds": rounds, "threads": threads, **sizes},
                "corpus": {"origin": Path(corpus).name, "sentences": len(workload.texts)},
                "environment": {**describe_environment(), "threads": threads},
            }
            write_json(out.with_suffix(".json"), results)
            write_text(out.with_suffix(".md"), markdown(results))


if __name__ == "__main__":
    try:
        main()
    except KosimError as error:
        sys.exit(f"Error: {error}")
