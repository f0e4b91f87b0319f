"""One ranking out of several, without comparing their scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, DataError


def reciprocal_rank_fusion(
    rankings: Sequence[npt.NDArray[np.int64]], k: int, *, constant: int = 60
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Fuse rankings of places: the score of a place is the sum of ``1 / (constant + rank)``.

    Reciprocal rank fusion (Cormack, Clarke & Büttcher 2009); ranks count from 1, and a ranking
    that does not have a place adds nothing to it.

    Args:
        rankings: arrays (q, k_i), best place first in each row; -1 is no place, but keeps the
            ranks of those after it.
        k: places to return for each query.
        constant: how little the first ranks stand out; 60 in the paper.

    Returns:
        Scores (q, k) float32 and places (q, k) int64, best first, ties by the better best rank and
        then by the smaller place; -inf and -1 where there are fewer than k.

    Raises:
        ConfigError: ``k`` is below 1 or ``constant`` below 0.
        DataError: there is no ranking, their numbers of queries differ, or a place stands twice
            in a row.
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
    place = np.concatenate([ranking.ravel() for ranking in rankings])
    there = place != -1
    query, rank, place = query[there], column[there] + 1, place[there]

    # By rank within each place, so that the same ranks sum up to the same score in any order.
    order = np.lexsort((rank, place, query))
    query, rank, place = query[order], rank[order], place[order]
    first = np.flatnonzero((np.diff(query, prepend=-1) != 0) | (np.diff(place, prepend=-1) != 0))
    score = np.add.reduceat(1 / (constant + rank), first) if len(first) else np.zeros(0)
    query, best_rank, place = query[first], rank[first], place[first]

    order = np.lexsort((place, best_rank, -score, query))
    query, score, place = query[order], score[order], place[order]
    column = np.arange(len(query)) - np.searchsorted(query, query)
    kept = column < k
    scores = np.full((queries, k), -np.inf, dtype=np.float32)
    places = np.full((queries, k), -1, dtype=np.int64)
    scores[query[kept], column[kept]] = score[kept]
    places[query[kept], column[kept]] = place[kept]
    return scores, places


def _check(rankings: Sequence[npt.NDArray[np.int64]]) -> None:
    if not rankings:
        raise DataError("there is no ranking to fuse; give at least one")
    shapes = [ranking.shape for ranking in rankings]
    if any(len(shape) != 2 or shape[0] != shapes[0][0] for shape in shapes):
        raise DataError(f"rankings of shapes {shapes} do not rank for the same queries")
    for number, ranking in enumerate(rankings):
        ordered = np.sort(ranking, axis=1)
        twice = (np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] != -1)
        if twice.any():
            row, column = np.argwhere(twice)[0]
            raise DataError(
                f"ranking {number} has place {ordered[row, column]} twice for query {row}"
            )
