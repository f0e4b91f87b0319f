"""Another library's search of vectors, in an environment of its own: nothing of kosim is imported.

    python vector_types_worker.py VECTORS.npy NAME FOLDER RESULT.json

The index is built once and saved in the folder; it is opened from there, mapped where the library
can, and searched on one thread with one query after the other.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

QUERIES = 1_000
DEPTH = 10
Search = Callable[[Any], Any]


def vectors_of(path: Path) -> tuple[Any, Any]:
    """Return the vectors that are searched, mapped, and the queries."""
    held = np.load(path, mmap_mode="r")
    return held[:-QUERIES], np.array(held[-QUERIES:])


def resident() -> int:
    """Return the resident memory of this process in bytes, mapped files included."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def searched(opened: Callable[[], Search], queries: Any) -> dict[str, Any]:
    """Return the time of a query, the memory that opening and searching took, and the rows."""
    before = resident()
    search = opened()
    found = [[int(row) for row in search(query)] for query in queries]
    seconds = []
    for query in queries:
        began = time.perf_counter()
        search(query)
        seconds.append(time.perf_counter() - began)
    return {
        "seconds": float(np.median(seconds)),
        "memory": resident() - before,
        "found": found,
    }


def usearch(held: Any, folder: Path, precision: str) -> Callable[[], Search]:
    """Build usearch's graph with its defaults, and map it."""
    from usearch.index import Index

    path = folder / "index.usearch"
    settings = {"ndim": held.shape[1], "metric": "ip", "dtype": precision}
    if not path.exists():
        index = Index(**settings)
        index.add(np.arange(len(held)), np.asarray(held), threads=1)
        index.save(str(path))

    def opened() -> Search:
        index = Index(**settings)
        index.view(str(path))
        return lambda query: index.search(query, DEPTH, threads=1).keys

    return opened


def hnswlib(held: Any, folder: Path) -> Callable[[], Search]:
    """Build hnswlib's graph, with M 32 and ef 100."""
    import hnswlib as library

    path = folder / "index.hnswlib"
    if not path.exists():
        index = library.Index(space="ip", dim=held.shape[1])
        index.init_index(max_elements=len(held), ef_construction=128, M=32)
        index.set_num_threads(1)
        index.add_items(np.asarray(held))
        index.save_index(str(path))

    def opened() -> Search:
        index = library.Index(space="ip", dim=held.shape[1])
        index.load_index(str(path))
        index.set_num_threads(1)
        index.set_ef(100)
        return lambda query: index.knn_query(query[None], k=DEPTH)[0][0]

    return opened


def sentence_transformers(held: Any, folder: Path, precision: str) -> Callable[[], Search]:
    """Search quantised vectors exactly with FAISS and rescore, as its documentation shows."""
    import faiss
    from sentence_transformers.util.quantization import quantize_embeddings, semantic_search_faiss

    faiss.omp_set_num_threads(1)
    path, ranges_path = folder / "index.faiss", folder / "ranges.npy"
    binary = precision == "ubinary"
    if not path.exists():
        whole = np.asarray(held)
        ranges = np.stack([whole.min(axis=0), whole.max(axis=0)])
        np.save(ranges_path, ranges)
        codes = quantize_embeddings(whole, precision=precision, ranges=ranges)
        index = faiss.IndexBinaryFlat(held.shape[1]) if binary else faiss.IndexFlatIP(held.shape[1])
        index.add(codes)
        (faiss.write_index_binary if binary else faiss.write_index)(index, str(path))

    def opened() -> Search:
        index = (faiss.read_index_binary if binary else faiss.read_index)(str(path))
        options: dict[str, Any] = {"corpus_precision": precision, "corpus_index": index}
        options |= {"ranges": np.load(ranges_path), "top_k": DEPTH, "rescore_multiplier": 4}

        def search(query: Any) -> Any:
            hits, _ = semantic_search_faiss(query[None], **options)
            return [hit["corpus_id"] for hit in hits[0]]

        return search

    return opened


def main(vectors: Path, name: str, folder: Path, out: Path) -> None:
    """Build what is not there, search, and write what was measured."""
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    held, queries = vectors_of(vectors)
    library, *settings = name.split()
    opened = globals()[library.replace("-", "_")](held, folder, *settings)
    result = searched(opened, queries)
    result["disk"] = sum(one.stat().st_size for one in folder.glob("index.*"))
    out.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
