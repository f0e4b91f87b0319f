"""Ranked retrieval, measured: one function a metric, on the gains of the ranked documents.

The gain of a document is what it is worth to its query: 0 where it is not relevant, 1 or a
graded value where it is. ``gains`` (q, k) holds the gain at each rank, best rank first, of q
queries; a rank that no document fills has gain 0. Every metric returns one value a query, (q,).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError
from kosim.encoders.metrics import Floats


def recall(gains: Floats, relevant: npt.ArrayLike, k: int) -> Floats:
    """Return the share of its relevant documents that a query finds in the first k ranks.

    recall@k = |relevant among the first k| / |relevant| (Manning et al. 2008, section 8.3). With
    more than k relevant documents it cannot reach 1.

    Args:
        gains: (q, m) gains by rank.
        relevant: (q,) how many relevant documents each query has, at least 1.
        k: the last rank that counts.
    """
    _check(k)
    return np.count_nonzero(gains[:, :k] > 0, axis=1) / np.asarray(relevant, dtype=np.float64)


def reciprocal_rank(gains: Floats, k: int) -> Floats:
    """Return 1 / the rank of the first relevant document, 0 where the first k have none.

    Its mean over queries is MRR@k (Voorhees 1999).
    """
    _check(k)
    found = gains[:, :k] > 0
    return np.where(found.any(axis=1), 1 / (1.0 + found.argmax(axis=1)), 0.0)


def dcg(gains: Floats, k: int) -> Floats:
    """Return the discounted cumulative gain: sum over ranks r <= k of gain(r) / log2(r + 1).

    The form of Järvelin & Kekäläinen (2002) in base 2, with linear gains as trec_eval and
    scikit-learn have them.
    """
    _check(k)
    head = gains[:, :k]
    return np.asarray(head @ (1 / np.log2(np.arange(2, head.shape[1] + 2))), dtype=np.float64)


def ndcg(gains: Floats, ideal: Floats, k: int) -> Floats:
    """Return the DCG at k as a share of the best possible one (Järvelin & Kekäläinen 2002).

    Args:
        gains: (q, m) gains by rank.
        ideal: (q, n) gains of each query's relevant documents, highest first, 0 after the last.
        k: the last rank that counts.

    Returns:
        (q,) values of 0 to 1; 0 where nothing is relevant.
    """
    best = dcg(ideal, k)
    return np.divide(dcg(gains, k), best, out=np.zeros_like(best), where=best > 0)


def _check(k: int) -> None:
    if k < 1:
        raise ConfigError(f"a metric at rank {k} has no meaning; ranks start at 1")
