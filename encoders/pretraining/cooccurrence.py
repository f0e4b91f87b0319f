"""Word embeddings from the company that tokens keep, counted instead of learnt.

A network that starts from drawn embeddings spends its first thousands of steps at the frequencies
of the tokens; one that starts from these goes on from what a few seconds of counting tell.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.pretraining.batches import Rows
from kosim.encoders.pretraining.corpus import TokenCache

WINDOW = 4
"""The farthest neighbour that counts; one at distance d counts 1 / d."""

_SMOOTHING = 0.75
"""Exponent of a neighbour's frequency, so that rare ones do not look informative."""

_BLOCK = 50_000
"""Sentences counted at a time."""

_NOWHERE = -1


def frequencies(cache: TokenCache, rows: Rows, vocabulary: int) -> npt.NDArray[np.float64]:
    """Return how often each token occurs in the sentences of ``rows``: (vocabulary,)."""
    counts = np.zeros(vocabulary)
    for start in range(0, len(rows), _BLOCK):
        ids = np.concatenate([cache[row] for row in rows[start : start + _BLOCK]])
        counts += np.bincount(ids, minlength=vocabulary)
    return counts


def cooccurrence_embeddings(
    cache: TokenCache, rows: Rows, vocabulary: int, width: int, *, seed: int
) -> FloatArray:
    """Return U sqrt(S) of the positive pointwise mutual information of tokens and neighbours.

    As Levy, Goldberg and Dagan, "Improving distributional similarity with lessons learned from
    word embeddings" (TACL 2015), find best: context frequencies to the power 0.75, and the square
    root of the singular values.

    Args:
        cache: the tokens of a corpus.
        rows: the sentences to count in.
        vocabulary: the number of tokens, v.
        width: of the embeddings.
        seed: of the randomised factorisation.

    Returns:
        (v, width), centred and of standard deviation 1 over the tokens that occur beside others;
        rows of zeros for the rest, and columns of zeros beyond the rank.
    """
    counts = _neighbours(cache, rows, vocabulary)
    embeddings = np.zeros((vocabulary, width), dtype=np.float32)
    information = _positive_information(counts)
    if not information.nnz:
        return embeddings
    rank = min(width, vocabulary - 1)
    left, values, _ = randomized_svd(information, rank, random_state=seed)
    known = np.flatnonzero(np.diff(information.indptr))
    found = (left * np.sqrt(values))[known]
    found -= found.mean(axis=0)
    embeddings[known, :rank] = found / max(found.std(), 1e-12)
    return embeddings


def _neighbours(cache: TokenCache, rows: Rows, vocabulary: int) -> sparse.csr_matrix:
    """Return the weighted number of times that tokens stand near each other: (v, v)."""
    counts = sparse.csr_matrix((vocabulary, vocabulary), dtype=np.float64)
    for ids in _streams(cache, rows):
        for distance in range(1, WINDOW + 1):
            first, second = ids[:-distance], ids[distance:]
            here = (first != _NOWHERE) & (second != _NOWHERE)
            weights = np.full(int(here.sum()), 1 / distance)
            cells = (first[here], second[here])
            counts = counts + sparse.csr_matrix((weights, cells), shape=counts.shape)
    return (counts + counts.T).tocsr()


def _streams(cache: TokenCache, rows: Rows) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the tokens of many sentences as one stream, with gaps that no window spans."""
    gap = np.full(WINDOW, _NOWHERE, dtype=np.int64)
    for start in range(0, len(rows), _BLOCK):
        parts = [part for row in rows[start : start + _BLOCK] for part in (cache[row], gap)]
        yield np.concatenate(parts).astype(np.int64)


def _positive_information(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return max(0, log p(token, neighbour) / (p(token) p(neighbour))) where they met: (v, v)."""
    met = counts.tocoo()
    tokens = np.asarray(counts.sum(axis=1)).ravel()
    contexts = tokens**_SMOOTHING
    contexts /= max(contexts.sum(), 1e-12)
    information = np.log(met.data / (tokens[met.row] * contexts[met.col]))
    kept = information > 0
    return sparse.csr_matrix(
        (information[kept], (met.row[kept], met.col[kept])), shape=counts.shape
    )
