"""Whether a cluster builds the index that one process builds, also after a kill; what Ray costs.

A local Ray cluster of two nodes of one CPU each, and the first ``--sentences`` of CORPUS:

* the same index: documents in the same order, vectors within 1e-5, and for ``--queries`` of its
  sentences the same top 10 (near ties in any order) as of the index that one process builds; then
  again with a SIGKILL for a worker in the middle;
* overhead: sentences a second and core of one process with one thread beside one worker, and of
  one process with two threads beside two workers, taking turns. Counted between the moments at
  which the files of the blocks were written, so that the seconds before the first, in which a
  process or a cluster's workers import and load, stand apart.

    python -m benchmarks.ray_build ../shared/data/corpus/ko-sentences.txt.gz --encoder mini-bi
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import click
import faiss
import numpy as np
import ray
import torch

from benchmarks.local_cluster import processes, two_nodes
from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import saved_encoder
from kosim.encoders.loading import load
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.speed.processes import alone
from kosim.experiments.study.environment import describe_environment
from kosim.index.build import BuildProgress, build_index
from kosim.index.corpus import read_corpus
from kosim.index.corpus_files import CorpusFiles
from kosim.index.corpus_index import CorpusIndex
from kosim.index.distributed.build import ClusterOptions, build_index_on_cluster

RESULTS = Path(__file__).parent / "results"
TOLERANCE = 1e-5
K = 10
BLOCK = 2_048
"""Documents encoded at a time, here and there."""

Timeline = list[float]
"""When each block was on the disk, in seconds since the start."""


class Progress:
    """Calls ``then`` after every block, and at the end notes when the blocks were written."""

    def __init__(
        self, started: float, out: Path, documents: int, then: Callable[[int], None]
    ) -> None:
        self.timeline: Timeline = []
        self._started = time.time() - (time.monotonic() - started)
        self._building = out.with_name(f"{out.name}.building")
        self._documents = documents
        self._then = then

    def __call__(self, progress: BuildProgress) -> None:
        """Look at the files once the last block is there; they are removed after that."""
        self._then(progress.documents)
        if progress.documents == self._documents:
            written = [path.stat().st_mtime for path in self._building.rglob("block-*.npy")]
            self.timeline = sorted(moment - self._started for moment in written)


def plain(started: float, encoder: Path, corpus: Path, out: Path, threads: int) -> Timeline:
    """Build in this process alone; return how it went."""
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    documents = list(CorpusFiles.find(corpus).documents())
    progress = Progress(started, out, len(documents), lambda _: None)
    model = load(encoder, device="cpu")
    if not isinstance(model, BiEncoder):
        raise click.ClickException(f"{encoder} is no bi-encoder")
    build_index(documents, model, out, block_size=BLOCK, progress=progress)
    return progress.timeline


def on_cluster(
    address: str,
    encoder: Path,
    corpus: Path,
    out: Path,
    workers: int,
    then: Callable[[int], None] = lambda _: None,
) -> Timeline:
    """Let the workers of a cluster build; return how it went."""
    source = CorpusFiles.find(corpus)
    documents = sum(1 for _ in source.documents())
    progress = Progress(time.monotonic(), out, documents, then)
    build_index_on_cluster(
        source,
        encoder,
        out,
        cluster=ClusterOptions(address, workers),
        device="cpu",
        block_size=BLOCK,
        progress=progress,
    )
    return progress.timeline


def difference(found: Path, expected: Path, queries: int) -> dict[str, Any]:
    """Compare two indexes, document by document and answer by answer."""
    one, other = CorpusIndex.open(found), CorpusIndex.open(expected)
    rows = np.arange(len(other))
    if len(one) != len(other):
        return {"documents": len(one), "expected": len(other)}
    vectors = other.vectors(rows)
    asked = vectors[:: max(1, len(vectors) // queries)][:queries]
    (scores, tops), (found_scores, found_tops) = other.search(asked, K), one.search(asked, K)
    ties = np.isclose(np.diff(scores, axis=1), 0, atol=TOLERANCE).any(axis=1)
    close = np.isclose(found_scores, scores, atol=TOLERANCE).all(axis=1)
    return {
        "documents": len(one),
        "same documents in the same order": one.documents(rows) == other.documents(rows),
        "largest difference of a vector": float(np.abs(one.vectors(rows) - vectors).max()),
        "queries": len(asked),
        "same top 10": int((close & ((found_tops == tops).all(axis=1) | ties)).sum()),
        "same ids in the same order": int((found_tops == tops).all(axis=1).sum()),
        "problems": [*one.verify(), *other.verify()],
    }


def killing(at: int, killed: dict[str, Any]) -> Callable[[int], None]:
    """Return what kills a worker once, when so many documents are encoded."""

    def kill(documents: int) -> None:
        if killed or documents < at:
            return
        process = processes(".*BlockEncoder")[0]
        killed.update(pid=process.pid, documents=documents)
        os.kill(process.pid, signal.SIGKILL)

    return kill


def rate(timeline: Timeline, cores: int) -> float:
    """Return sentences a second and core, from the first block of each on."""
    return (len(timeline) - cores) * BLOCK / (timeline[-1] - timeline[cores - 1]) / cores


def overhead(
    address: str, encoder: Path, corpus: Path, work: Path, cores: int, rounds: int
) -> dict[str, Any]:
    """Let one process and a cluster's workers encode in turn, with as many cores each."""

    def process(out: Path) -> Timeline:
        return alone(plain, encoder, corpus, out, cores)

    def cluster(out: Path) -> Timeline:
        return on_cluster(address, encoder, corpus, out, cores)

    ways = {"process": process, "ray": cluster}
    timelines: dict[str, list[Timeline]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in ways if number % 2 == 0 else reversed(ways):
            out = work / f"{name}-{cores}-{number}"
            timelines[name].append(ways[name](out))
            shutil.rmtree(out)
    rates = {name: [rate(each, cores) for each in runs] for name, runs in timelines.items()}
    pairs = zip(rates["ray"], rates["process"], strict=True)
    return {
        "sentences a second and core": {
            name: statistics.median(values) for name, values in rates.items()
        },
        "share": statistics.median(ours / theirs for ours, theirs in pairs),
        "rates": rates,
        "seconds until the first block": {
            name: statistics.median(each[0] for each in runs) for name, runs in timelines.items()
        },
    }


def to_markdown(results: dict[str, Any]) -> str:
    """Return the figures as a page."""
    environment = results["environment"]
    lines = [
        "# Index building on a cluster",
        "",
        f"`{results['command']}`: {results['sentences']:,} sentences; a Ray cluster of two nodes "
        f"of one CPU on one machine ({environment['processor']}, {environment['cores']} cores).",
        "",
        "| | documents | same order | largest difference of a vector | same top 10 "
        "| ids in the same order | seconds |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for name, row in results["equality"].items():
        lines.append(
            f"| {name} | {row['documents']:,} | {row['same documents in the same order']} "
            f"| {row['largest difference of a vector']:.1e} "
            f"| {row['same top 10']:,} of {row['queries']:,} "
            f"| {row['same ids in the same order']:,} | {row['seconds']:.0f} |"
        )
    lines += [
        "",
        f"The worker was killed when {results['killed']['documents']:,} sentences were encoded. "
        f"One process alone took {results['plain_seconds']:.0f} s.",
        "",
        f"Encoding, sentences a second and core, medians of {results['rounds']} turns over "
        f"{results['overhead_sentences']:,} sentences; blocks of {BLOCK:,} everywhere:",
        "",
        "| cores | one process | Ray workers | share | first block after, one process "
        "| first block after, Ray |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for cores, row in results["overhead"].items():
        rates, start = row["sentences a second and core"], row["seconds until the first block"]
        lines.append(
            f"| {cores} | {rates['process']:,.0f} | {rates['ray']:,.0f} | {row['share']:.2f} "
            f"| {start['process']:.1f} s | {start['ray']:.1f} s |"
        )
    return "\n".join(lines) + "\n"


def first_sentences(corpus: str, count: int, out: Path) -> Path:
    """Write the first sentences of a corpus to a file, and return it."""
    texts = [document.text for document in islice(read_corpus(corpus), count)]
    if len(texts) < count:
        raise click.ClickException(f"{corpus} has only {len(texts):,} sentences")
    out.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return out


@click.command()
@click.argument("corpus")
@click.option("--encoder", default="mini-bi", show_default=True, help="A saved bi-encoder.")
@click.option("--sentences", default=100_000, show_default=True)
@click.option("--queries", default=1_000, show_default=True, help="Of the sentences.")
@click.option("--overhead-sentences", default=8 * BLOCK, show_default=True)
@click.option("--rounds", default=3, show_default=True, help="Turns of the overhead.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    corpus: str,
    encoder: str,
    sentences: int,
    queries: int,
    overhead_sentences: int,
    rounds: int,
    out: Path,
) -> None:
    """Build, compare, kill, compare, and time."""
    saved = saved_encoder(encoder)
    with tempfile.TemporaryDirectory(prefix="kosim-") as folder:
        work = Path(folder)
        source = first_sentences(corpus, sentences, work / "corpus.txt")
        short = first_sentences(corpus, overhead_sentences, work / "short.txt")
        expected, killed = work / "plain", dict[str, Any]()
        started = time.monotonic()
        alone(plain, saved, source, expected, os.cpu_count() or 1)
        plain_seconds = time.monotonic() - started
        equality = {}
        with two_nodes(1) as cluster:
            for name, then in {
                "two workers": lambda _: None,
                "one of them killed": killing(sentences // 2, killed),
            }.items():
                started, made = time.monotonic(), work / name.replace(" ", "-")
                on_cluster(cluster.address, saved, source, made, 2, then)
                seconds = time.monotonic() - started
                equality[name] = {**difference(made, expected, queries), "seconds": seconds}
                print(name, equality[name], flush=True)
            costs = {}
            for cores in (1, 2):
                costs[cores] = overhead(cluster.address, saved, short, work, cores, rounds)
                print(cores, costs[cores], flush=True)
    results = {
        "command": f"python -m benchmarks.ray_build {shlex.join(sys.argv[1:])}",
        "sentences": sentences,
        "equality": equality,
        "killed": killed,
        "plain_seconds": plain_seconds,
        "overhead_sentences": overhead_sentences,
        "rounds": rounds,
        "overhead": costs,
        "environment": {**describe_environment(), "ray": ray.__version__},
    }
    write_json(out / "ray_build.json", results)
    write_text(out / "ray_build.md", to_markdown(results))
    print(to_markdown(results))


if __name__ == "__main__":
    main()
