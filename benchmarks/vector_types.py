"""Disk, memory, recall and time of every way to store and search vectors, beside other libraries.

    python -m benchmarks.vector_types --vectors vectors.npy --work runs/vector-types

The last 1,000 rows of the file are the queries. ``--corpus`` makes the file first, once, of the
sentences of a corpus. What was built or measured is not done again: after a kill the same command
goes on. Each contestant searches in a process of its own, in rounds that take turns; its time is
divided by that of ``hnsw`` in the same round.
"""

from __future__ import annotations

import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import click
import faiss
import numpy as np

from benchmarks.peers.environments import PeerError, last_line, python_of
from benchmarks.vector_types_worker import DEPTH, QUERIES, searched, vectors_of
from kosim.encoders.dimensions import shortened
from kosim.encoders.loading import load
from kosim.encoders.storage import read_json, write_json, write_text
from kosim.experiments.cli.encoder_options import SAVED_ENCODER
from kosim.experiments.speed.processes import alone
from kosim.experiments.speed.workload import Workload, WorkloadSizes
from kosim.experiments.study.environment import describe_environment
from kosim.index.vectors.exact import search_exactly
from kosim.index.vectors.stored import StoredVectors
from kosim.index.vectors.vector_index import VectorIndex

RESULTS = Path(__file__).parent / "results"
OURS = (
    *("flat fp32", "flat fp16", "flat int8", "hnsw fp32", "hnsw fp16", "hnsw int8"),
    *("ivfpq fp32", "ivfpq int8", "rabitq fp32", "rabitq fp16", "rabitq int8"),
)
PEERS = {
    "usearch": ("usearch f32", "usearch f16", "usearch i8"),
    "hnswlib": ("hnswlib",),
    "sentence-transformers": ("sentence-transformers uint8", "sentence-transformers ubinary"),
}
BASE = "hnsw fp32"
_WORKER = Path(__file__).with_name("vector_types_worker.py")


def build(started: float, vectors: Path, layout: str, folder: Path) -> dict[str, Any]:
    """Write the index of a layout, such as ``hnsw int8``, perhaps with ``/128`` dimensions."""
    held, _ = vectors_of(vectors)
    layout, _, dimensions = layout.partition("/")
    if dimensions:
        held = shortened(held, int(dimensions))
    type, stored = layout.split()
    shutil.rmtree(folder, ignore_errors=True)  # what a killed build left
    folder.mkdir(parents=True)
    settings = VectorIndex.write(folder, held, type, stored=stored)  # type: ignore[arg-type]
    return {"settings": settings, "shape": held.shape}


def search(started: float, vectors: Path, layout: str, folder: Path) -> dict[str, Any]:
    """Search for each query alone."""
    faiss.omp_set_num_threads(1)
    _, queries = vectors_of(vectors)
    made = json.loads((folder / "made.json").read_text(encoding="utf-8"))
    rows, dimension = made["shape"]
    queries = shortened(queries, dimension)
    type, stored = layout.partition("/")[0].split()

    def opened() -> Any:
        index = VectorIndex.open(
            folder,
            type=type,  # type: ignore[arg-type]
            rows=rows,
            dimension=dimension,
            settings=made["settings"],
            stored=stored,  # type: ignore[arg-type]
        )
        return lambda query: index.search(query[None], DEPTH)[1][0]

    disk = sum((folder / name).stat().st_size for name in VectorIndex.files(type, stored))  # type: ignore[arg-type]
    return {**searched(opened, queries), "disk": disk}


def truth(started: float, vectors: Path) -> list[list[int]]:
    """Return the rows that an exact search of the float32 vectors finds for each query."""
    faiss.omp_set_num_threads(1)
    held, queries = vectors_of(vectors)
    return search_exactly(StoredVectors(held), queries, DEPTH).tolist()


