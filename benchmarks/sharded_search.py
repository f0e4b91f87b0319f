"""Whether a sharded, served index answers as the whole one, also while a replica is killed.

A local Ray cluster of two nodes; ``kosim serve --ray`` over the shards of INDEX, of which a flat
copy is the reference:

* answers: every query once; how many have the same top 10 in the same order with the same scores
  (within 1e-5, near ties in any order), beside those of one process over the flat index; latency
  by client, p50 and p95;
* a killed replica: the same queries under load, and a SIGKILL for the only replica of one shard;
  how many answers are complete, partial (they name the shard, and are right for the rest), wrong,
  or no answer, from the kill until all are complete again, and how long that takes.

    python -m benchmarks.sharded_search INDEX --queries queries.txt --reranker MODEL \\
        --out benchmarks/results/sharded_search
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import psutil
import ray

from benchmarks.judged_load import TOLERANCE, JudgedLoad, difference, search
from benchmarks.local_cluster import replicas, two_nodes
from benchmarks.serving import served
from kosim.encoders.bi import BiEncoder
from kosim.encoders.loading import load
from kosim.encoders.storage import write_json, write_text
from kosim.encoders.tables import read_lines
from kosim.experiments.cli.encoder_options import SAVED_ENCODER
from kosim.experiments.study.environment import describe_environment
from kosim.index.corpus_index import CorpusIndex
from kosim.index.index_encoder import encoder_folder
from kosim.index.searcher import Searcher, SearchResult
from kosim.index.sharding.folder import Shards
from kosim.index.sharding.sharded_index import ShardedIndex
from kosim.index.sharding.split import split_index

K = 10
_TOGETHER = 64
_AFTER = 100
"""Complete answers without a partial one after which the shard counts as back."""


def replica(part: int) -> psutil.Process | None:
    """Return the process of a part that has one replica; None while it has none."""
    return next(iter(replicas(part)), None)


def results_of(searcher: Any, queries: Sequence[str], depth: int) -> list[SearchResult]:
    """Return what a searcher in this process finds."""
    found: list[SearchResult] = []
    for start in range(0, len(queries), _TOGETHER):
        found += searcher.search(queries[start : start + _TOGETHER], k=K, candidates=depth)
    return found


def compared(
    url: str, queries: Sequence[str], expected: Sequence[SearchResult], depth: int, clients: int
) -> dict[str, Any]:
    """Ask every query once and count the answers that are the expected ones."""

    def one(number: int) -> tuple[float, bool, str | None]:
        started = time.perf_counter()
        response = search(url, queries[number], k=K, candidates=depth)
        seconds = time.perf_counter() - started
        if response.status_code != 200:
            return seconds, False, f"{response.status_code} {response.text}"
        answer = response.json()
        same_ids = [hit["id"] for hit in answer["hits"]] == [h.id for h in expected[number].hits]
        missing = f"{answer['missing']} missing" if answer["missing"] else None
        return seconds, same_ids, missing or difference(answer, expected[number])

    with ThreadPoolExecutor(clients) as threads:
        outcomes = list(threads.map(one, range(len(queries))))
    seconds = [each for each, _, _ in outcomes]
    return {
        "queries": len(queries),
        "equal": sum(problem is None for _, _, problem in outcomes),
        "same ids in the same order": sum(same for _, same, _ in outcomes),
        "tolerance": TOLERANCE,
        "first differences": [problem for _, _, problem in outcomes if problem][:5],
        "p50_ms": 1000 * float(np.percentile(seconds, 50)),
        "p95_ms": 1000 * float(np.percentile(seconds, 95)),
    }


def killed(
    url: str,
    queries: Sequence[str],
    expected: dict[tuple[str, ...], list[SearchResult]],
    part: int,
    depth: int,
    clients: int,
    seconds: float,
) -> dict[str, Any]:
    """Kill the replica of a part under load and judge the answers until it is back.

    ``seconds`` is how long an answer may wait for a shard.
    """
    load = JudgedLoad(url, queries, expected, clients=clients, k=K, candidates=depth)
    try:
        load.wait("complete", count=2 * clients)
        before = replica(part)
        if before is None:
            raise click.ClickException(f"part {part} has no replica")
        moment = time.monotonic()
        os.kill(before.pid, signal.SIGKILL)
        while (now := replica(part)) is None or now.pid == before.pid:
            time.sleep(0.1)
        time.sleep(seconds)
        while True:
            last = load.last("partial")
            load.wait("complete", after=last, count=_AFTER, seconds=600)
            if load.last("partial") == last:
                break
    finally:
        load.end()
    counts = load.counts(after=moment)
    return {
        "clients": clients,
        **{kind: counts[kind] for kind in ("complete", "partial", "wrong", "failed")},
        "seconds until the last partial answer": max(0.0, load.last("partial") - moment),
        "first problems": [
            kind for _, kind in load.outcomes if kind.startswith(("wrong", "failed"))
        ][:5],
    }


def to_markdown(results: dict[str, Any]) -> str:
    """Return the figures as a page."""
    environment, answers, death = (
        results["environment"],
        results["answers"],
        results["killed replica"],
    )
    return "\n".join(
        [
            "# Sharded search",
            "",
            f"`{results['command']}`: {results['documents']:,} documents in {results['shards']} "
            f"shards on a cluster of two nodes of {results['cpus']} CPUs, both on one machine "
            f"({environment['processor']}, {environment['cores']} cores); reranked: "
            f"{results['depth'] if results['cross'] else 'no'}.",
            "",
            f"- top {K} equal to the whole flat index: {answers['equal']:,} of "
            f"{answers['queries']:,} queries (scores within {TOLERANCE:g}; the ids alone in the "
            f"same order: {answers['same ids in the same order']:,})",
            f"- latency at {results['clients']} clients: p50 {answers['p50_ms']:,.0f} ms, p95 "
            f"{answers['p95_ms']:,.0f} ms",
            f"- the only replica of a shard killed under load: {death['complete']:,} complete "
            f"answers, {death['partial']:,} partial, {death['wrong']:,} wrong, "
            f"{death['failed']:,} failed; the last partial answer "
            f"{death['seconds until the last partial answer']:.1f} s after the kill",
            "",
        ]
    )


@click.command()
@click.argument("folder", metavar="INDEX", type=click.Path(path_type=Path))
@click.option("--queries", "file", type=click.Path(path_type=Path), required=True)
@click.option("--count", default=1000, show_default=True, help="Of the queries, the first ones.")
@click.option("--encoder", type=SAVED_ENCODER, help="Of the index, if it was moved.")
@click.option("--reranker", "--cross", "cross", type=SAVED_ENCODER, help="Reranks, if given.")
@click.option(
    "--candidates",
    "--depth",
    "depth",
    default=50,
    show_default=True,
    help="Candidates that are reranked.",
)
@click.option("--shards", default=4, show_default=True)
@click.option("--clients", default=4, show_default=True)
@click.option("--cpus", default=2, show_default=True, help="Of each node.")
@click.option("--shard-seconds", default=2.0, show_default=True, help="Passed to kosim serve.")
@click.option("--out", default="benchmarks/results/sharded_search", show_default=True)
def main(
    folder: Path,
    file: Path,
    count: int,
    encoder: Path | None,
    cross: Path | None,
    depth: int,
    shards: int,
    clients: int,
    cpus: int,
    shard_seconds: float,
    out: str,
) -> None:
    """Compare the served shards of INDEX with a flat index of the same documents."""
    queries = list(dict.fromkeys(line for line in read_lines(file) if line.strip()))[:count]
    source = CorpusIndex.open(folder)
    saved = encoder or encoder_folder(source, option="--encoder")
    bi, reranker = load(saved), None if cross is None else load(cross)
    if not isinstance(bi, BiEncoder):
        raise click.ClickException(f"{saved} is no bi-encoder")
    with tempfile.TemporaryDirectory(prefix="sharded-search-") as work:
        (whole,) = split_index(source, Path(work, "flat"), shards=1, type="flat").indexes.values()
        made = split_index(source, Path(work, "shards"), shards=shards, type="flat")
        lost = list(made.indexes)[shards // 2]
        rest = ShardedIndex(without(made, lost))
        expected = {
            (): results_of(Searcher(whole, bi, reranker), queries, depth),
            (lost,): results_of(Searcher(rest, bi, reranker), queries, depth),
        }
        print("reference done", flush=True)
        options = ["--index", str(made.folder), "--encoder", str(saved), "--shard-cpus", "0.1"]
        options += ["--shard-seconds", str(shard_seconds)]
        options += ["--reranker", str(cross), "--reranker-cpus", "0.5"] if cross else []
        with (
            two_nodes(cpus) as cluster,
            served(["--ray", cluster.address, *options]) as (port, _),
        ):
            url = f"http://127.0.0.1:{port}"
            answers = compared(url, queries, expected[()], depth, clients)
            print(answers, flush=True)
            part = list(made.indexes).index(lost) + (1 if cross else 0)
            death = killed(url, queries, expected, part, depth, clients, shard_seconds)
            print(death, flush=True)
    results = {
        "command": f"python -m benchmarks.sharded_search {shlex.join(sys.argv[1:])}",
        "documents": len(source),
        "shards": shards,
        "cpus": cpus,
        "clients": clients,
        "cross": cross is not None,
        "depth": depth,
        "answers": answers,
        "killed replica": death,
        "environment": {**describe_environment(), "ray": ray.__version__},
    }
    write_json(Path(f"{out}.json"), results)
    write_text(Path(f"{out}.md"), to_markdown(results))
    print(to_markdown(results))


def without(shards: Shards, lost: str) -> Shards:
    """Return the shards without one."""
    left = {name: index for name, index in shards.indexes.items() if name != lost}
    return replace(shards, indexes=left)


if __name__ == "__main__":
    main()
