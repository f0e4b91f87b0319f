"""kosim's own search of vectors, to be measured beside the libraries of vector search."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from kosim.experiments.speed.measurement import Job, Measurement, timed
from kosim.index.corpus_index import CorpusIndex

_K = 10


def search_vectors(started: float, index: Path, queries: Path, threads: int) -> Measurement:
    """Search an index for the vectors (q, d) of a ``.npy`` file, all at once and one by one."""
    faiss.omp_set_num_threads(threads)
    vectors = np.load(queries)

    def prepare() -> Job:
        opened = CorpusIndex.open(index)
        return Job(
            bulk=lambda: opened.search(vectors, _K)[1],
            single=lambda vector: opened.search(vector[None], _K),
            items=len(vectors),
        )

    return timed(started, prepare, list(vectors))
