"""Exact scores and exact search over vectors that are stored on disk."""

from __future__ import annotations

from typing import Any, cast

import faiss
import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import CorpusIndexError
from kosim.index.vectors.stored import StoredVectors

_GATHERED = 32 << 20
"""Bytes of vectors that are copied at a time."""


def score_rows(
    stored: StoredVectors, queries: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Return the inner products (q, c) of each query with its own rows (q, c); -inf for row -1.

    Unlike a matrix product, of which the last bits depend on the size of the batch and the
    position in it, a value depends on the two vectors only: equal vectors score equally.

    Raises:
        CorpusIndexError: there is no such row.
    """
    if rows.size and not -1 <= rows.min() <= rows.max() < stored.rows:
        raise CorpusIndexError(
            f"an index names row {rows.max()} or {rows.min()} of {stored.rows:,} vectors: it is "
            "damaged; build it again"
        )
    if stored.pointer is not None:
        return _products(stored.pointer, stored.dimension, queries, rows)
    queries = stored.turned(queries)
    scores = np.full(rows.shape, -np.inf, dtype=np.float32)
    step = max(1, _GATHERED // max(1, rows.shape[1] * stored.dimension * 4))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        # Each row once: the queries of a block have many candidates in common.
        wanted, local = np.unique(rows[part], return_inverse=True)
        vectors = stored.take(wanted[wanted >= 0])
        local = local.reshape(rows[part].shape) - int(wanted.size > 0 and wanted[0] < 0)
        scores[part] = _products(
            faiss.swig_ptr(vectors), stored.dimension, queries[part], local.astype(np.int64)
        )
    return scores


def _products(
    vectors: Any,
    dimension: int,
    queries: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    """Return the inner products (q, c) of queries with vectors that FAISS reads at a pointer."""
    scores = np.empty(rows.shape, dtype=np.float32)
    faiss.fvec_inner_products_by_idx(
        faiss.swig_ptr(scores),
        faiss.swig_ptr(np.ascontiguousarray(queries)),
        vectors,
        faiss.swig_ptr(np.ascontiguousarray(rows)),
        dimension,
        *rows.shape,
    )
    return scores


def as_cosines(products: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return products of unit vectors within -1 and 1, which float32 oversteps; -inf stays."""
    return np.where(np.isneginf(products), products, products.clip(-1, 1))


def best_first(
    scores: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], k: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the ``k`` best columns, highest score first, equal scores by the smaller row."""
    order = np.lexsort((rows, -scores), axis=-1)[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)


def search_exactly(
    stored: StoredVectors,
    queries: npt.NDArray[np.float32],
    k: int,
    among: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.int64]:
    """Return the rows (q, min(k, n)) with the highest inner products, by reading every vector.

    Args:
        stored: the vectors.
        queries: (q, d).
        k: at least 1.
        among: the n rows to look at, ascending; all when None.
    """
    count = stored.rows if among is None else len(among)
    width = min(k, count)
    block = max(1, _GATHERED // (stored.dimension * 4))
    queries = stored.turned(queries)
    scores = np.empty((len(queries), 0), dtype=np.float32)
    rows = np.empty((len(queries), 0), dtype=np.int64)
    for start in range(0, count, block):
        stop = min(start + block, count)
        vectors = stored.block(start, stop) if among is None else stored.take(among[start:stop])
        found = faiss.knn(queries, vectors, min(k, stop - start), faiss.METRIC_INNER_PRODUCT)
        positions = found[1] + start
        scores = np.concatenate([scores, found[0]], axis=1)
        rows = np.concatenate([rows, positions if among is None else among[positions]], axis=1)
        scores, rows = best_first(scores, rows, width)
    return cast("npt.NDArray[np.int64]", rows)
