"""The contenders of a retrieval evaluation: what each ranks first, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import MissingExtraError
from kosim.encoders.metrics import Floats
from kosim.index.searcher import Searcher

Places = npt.NDArray[np.int64]
Mode = Literal["dense", "lexical", "hybrid"]
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

ABSENT = -1
_BLOCK = 32

_NAMES: dict[Mode, str] = {
    "lexical": "BM25",
    "hybrid": "hybrid (BM25 + bi-encoder)",
    "dense": "bi-encoder",
}


@dataclass(frozen=True)
class Contender:
    """One way to search: a mode of retrieval, and how many of its hits are reranked, if any."""

    mode: Mode
    depth: int | None = None

    @property
    def key(self) -> str:
        """Its name in ``results.json``."""
        return self.mode if self.depth is None else f"rerank-{self.depth}"

    @property
    def name(self) -> str:
        """Its name in reports."""
        first = _NAMES[self.mode]
        return first if self.depth is None else f"{first}, then cross-encoder on {self.depth}"


def contenders(depths: Sequence[int]) -> list[Contender]:
    """Return the rows of an evaluation, from the cheapest to the dearest."""
    plain: tuple[Mode, ...] = ("lexical", "hybrid", "dense")
    return [*map(Contender, plain), *(Contender("dense", depth) for depth in sorted(set(depths)))]


def retrieve(
    searcher: Searcher,
    queries: Sequence[str],
    own: Sequence[Collection[int]],
    width: int,
    mode: Mode,
    progress: Progress,
) -> Places:
    """Return the places that a mode retrieves without each query's own ones: (q, width).

    Raises:
        MissingExtraError: the mode needs a package that is not installed.
    """
    spare = max((len(places) for places in own), default=0)
    found = np.full((len(queries), width), ABSENT, dtype=np.int64)
    for start in range(0, len(queries), _BLOCK):
        progress(f"retrieving: {_NAMES[mode]}", start, len(queries))
        part = slice(start, start + _BLOCK)
        _, places = searcher.retrieve(list(queries[part]), width + spare, mode)
        found[part] = without_own(places, own[part], width)
    return found


def without_own(places: Places, own: Sequence[Collection[int]], width: int) -> Places:
    """Return the first ``width`` places of each row that are not the query's own: (q, width).

    Args:
        places: (q, m) places, best first, -1 where there is none.
        own: the places to leave out of each row.
        width: how many to keep; what is missing is -1.
    """
    kept = np.full((len(places), width), ABSENT, dtype=np.int64)
    for row, (found, mine) in enumerate(zip(places, own, strict=True)):
        keep = found != ABSENT
        if mine:
            keep &= ~np.isin(found, list(mine))
        left = found[keep][:width]
        kept[row, : len(left)] = left
    return kept


def rerank_scores(
    searcher: Searcher, queries: Sequence[str], places: Places, progress: Progress
) -> Floats:
    """Return the reranker's raw score of every place, (q, m); -inf where there is none."""
    scores = np.full(places.shape, -np.inf)
    for start in range(0, len(queries), _BLOCK):
        progress("reranking", start, len(queries))
        part = slice(start, start + _BLOCK)
        scores[part] = searcher.rerank(list(queries[part]), places[part])
    scores[places == ABSENT] = -np.inf
    return scores


def reranked(places: Places, scores: Floats, depth: int) -> Places:
    """Return ``places`` (q, m) with the first ``depth`` in the order of their scores.

    Ties keep the order of retrieval, and so do the places behind ``depth``.
    """
    head = np.argsort(-scores[:, :depth], axis=1, kind="stable")
    return np.hstack([np.take_along_axis(places[:, :depth], head, axis=1), places[:, depth:]])


def latencies(
    searcher: Searcher,
    rows: Sequence[Contender],
    queries: Sequence[str],
    hits: int,
    progress: Progress,
) -> dict[str, Floats]:
    """Time each contender on one query at a time: (q,) seconds by its key.

    Retrieval alone fetches ``hits``; with reranking it fetches what is reranked. The rows take
    turns on every query, so that a slower minute of the machine falls on all alike; each is
    warmed up by the first query once.
    """
    seconds = {row.key: np.zeros(len(queries)) for row in rows}
    for row in rows:
        _answer(searcher, row, queries[0], hits)
    for number, query in enumerate(queries):
        progress("timing single queries", number, len(queries))
        for row in rows:
            started = time.perf_counter()
            _answer(searcher, row, query, hits)
            seconds[row.key][number] = time.perf_counter() - started
    return seconds


def _answer(searcher: Searcher, row: Contender, query: str, hits: int) -> None:
    _, places = searcher.retrieve([query], row.depth or hits, row.mode)
    if row.depth is not None:
        searcher.rerank([query], places)


def available(searcher: Searcher, rows: Sequence[Contender]) -> tuple[list[Contender], list[str]]:
    """Split off the rows that need a package that is not there, each with the reason."""
    usable, reasons = [], []
    for row in rows:
        try:
            if row.mode != "dense":
                searcher.retrieve(["가"], 1, row.mode)
        except MissingExtraError as error:
            reasons.append(f"{row.name}: {error}")
        else:
            usable.append(row)
    return usable, reasons
