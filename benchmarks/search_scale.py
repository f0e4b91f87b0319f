"""What flat, HNSW and IVF-PQ cost on the same corpus, and what they find.

The vectors and documents of a built index are written anew with each type through
``CorpusIndex``, then measured. Every figure comes from a process of its own:

* build: seconds of the whole index and of the vector structure alone (calibration included),
  and the peak of resident memory. That counts pages of mapped files, which the system may take
  back at any time: the peak of private memory, sampled every 50 ms, is given beside it;
* load: opening and the first query in a fresh process with a warm page cache, the median of
  five; imports are timed apart;
* single queries: from a vector to ids, scores and texts, beside FAISS's own call on the same
  mapped files with the same efSearch or nprobe, in alternation. The overhead is the median of
  the differences, query by query;
* batches: the same for many vectors at once; the ratio is the median of the alternations' ratios;
* recall@10 against the rows that flat finds.

Queries are vectors (.npy), or sentences (one a line) that the index's encoder encodes, or, without
``--queries``, sampled documents that are left out of the indexes. With ``--work`` the indexes stay
there and are not built again.

    python -m benchmarks.search_scale INDEX --queries held-out.txt \
        --out benchmarks/results/search_scale
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np

from benchmarks.search_scale_tasks import LEFT_OUT, QUERIES, K
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import KosimError
from kosim.encoders.loading import load
from kosim.encoders.storage import write_json, write_text
from kosim.encoders.tables import read_lines
from kosim.experiments.study.environment import describe_environment
from kosim.index.corpus_index import CorpusIndex
from kosim.index.vectors.recall import recall
from kosim.index.vectors.vector_index import IndexType

TYPES: tuple[IndexType, ...] = get_args(IndexType)
_QUERIES = 1000
_LOADS = 5
_SEED = 0


def run(task: str, type: str, work: Path, threads: int, *options: object) -> dict[str, Any]:
    """Do a task in a fresh process and return its figures."""
    command = [sys.executable, "-m", "benchmarks.search_scale_tasks", task, "--type", type]
    command += ["--work", str(work), "--threads", str(threads), *map(str, options)]
    limits = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    done = subprocess.run(command, stdout=subprocess.PIPE, env={**os.environ, **limits}, text=True)
    if done.returncode != 0:
        raise click.ClickException(f"{shlex.join(command)} ended with {done.returncode}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(task, type, figures, flush=True)
    return figures


def prepare_queries(source: CorpusIndex, file: str | None, work: Path) -> str:
    """Write the query vectors and the rows that are left out; return what the queries are."""
    random = np.random.default_rng(_SEED)
    left_out = np.zeros(0, dtype=np.int64)
    if file is None:
        rows = source.rows()
        left_out = random.choice(rows, size=min(_QUERIES, len(rows) // 10), replace=False)
        vectors = source.vectors(left_out)
        said = f"{len(vectors):,} documents, sampled by seed {_SEED} and left out of the indexes"
    else:
        if file.endswith(".npy"):
            vectors = np.load(file, allow_pickle=False).astype(np.float32)
        else:
            encoder = load(source.encoder.name)
            if not isinstance(encoder, BiEncoder):
                raise click.ClickException(f"{source.encoder.name} is no bi-encoder")
            sentences = [line.strip() for line in read_lines(file) if line.strip()]
            chosen = random.permutation(len(sentences))[:_QUERIES]
            vectors = encoder.encode([sentences[position] for position in chosen])
        vectors = vectors[random.permutation(len(vectors))[:_QUERIES]]
        said = f"{len(vectors):,} of {Path(file).name}, sampled by seed {_SEED}"
    np.save(work / QUERIES, vectors)
    np.save(work / LEFT_OUT, left_out)
    return said


def measure_type(
    source: str, type: IndexType, work: Path, threads: int, options: list[object]
) -> dict[str, Any]:
    """Build one type unless it is there, and measure it."""
    kept = work / f"build-{type}.json"
    if not (kept.is_file() and (work / type).is_dir()):
        write_json(kept, run("build", type, work, threads, "--source", source))
    for path in (work / type).rglob("*"):
        if path.is_file():
            with path.open("rb") as file:  # into the page cache
                while file.read(1 << 24):
                    pass
    loads = [run("load", type, work, threads) for _ in range(_LOADS)]
    return {
        "build": json.loads(kept.read_text(encoding="utf-8")),
        "load": {name: statistics.median(one[name] for one in loads) for name in loads[0]},
        "search": run("measure", type, work, threads, *options),
    }


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    environment, types = results["environment"], results["types"]
    build = next(iter(types.values()))["build"]
    rows: dict[str, list[str]] = {}

    def row(name: str, form: str, *path: str, scale: float = 1.0) -> None:
        rows[name] = []
        for figures in types.values():
            value: Any = figures
            for step in path:
                value = value.get(step) if value is not None else None
            rows[name].append("–" if value is None else form.format(value * scale))

    row("build, whole index, s", "{:,.1f}", "build", "seconds")
    row("build, vector structure, s", "{:,.1f}", "build", "structure_seconds")
    row("peak resident memory of the build, MiB", "{:,.0f}", "build", "peak_resident_mib")
    row("of that private, MiB", "{:,.0f}", "build", "peak_private_mib")
    row("on disk, whole index, MB", "{:,.1f}", "build", "bytes", scale=1e-6)
    row("on disk, vector structure, MB", "{:,.1f}", "build", "structure_bytes", scale=1e-6)
    row("open, ms", "{:,.1f}", "load", "open_seconds", scale=1000)
    row("first query, ms", "{:,.1f}", "load", "first_query_seconds", scale=1000)
    row("imports before that, ms", "{:,.0f}", "load", "import_seconds", scale=1000)
    row("single query p50, ms", "{:,.2f}", "search", "single_p50_ms")
    row("single query p95, ms", "{:,.2f}", "search", "single_p95_ms")
    row("FAISS alone p50, ms", "{:,.2f}", "search", "raw_p50_ms")
    row("FAISS alone p95, ms", "{:,.2f}", "search", "raw_p95_ms")
    row("overhead of a single query, ms", "{:,.3f}", "search", "overhead_ms")
    row(f"batches of {results['batch']:,}, queries/s", "{:,.0f}", "search", "queries_per_second")
    row("batch, times FAISS alone", "{:.3f}", "search", "ratio")
    row(f"recall@{K} against flat", "{:.4f}", "recall")
    lines = [
        "# Search at scale",
        "",
        f"`{results['command']}`: {build['documents']:,} documents, {build['dimension']} "
        f"dimensions, on one machine ({environment['processor']}, {environment['cores']} cores), "
        f"{results['threads']} threads, faiss {results['faiss']}. Queries: {results['queries']}. "
        f"Single queries and batches go from vectors to ids, scores and texts of the {K} best.",
        "",
        "| | " + " | ".join(types) + " |",
        "|---|" + "---:|" * len(types),
        *(f"| {name} | " + " | ".join(values) + " |" for name, values in rows.items()),
        "",
    ]
    for type, figures in types.items():
        for segment in figures["build"]["segments"]:
            lines.append(f"- {type}, {segment['rows']:,} rows: `{json.dumps(segment['settings'])}`")
    return "\n".join(lines) + "\n"


@click.command()
@click.argument("index")
@click.option("--queries", help="Vectors (.npy) or sentences, one a line.")
@click.option("--out", default="benchmarks/results/search_scale", show_default=True)
@click.option("--work", help="Folder in which the built indexes are kept.")
@click.option("--threads", default=os.cpu_count() or 1, show_default="all cores")
@click.option("--types", default=",".join(TYPES), show_default=True)
@click.option("--alternations", default=7, show_default=True)
@click.option("--singles", default=500, show_default=True)
@click.option("--batch", default=1000, show_default=True)
def main(
    index: str,
    queries: str | None,
    out: str,
    work: str | None,
    threads: int,
    types: str,
    alternations: int,
    singles: int,
    batch: int,
) -> None:
    """Write the corpus of INDEX with each type, measure all, and write the results."""
    chosen = types.split(",")
    if unknown := [type for type in chosen if type not in TYPES]:
        raise click.ClickException(f"unknown type {unknown[0]!r}; known are {', '.join(TYPES)}")
    with tempfile.TemporaryDirectory(prefix="kosim-", dir=work and Path(work).parent) as scratch:
        folder = Path(work or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            said = prepare_queries(CorpusIndex.open(index), queries, folder)
        except KosimError as error:
            raise click.ClickException(str(error)) from error
        options: list[object] = ["--alternations", alternations, "--singles", singles]
        options += ["--batch", batch]
        measured = {
            type: measure_type(index, type, folder, threads, options)  # type: ignore[arg-type]
            for type in chosen
        }
        if "flat" in measured:
            truth = np.load(folder / "found-flat.npy")
            for type in chosen:
                measured[type]["recall"] = recall(np.load(folder / f"found-{type}.npy"), truth)
    results = {
        "command": f"python -m benchmarks.search_scale {shlex.join(sys.argv[1:])}",
        "queries": said,
        "threads": threads,
        "batch": batch,
        "alternations": alternations,
        "singles": singles,
        "types": measured,
        "faiss": version("faiss-cpu"),
        "environment": describe_environment(),
    }
    write_json(Path(f"{out}.json"), results)
    write_text(Path(f"{out}.md"), to_markdown(results))
    print(to_markdown(results))


if __name__ == "__main__":
    main()
