"""Rankings, and one out of several: merged by their scores, or fused by their ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, DataError

Scores = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


class Ranking(NamedTuple):
    """Scores and rows of q queries, (q, k) both, best first; -inf and -1 where there is none."""

    scores: Scores
    rows: Rows


def merge_rankings(queries: int, k: int, rankings: Sequence[Ranking]) -> Ranking:
    """Return the k best of all rankings: score descending, ties by the smaller row.

    Exact where every part gave its k best, or all it has, in that order.

    Args:
        queries: q, the lines of every ranking.
        k: rows to return for each query.
        rankings: of different parts of a corpus; all rows of one part are smaller than all of
            the next.
    """
    merged = Ranking(
        np.full((queries, k), -np.inf, dtype=np.float32),
        np.full((queries, k), -1, dtype=np.int64),
    )
    if rankings:
        scores = np.concatenate([ranking.scores for ranking in rankings], axis=1)
        rows = np.concatenate([ranking.rows for ranking in rankings], axis=1)
        # Columns stand in the order of rows among equal scores, so a stable sort settles ties.
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        merged.scores[:, : order.shape[1]] = np.take_along_axis(scores, order, axis=1)
        merged.rows[:, : order.shape[1]] = np.take_along_axis(rows, order, axis=1)
    return merged


def reciprocal_rank_fusion(
    rankings: Sequence[Rows], k: int, *, constant: int = 60
) -> tuple[Scores, Rows]:
    """Fuse rankings of rows: the score of a row is the sum of ``1 / (constant + rank)``.

    Reciprocal rank fusion (Cormack, Clarke & Büttcher 2009); ranks count from 1, and a ranking
    that does not have a row adds nothing to it.

    Args:
        rankings: arrays (q, k_i), one line per query, best row first; -1 is no row, but keeps the
            ranks of those after it.
        k: rows to return for each query.
        constant: how little the first ranks stand out; 60 in the paper.

    Returns:
        Scores (q, k) float32 and rows (q, k) int64, best first, ties by the better best rank and
        then by the smaller row; -inf and -1 where there are fewer than k.

    Raises:
        ConfigError: ``k`` is below 1 or ``constant`` below 0.
        DataError: there is no ranking, their numbers of queries differ, or a row appears twice
            in a line.
    """
    if k < 1:
        raise ConfigError(f"k is {k}; ask for at least 1 hit")
    if constant < 0:
        raise ConfigError(f"the constant of the fusion is {constant}; give 0 or more")
    _check(rankings)
    queries = len(rankings[0])
    query, column = np.concatenate(
        [np.indices(ranking.shape).reshape(2, -1) for ranking in rankings], axis=1
    )
    row = np.concatenate([ranking.ravel() for ranking in rankings])
    there = row != -1
    query, rank, row = query[there], column[there] + 1, row[there]

    # By rank within each row, so that the same ranks sum up to the same score in any order.
    order = np.lexsort((rank, row, query))
    query, rank, row = query[order], rank[order], row[order]
    first = np.flatnonzero((np.diff(query, prepend=-1) != 0) | (np.diff(row, prepend=-1) != 0))
    score = np.add.reduceat(1 / (constant + rank), first) if len(first) else np.zeros(0)
    query, best_rank, row = query[first], rank[first], row[first]

    order = np.lexsort((row, best_rank, -score, query))
    query, score, row = query[order], score[order], row[order]
    column = np.arange(len(query)) - np.searchsorted(query, query)
    kept = column < k
    scores = np.full((queries, k), -np.inf, dtype=np.float32)
    rows = np.full((queries, k), -1, dtype=np.int64)
    scores[query[kept], column[kept]] = score[kept]
    rows[query[kept], column[kept]] = row[kept]
    return scores, rows


def _check(rankings: Sequence[Rows]) -> None:
    if not rankings:
        raise DataError("there is no ranking to fuse; give at least one")
    shapes = [ranking.shape for ranking in rankings]
    if any(len(shape) != 2 or shape[0] != shapes[0][0] for shape in shapes):
        raise DataError(f"rankings of shapes {shapes} do not rank for the same queries")
    for number, ranking in enumerate(rankings):
        ordered = np.sort(ranking, axis=1)
        twice = (np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] != -1)
        if twice.any():
            query, column = np.argwhere(twice)[0]
            raise DataError(
                f"ranking {number} has row {ordered[query, column]} twice for query {query}"
            )
