"""What coding a vector in fewer bytes costs in recall, each code searched exhaustively.

    python -m benchmarks.vector_codes --vectors vectors.npy --out benchmarks/results

The last 1,000 rows of the file are the queries, as in `benchmarks.vector_types`, which makes it.
kosim rotates vectors before it stores them as int8, and compands them where FAISS need not compare
them; kosim 0.2 did neither, and the others were tried beside it. Where a vector is decoded, it gets
the length 1 again.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.vector_types_worker import DEPTH, vectors_of
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.study.environment import describe_environment, processor_of
from kosim.index.vectors.exact import search_exactly
from kosim.index.vectors.recall import recall
from kosim.index.vectors.stored import (
    FILE,
    Storage,
    StoredVectors,
    VectorType,
    in_blocks,
    open_stored,
    ranges_of,
    write_stored,
)

RESULTS = Path(__file__).parent / "results"
Vectors = npt.NDArray[np.float32]
_LISTS = 256
_CLIPPED_AT = 4.0


def unit(vectors: Vectors) -> Vectors:
    """Return the rows at length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def stored_by_kosim(vectors: Vectors, type: VectorType, *, companded: bool = False) -> Vectors:
    """Write vectors as an index does, and read them back."""
    rows, dimension = vectors.shape
    with tempfile.TemporaryDirectory(prefix="kosim-") as folder:
        path = Path(folder) / FILE
        storage = Storage(type, ranges_of(type, vectors, None), companded)
        write_stored(path, vectors.shape, in_blocks(vectors), storage)
        stored = StoredVectors.of(open_stored(path, rows, dimension, type))
        return stored.vectors(np.arange(rows))


def bytes_of_ranges(vectors: Vectors, low: Any, high: Any) -> Vectors:
    """Round to the nearest of 256 values from ``low`` to ``high``, and decode."""
    step = (high - low) / 255
    return np.asarray(low + np.clip(np.rint((vectors - low) / step), 0, 255) * step, np.float32)


def coded(vectors: Vectors, rotation: Vectors) -> Iterator[tuple[str, float, Vectors]]:
    """Yield each code: its name, its bytes a component, and the vectors that it gives back."""
    yield "fp16 (kosim)", 2, stored_by_kosim(vectors, "fp16")
    yield "int8, rotated (kosim: flat, hnsw)", 1, stored_by_kosim(vectors, "int8")
    companded = stored_by_kosim(vectors, "int8", companded=True)
    yield "int8, rotated and companded (kosim: ivfpq, rabitq)", 1, companded
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    yield "int8, a range for each component (kosim 0.2)", 1, bytes_of_ranges(vectors, low, high)
    for name, rotated in (("", vectors), (", rotated", vectors @ rotation)):
        mean, spread = rotated.mean(0), _CLIPPED_AT * rotated.std(0)
        decoded = bytes_of_ranges(rotated, mean - spread, mean + spread)
        yield (
            f"int8, ranges cut at {_CLIPPED_AT:g} standard deviations{name}",
            1,
            decoded @ rotation.T if name else decoded,
        )
        largest = np.abs(rotated).max(axis=1, keepdims=True)
        decoded = np.rint(rotated / largest * 127) * (largest / 127)
        yield f"int8, a scale for each vector{name}", 1, decoded @ rotation.T if name else decoded


def found_by_rabitq(vectors: Vectors, queries: Vectors, bits: int) -> tuple[float, Any]:
    """Return the bytes a component and the rows that multi-bit RaBitQ finds in all lists.

    Gao, Gou, Xu, Yang, Long & Wong, "Practical and asymptotically optimal quantization of
    high-dimensional vectors", SIGMOD 2025, as FAISS has it.
    """
    dimension = vectors.shape[1]
    lists = faiss.IndexIVFRaBitQ(
        faiss.IndexFlatIP(dimension), dimension, _LISTS, faiss.METRIC_INNER_PRODUCT, True, bits
    )
    index = faiss.IndexPreTransform(faiss.RandomRotationMatrix(dimension, dimension), lists)
    index.train(vectors[: 64 * _LISTS])
    index.add(vectors)
    inner = faiss.IVFRaBitQSearchParameters(nprobe=_LISTS, qb=8)
    found = index.search(
        queries, DEPTH, params=faiss.SearchParametersPreTransform(index_params=inner)
    )
    return lists.code_size / dimension, found[1]


def measure(vectors: Vectors, queries: Vectors) -> list[dict[str, Any]]:
    """Return each code with its bytes a component and its recall."""
    truth = search_exactly(StoredVectors(vectors), queries, DEPTH)
    random = np.random.default_rng(0)
    dimension = vectors.shape[1]
    rotation = np.linalg.qr(random.normal(size=(dimension, dimension)))[0].astype(np.float32)
    rows = []
    for name, size, decoded in coded(vectors, rotation):
        found = search_exactly(StoredVectors(unit(decoded)), queries, DEPTH)
        rows.append({"name": name, "bytes": size, "recall": recall(found, truth)})
    for bits in (1, 4, 8):
        size, found = found_by_rabitq(vectors, queries, bits)
        name = f"RaBitQ, {bits} bits" if bits > 1 else "RaBitQ, 1 bit"
        rows.append({"name": name, "bytes": size, "recall": recall(found, truth)})
    return rows


def to_markdown(results: dict[str, Any]) -> str:
    """Return the table that is committed."""
    count, dimension = results["shape"]
    lines = [
        "# Codes of vectors",
        "",
        f"`{results['command']}` on {processor_of(results['environment'])}: {count:,} sentences, "
        f"{dimension} dimensions, {results['queries']:,} queries; recall@{DEPTH} against exact "
        "search of float32 vectors. Every code is searched exhaustively, so that nothing but the "
        "code costs recall. RaBitQ's bytes hold its factors.",
        "",
        f"| code | bytes a component | recall@{DEPTH} |",
        "|---|---:|---:|",
    ]
    lines += [
        f"| {row['name']} | {row['bytes']:.2f} | {row['recall']:.4f} |" for row in results["rows"]
    ]
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--vectors", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(vectors: Path, out: Path) -> None:
    """Code, decode, search, and write the table."""
    faiss.omp_set_num_threads(1)
    held, queries = vectors_of(vectors)
    results = {
        "command": shlex.join(["python", "-m", "benchmarks.vector_codes", *sys.argv[1:]]),
        "environment": describe_environment(),
        "shape": held.shape,
        "queries": len(queries),
        "rows": measure(np.ascontiguousarray(held), queries),
    }
    write_json(out / "vector_codes.json", results)
    write_text(out / "vector_codes.md", to_markdown(results))


if __name__ == "__main__":
    main()
