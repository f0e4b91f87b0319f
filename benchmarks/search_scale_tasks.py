"""What ``benchmarks.search_scale`` measures, each task in a process of its own.

A task prints its figures as one line of JSON on standard output:

    python -m benchmarks.search_scale_tasks build --source INDEX --type hnsw --work FOLDER
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()

import click  # noqa: E402  (the imports are timed)
import faiss  # noqa: E402
import numpy as np  # noqa: E402

from kosim.index.corpus_index import CorpusIndex  # noqa: E402
from kosim.index.documents import Document  # noqa: E402
from kosim.index.vectors.inverted_lists import MOST_TO_MEAN  # noqa: E402
from kosim.index.vectors.vector_index import IndexType, VectorIndex, search_threads  # noqa: E402

IMPORTED = time.perf_counter()

K = 10
QUERIES = "queries.npy"
LEFT_OUT = "left_out.npy"
_BLOCK = 4096
_MEBIBYTE = 1 << 20


def _memory(name: str) -> int:
    """Return a line of /proc/self/status in bytes.

    ``VmHWM`` is the peak of resident memory. getrusage's would not do: a process inherits that of
    the one that started it.
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


class _PrivateMemory(threading.Thread):
    """Samples the memory of this process that is not mapped from files."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, _memory("RssAnon"))
            time.sleep(0.05)


def _blocks(
    source: CorpusIndex, left_out: np.ndarray
) -> Iterator[tuple[list[Document], np.ndarray]]:
    rows = np.setdiff1d(source.rows(), left_out)
    for start in range(0, len(rows), _BLOCK):
        chosen = rows[start : start + _BLOCK]
        yield source.documents(chosen), source.vectors(chosen)


def build(source: str, type: IndexType, work: Path) -> dict[str, Any]:
    """Write the documents of an index anew with one type."""
    memory = _PrivateMemory()
    memory.start()
    opened = CorpusIndex.open(source)
    left_out = np.load(work / LEFT_OUT)
    structure = 0.0
    write = VectorIndex.write

    def timed(*arguments: Any, **options: Any) -> dict[str, Any]:
        nonlocal structure
        began = time.perf_counter()
        settings = write(*arguments, **options)
        structure += time.perf_counter() - began
        return settings

    VectorIndex.write = staticmethod(timed)  # type: ignore[method-assign]
    began = time.perf_counter()
    index = CorpusIndex.create(work / type, opened.encoder, _blocks(opened, left_out), type=type)
    seconds = time.perf_counter() - began
    segments = index.info()["segments"]
    vectors = [work / type / "segments" / segment["name"] for segment in segments]
    return {
        "documents": len(index),
        "dimension": opened.encoder.dimension,
        "seconds": seconds,
        "structure_seconds": structure,
        "peak_resident_mib": _memory("VmHWM") / _MEBIBYTE,
        "peak_private_mib": memory.peak / _MEBIBYTE,
        "bytes": index.info()["bytes"],
        "structure_bytes": sum(
            (folder / name).stat().st_size for folder in vectors for name in VectorIndex.files(type)
        ),
        "segments": [
            {"rows": segment["rows"], "settings": segment["settings"]} for segment in segments
        ],
    }


def load(type: IndexType, work: Path) -> dict[str, Any]:
    """Open an index and answer one query, in a process that has done nothing else."""
    query = np.load(work / QUERIES)[:1]
    began = time.perf_counter()
    index = CorpusIndex.open(work / type)
    opened = time.perf_counter()
    _answer(index, query)
    answered = time.perf_counter()
    return {
        "import_seconds": IMPORTED - STARTED,
        "open_seconds": opened - began,
        "first_query_seconds": answered - opened,
    }


def _answer(index: CorpusIndex, queries: np.ndarray) -> tuple[np.ndarray, list[str], list[str]]:
    """Return the places, ids and texts of the hits: all that a search gives."""
    rows = index.search(queries, K)[1]
    found = rows[rows >= 0]
    return rows, index.ids(found), index.texts(found)


def _mean_lists(most: int) -> int:
    """Return how many lists kosim's queries visit on average, when ``most`` is the most of one."""
    return -(-most // MOST_TO_MEAN)


def _raw(index: CorpusIndex, type: IndexType) -> Callable[[np.ndarray], Any]:
    """Return FAISS's own search of the same mapped files at the same depth, and nothing else."""
    calls = []
    for segment in index.info()["segments"]:
        path = index.folder / "segments" / segment["name"] / VectorIndex.files(type)[0]
        mapped = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        settings = segment["settings"]
        parameters = {
            "flat": lambda s: None,
            "hnsw": lambda s: faiss.SearchParametersHNSW(efSearch=s["efSearch"]),
            "ivfpq": lambda s: faiss.SearchParametersIVF(nprobe=_mean_lists(s["nprobe"])),
        }[type](settings)
        calls.append((mapped, parameters))
    return lambda queries: [mapped.search(queries, K, params=params) for mapped, params in calls]


def _alternate(
    calls: dict[str, Callable[[], Any]], rounds: int, seconds: dict[str, list[float]]
) -> None:
    """Time the calls in turn; every other round begins with the last."""
    for number in range(rounds):
        for name in list(calls) if number % 2 == 0 else list(calls)[::-1]:
            began = time.perf_counter()
            calls[name]()
            seconds[name].append(time.perf_counter() - began)


def measure(
    type: IndexType, work: Path, alternations: int, singles: int, batch: int
) -> dict[str, Any]:
    """Time single queries and batches beside FAISS's own call, and keep what was found."""
    index = CorpusIndex.open(work / type)
    queries = np.load(work / QUERIES)
    batched = np.resize(queries, (batch, queries.shape[1]))
    raw = _raw(index, type)
    np.save(work / f"found-{type}.npy", _answer(index, queries)[0])
    raw(batched)
    single: dict[str, list[float]] = {"raw": [], "whole": []}
    for number in range(singles):
        row = number % len(queries)
        one = queries[row : row + 1]
        # The first call finds the query's vectors in no cache; it is made for neither.
        raw(one)
        calls: dict[str, Callable[[], Any]] = {
            "raw": partial(raw, one),
            "whole": partial(_answer, index, one),
        }
        # The order changes from query to query.
        _alternate(calls if number % 2 else dict(reversed(calls.items())), 1, single)
    many: dict[str, list[float]] = {"raw": [], "whole": []}
    _alternate(
        {"raw": partial(raw, batched), "whole": partial(_answer, index, batched)},
        alternations,
        many,
    )
    whole, alone = np.array(single["whole"]), np.array(single["raw"])
    return {
        "single_p50_ms": 1000 * float(np.percentile(whole, 50)),
        "single_p95_ms": 1000 * float(np.percentile(whole, 95)),
        "raw_p50_ms": 1000 * float(np.percentile(alone, 50)),
        "raw_p95_ms": 1000 * float(np.percentile(alone, 95)),
        "overhead_ms": 1000 * float(np.median(whole - alone)),
        "batch_seconds": many["whole"],
        "raw_batch_seconds": many["raw"],
        "ratios": (np.array(many["whole"]) / np.array(many["raw"])).tolist(),
        "ratio": float(np.median(np.array(many["whole"]) / np.array(many["raw"]))),
        "queries_per_second": batch / float(np.median(many["whole"])),
    }


@click.command()
@click.argument("task", type=click.Choice(["build", "load", "measure"]))
@click.option("--type", "kind", required=True)
@click.option("--work", required=True, type=click.Path(path_type=Path))
@click.option("--threads", required=True, type=int)
@click.option("--source", default="")
@click.option("--alternations", default=7)
@click.option("--singles", default=500)
@click.option("--batch", default=1000)
def main(
    task: str,
    kind: IndexType,
    work: Path,
    threads: int,
    source: str,
    alternations: int,
    singles: int,
    batch: int,
) -> None:
    """Do one task and print its figures."""
    with search_threads(threads):
        if task == "build":
            figures = build(source, kind, work)
        elif task == "load":
            figures = load(kind, work)
        else:
            figures = measure(kind, work, alternations, singles, batch)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
