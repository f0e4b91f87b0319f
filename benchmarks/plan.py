"""What ``kosim plan`` predicts beside what real indexes took: is it within 30%?

Measurements are made on ``--vectors`` sentences drawn from the corpus, as ``kosim plan`` does;
then an index of each type is built from other draws, at each of two sizes. What is compared:

* disk: bytes of the index's folder;
* memory: the most that a fresh process has had resident that opened encoder and index, encoded
  its queries and searched them one by one; pages of mapped files that were read count;
* encoding: seconds of one core for all sentences, encoded once for the largest size;
* search: the median of single queries on one core, from a vector to places.

Queries are drawn like the sentences, and are none of them.

    python -m benchmarks.plan --encoder runs/first/bi/seed-1 --corpus sentences.txt.gz
"""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import click
import faiss
import numpy as np
import torch

from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import KosimError
from kosim.encoders.loading import load
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.cli.encoder_options import SAVED_ENCODER
from kosim.experiments.speed.planning.measurements import Layout, layout_parts
from kosim.experiments.speed.planning.measuring import (
    PlanSizes,
    measure_machine,
    single_query_seconds,
)
from kosim.experiments.speed.planning.plan import Prediction, predict
from kosim.experiments.speed.processes import alone, peak_memory
from kosim.experiments.speed.workload import Workload, WorkloadSizes
from kosim.experiments.study.environment import describe_environment
from kosim.index.build import identify
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document

RESULTS = Path(__file__).parent / "results"
FIGURES = ("disk", "memory", "encode_seconds", "search_seconds")
_BLOCK = 8_192
_QUERIES = 200
_SEED = 1
"""Of the order of what is built and asked; the plan measures on another."""


def encode(started: float, encoder: Path, texts: list[str], sizes: list[int], out: Path) -> Any:
    """Encode the texts on one core and keep the vectors; return the seconds at each size."""
    torch.set_num_threads(1)
    opened = load(encoder, device="cpu")
    if not isinstance(opened, BiEncoder):
        raise click.ClickException(f"{encoder} is no bi-encoder")
    vectors = np.lib.format.open_memmap(
        out, mode="w+", dtype=np.float32, shape=(len(texts), opened.dimension)
    )
    seconds: dict[int, float] = {}
    spent, stops = 0.0, sorted({*sizes, *range(0, len(texts), _BLOCK), len(texts)})
    for at, end in pairwise(stops):
        began = time.perf_counter()
        vectors[at:end] = opened.encode(texts[at:end])
        spent += time.perf_counter() - began
        seconds[end] = spent
    return {size: seconds[size] for size in sizes}, identify(opened)


def build(
    started: float, identity: Any, texts: list[str], vectors: Path, layout: Layout, out: Path
) -> int:
    """Build an index on one core; return the bytes of its folder."""
    faiss.omp_set_num_threads(1)
    made = np.load(vectors, mmap_mode="r")

    def blocks() -> Iterator[tuple[list[Document], Any]]:
        for at in range(0, len(texts), _BLOCK):
            part = texts[at : at + _BLOCK]
            documents = [Document(id=str(at + n), text=text) for n, text in enumerate(part)]
            yield documents, made[at : at + len(part)]

    type, stored = layout_parts(layout)
    CorpusIndex.create(out, identity, blocks(), type=type, vectors=stored)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def search(started: float, encoder: Path, index: Path, queries: list[str]) -> tuple[int, float]:
    """Search on one core; return the most memory that was resident, and a query's seconds."""
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    opened, corpus = load(encoder, device="cpu"), CorpusIndex.open(index)
    if not isinstance(opened, BiEncoder):
        raise click.ClickException(f"{encoder} is no bi-encoder")
    vectors = np.concatenate([opened.encode([query]) for query in queries])
    seconds = single_query_seconds(vectors, lambda query: corpus.search(query, 10))
    return peak_memory(), seconds


def compared(predicted: Prediction, measured: dict[str, float]) -> dict[str, Any]:
    """Return each figure as predicted, as measured, and the one over the other."""
    row: dict[str, Any] = {"type": predicted.type, "sentences": predicted.rows}
    for name in FIGURES:
        said = float(getattr(predicted, name))
        row[name] = {"predicted": said, "measured": measured[name], "ratio": said / measured[name]}
    return row


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    environment = results["environment"]
    ratios = [row[name]["ratio"] for row in results["rows"] for name in FIGURES]
    within = sum(1 / 1.3 <= ratio <= 1.3 for ratio in ratios)
    lines = [
        "# Plan and reality",
        "",
        f"`{results['command']}` on {environment['processor']}, one core. Measured for the plan: "
        f"{results['measurements']['encoded_sentences']:,} sentences encoded, indexes of "
        f"{results['vectors']:,} vectors. Cells: predicted / measured (ratio). {within} of "
        f"{len(ratios)} ratios are within 30%.",
        "",
        "| type | sentences | disk, MB | memory, MB | encoding, s | a query, ms |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    units = dict(zip(FIGURES, (1e6, 1e6, 1.0, 1e-3), strict=True))
    for row in results["rows"]:
        cells = [
            f"{row[name]['predicted'] / unit:,.2f} / {row[name]['measured'] / unit:,.2f} "
            f"({row[name]['ratio']:.2f})"
            for name, unit in units.items()
        ]
        lines.append(f"| {row['type']} | {row['sentences']:,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--encoder", type=SAVED_ENCODER, required=True)
@click.option("--corpus", required=True, help="At least as many sentences as the larger size.")
@click.option("--sizes", default="20000,100000", show_default=True)
@click.option("--types", default=",".join(get_args(Layout)), show_default=True)
@click.option("--sample", default=PlanSizes.sample, show_default=True)
@click.option("--vectors", default=PlanSizes.vectors, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    encoder: Path, corpus: str, sizes: str, types: str, sample: int, vectors: int, out: Path
) -> None:
    """Predict, build, compare, and write the ratios."""
    wanted = sorted(int(size) for size in sizes.split(","))
    try:
        shuffled = Workload.of(corpus, WorkloadSizes(), seed=_SEED).texts
        texts = list(shuffled[: wanted[-1] + _QUERIES])
        if len(texts) < wanted[-1] + _QUERIES:
            raise click.ClickException(f"{corpus} has only {len(texts):,} different sentences")
        measured = measure_machine(encoder, None, corpus, PlanSizes(sample, vectors))
        rows = []
        with tempfile.TemporaryDirectory(prefix="kosim-") as scratch:
            made, queries = Path(scratch) / "vectors.npy", texts[wanted[-1] :]
            seconds, identity = alone(encode, encoder, texts[: wanted[-1]], wanted, made)
            for size in wanted:
                for type in types.split(","):
                    folder = Path(scratch) / f"{type}-{size}"
                    disk = alone(build, identity, texts[:size], made, type, folder)  # type: ignore[arg-type]
                    memory, query = alone(search, encoder, folder, queries)
                    figures = {
                        "disk": disk,
                        "memory": memory,
                        "encode_seconds": seconds[size],
                        "search_seconds": query,
                    }
                    rows.append(compared(predict(measured, type, size), figures))  # type: ignore[arg-type]
                    print(rows[-1], flush=True)
    except KosimError as error:
        raise click.ClickException(str(error)) from error
    results = {
        "command": f"python -m benchmarks.plan {shlex.join(sys.argv[1:])}",
        "rows": rows,
        "vectors": vectors,
        "measurements": measured.model_dump(mode="json"),
        "environment": describe_environment(),
    }
    write_json(out / "plan.json", results)
    write_text(out / "plan.md", to_markdown(results))


if __name__ == "__main__":
    main()