def run_peer(python: Path, vectors: Path, name: str, folder: Path, round: int) -> dict[str, Any]:
    """Return what a peer's worker measured, in the peer's environment."""
    out = folder / f"round-{round}.json"
    # -P: the names beside the worker, such as statistics.py, must not hide the library's.
    command = [str(python), "-P", str(_WORKER), str(vectors), name, str(folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerError(f"{name} cannot run: {last_line(done.stderr)}")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def pythons(peers: list[str], folder: Path) -> dict[str, Path]:
    """Return the interpreter of each peer; of a library that is installed here, this one."""
    return {
        peer: Path(sys.executable)
        if importlib.util.find_spec(peer.replace("-", "_"))
        else python_of(peer, folder)
        for peer in peers
    }


def encode(started: float, encoder: Path, corpus: str, sentences: int, out: Path) -> int:
    """Encode sentences of a corpus, drawn with a fixed seed, and as many queries as are asked."""
    texts = Workload.of(corpus, WorkloadSizes(), seed=1).texts[: sentences + QUERIES]
    vectors = load(encoder).encode(list(texts))  # type: ignore[union-attr]
    np.save(out, vectors)
    return len(vectors)


def measured(runs: dict[str, list[dict[str, Any]]], exact: list[list[int]]) -> list[dict[str, Any]]:
    """Return a row for each contestant that was searched."""
    base = [one["seconds"] for one in runs[BASE]]
    rows = []
    for name, rounds in runs.items():
        found = rounds[0]["found"]
        shared = [len(set(a) & set(b)) / DEPTH for a, b in zip(found, exact, strict=True)]
        ratios = [one["seconds"] / first for one, first in zip(rounds, base, strict=False)]
        rows.append(
            {
                "name": name,
                "disk": rounds[0]["disk"],
                "memory": max(one["memory"] for one in rounds),
                "recall": float(np.mean(shared)),
                "milliseconds": 1e3 * median(one["seconds"] for one in rounds),
                "ratio": median(ratios),
            }
        )
    return rows


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    rows, (count, dimension) = results["rows"], results["shape"]
    base = next(row for row in rows if row["name"] == BASE)
    lines = [
        "# Vector types",
        "",
        f"`{results['command']}` on {results['environment']['processor']}, one thread: "
        f"{count:,} sentences, {dimension} dimensions, {QUERIES:,} queries one by one, "
        f"{results['rounds']} rounds in turn{results['note']}. Disk: the vectors and their "
        "structure, without texts. Memory: what opening and all searches add to the process, "
        f"mapped pages included. Recall@{DEPTH} is against exact search of float32 vectors. "
        f"Shares and times are of `{BASE}`.",
        "",
        "| | disk, MB | share | memory, MB | share | recall@10 | a query, ms | times |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = (
            f"{row['disk'] / 1e6:,.1f}",
            f"{row['disk'] / base['disk']:.2f}",
            f"{row['memory'] / 1e6:,.1f}",
            f"{row['memory'] / base['memory']:.2f}",
            f"{row['recall']:.4f}",
            f"{row['milliseconds']:.3f}",
            f"{row['ratio']:.2f}",
        )
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    failed = [f"- {name}: {why}" for name, why in results["failed"].items()]
    return "\n".join([*lines, *([""] if failed else []), *failed]) + "\n"


@click.command()
@click.option("--vectors", type=click.Path(path_type=Path), required=True)
@click.option("--corpus", help="Corpus to encode where the file of vectors is not there.")
@click.option("--encoder", type=SAVED_ENCODER, help="Bi-encoder that encodes it.")
@click.option("--sentences", default=100_000, show_default=True, help="Sentences to encode.")
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--layouts", default=",".join(OURS), show_default=True)
@click.option("--peers", default=",".join(PEERS), show_default=True)
@click.option("--environments", type=click.Path(path_type=Path), help="Folder of the peers'.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--note", default="", help="What the reader must know of this run.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
@click.option("--name", default="vector_types", show_default=True)
def main(
    vectors: Path,
    corpus: str | None,
    encoder: Path | None,
    sentences: int,
    work: Path,
    layouts: str,
    peers: str,
    environments: Path | None,
    rounds: int,
    note: str,
    out: Path,
    name: str,
) -> None:
    """Build, search, compare, and write the table."""
    work.mkdir(parents=True, exist_ok=True)
    if not vectors.exists():
        if corpus is None or encoder is None:
            raise click.ClickException(f"{vectors} is not there; give --corpus and --encoder")
        alone(encode, encoder, corpus, sentences, vectors)
    state_path = work / "state.json"
    state: dict[str, Any] = {"runs": {}}
    if state_path.exists():
        state = read_json(state_path, error=click.ClickException, remedy="remove it")
    exact = state.setdefault("exact", None) or alone(truth, vectors)
    state["exact"], failed = exact, {}
    wanted = [BASE, *(one for one in layouts.split(",") if one not in ("", BASE))]
    interpreters = pythons([one for one in peers.split(",") if one], environments or work / "peers")
    contestants = [(one, None) for one in wanted]
    contestants += [(one, peer) for peer in interpreters for one in PEERS[peer]]  # type: ignore[misc]
    for round in range(rounds):
        for one, peer in contestants:
            done = state["runs"].setdefault(one, [])
            folder = work / one.replace(" ", "-").replace("/", "-")
            if len(done) > round or one in failed:
                continue
            try:
                if peer is not None:
                    folder.mkdir(exist_ok=True)
                    done.append(run_peer(interpreters[peer], vectors, one, folder, round))
                else:
                    if not (folder / "made.json").exists():
                        write_json(folder / "made.json", alone(build, vectors, one, folder))
                    done.append(alone(search, vectors, one, folder))
            except PeerError as error:
                failed[one] = str(error)
                continue
            print(one, round, {k: v for k, v in done[-1].items() if k != "found"}, flush=True)
            write_json(state_path, state)
    runs = {one: state["runs"][one] for one, _ in contestants if state["runs"].get(one)}
    shape = np.load(vectors, mmap_mode="r").shape
    results = {
        "command": f"python -m benchmarks.vector_types {shlex.join(sys.argv[1:])}",
        "shape": (shape[0] - QUERIES, shape[1]),
        "rounds": rounds,
        "note": f"; {note}" if note else "",
        "rows": measured(runs, exact),
        "failed": failed,
        "environment": describe_environment(),
    }
    write_json(out / f"{name}.json", results)
    write_text(out / f"{name}.md", to_markdown(results))


if __name__ == "__main__":
    main()
