"""Candidate lists of sampled corpus queries, reranked to their end: what a policy is fitted on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, DataError
from kosim.index.searcher import Mode, Searcher

_QUERIES_AT_A_TIME = 20
_SPARE = 16
"""Candidates beyond the depth, in place of those that are the query itself."""


def sample_deep_lists(
    searcher: Searcher,
    *,
    queries: int = 200,
    depth: int = 200,
    seed: int = 0,
    mode: Mode = "dense",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Take documents of the corpus as queries and rerank their candidates to the stated depth.

    A query's own document and identical texts are left out of its list: a search for a sentence
    that stands in the corpus would otherwise always begin with a certain hit.

    Args:
        searcher: with a reranker.
        queries: documents to draw without replacement; all of a smaller corpus.
        depth: candidates a query.
        seed: of the draw.
        mode: how candidates are retrieved.
        progress: called with (queries done, queries in all).

    Returns:
        Cosines and raw rerank scores, (queries, depth) float32 in retrieval order, -inf where
        there are fewer candidates.

    Raises:
        ConfigError: a number is below 1, the mode is unknown, or there is no reranker.
        DataError: the index is empty.
    """
    if queries < 1 or depth < 1:
        raise ConfigError(f"queries is {queries} and depth {depth}; both must be at least 1")
    live = searcher.index.rows()
    if not len(live):
        raise DataError(f"{searcher.index.folder} is empty; add documents first")
    random = np.random.default_rng(seed)
    count = min(queries, len(live))
    chosen = np.sort(random.choice(live, size=count, replace=False))
    cosines = np.full((count, depth), -np.inf, dtype=np.float32)
    scores = cosines.copy()
    for start in range(0, count, _QUERIES_AT_A_TIME):
        part = slice(start, start + _QUERIES_AT_A_TIME)
        texts = searcher.index.texts(chosen[part])
        rows = _others(searcher, texts, depth, mode)
        cosines[part] = searcher.cosines(searcher.index.vectors(chosen[part]), rows)
        scores[part] = searcher.rerank(texts, rows)
        if progress:
            progress(start + len(texts), count)
    return cosines, scores


def _others(searcher: Searcher, texts: list[str], depth: int, mode: Mode) -> npt.NDArray[np.int64]:
    """Return the candidates of each text that are not the same text: (q, depth), -1 for none."""
    size = len(searcher.index)
    deeper = depth + _SPARE
    while True:
        deeper = min(deeper, size)
        _, found = searcher.retrieve(texts, deeper, mode)
        others = np.full((len(texts), depth), -1, dtype=np.int64)
        for query, text in enumerate(texts):
            rows = found[query][found[query] >= 0]
            same = np.array([other == text for other in searcher.index.texts(rows)], dtype=bool)
            different = rows[~same][:depth]
            others[query, : len(different)] = different
        exhausted = deeper == size or (found[:, -1] < 0).all()
        if exhausted or (others[:, -1] >= 0).all():
            return others
        deeper *= 2
