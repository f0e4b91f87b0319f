"""One ranking out of those of the parts of a corpus, exactly what one of all would be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


class Ranking(NamedTuple):
    """Scores and places of q queries, (q, k) both, best first; -inf and -1 where there is none."""

    scores: Scores
    places: Places


def merge_rankings(queries: int, k: int, rankings: Sequence[Ranking]) -> Ranking:
    """Return the k best of all rankings: score descending, ties by the smaller place.

    Exact where every part gave its k best, or all it has, in that order.

    Args:
        queries: q; the rows of every ranking.
        k: places to return for each query.
        rankings: of different parts of a corpus; all places of one part are smaller than all of
            the next.
    """
    merged = Ranking(
        np.full((queries, k), -np.inf, dtype=np.float32),
        np.full((queries, k), -1, dtype=np.int64),
    )
    if rankings:
        scores = np.concatenate([ranking.scores for ranking in rankings], axis=1)
        places = np.concatenate([ranking.places for ranking in rankings], axis=1)
        # Columns stand in the order of places among equal scores, so a stable sort settles ties.
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        merged.scores[:, : order.shape[1]] = np.take_along_axis(scores, order, axis=1)
        merged.places[:, : order.shape[1]] = np.take_along_axis(places, order, axis=1)
    return merged
