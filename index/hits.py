"""What a search gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SearchHit:
    """One document that was found.

    ``score`` is on 0-5: the reranker's calibrated score or, without a reranker, the
    bi-encoder's. ``retrieval_score`` is what the mode orders by: cosine, BM25 or the sum of
    reciprocal ranks. ``rerank_score`` is the reranker's own raw value, by which hits are ordered.
    """

    rank: int
    id: str
    text: str
    score: float
    retrieval_score: float
    rerank_score: float | None
    extra: Mapping[str, Any]


@dataclass(frozen=True)
class SearchResult:
    """The hits of one query, best first.

    ``candidates`` is how many documents were retrieved and ``reranked`` how many of them the
    reranker scored. ``seconds`` is the wall time of the call divided by its queries: a call
    works on all of them together. ``missing`` names the shards that could not answer: the hits are
    the best of all others.
    """

    query: str
    hits: tuple[SearchHit, ...]
    candidates: int
    reranked: int
    seconds: float
    missing: tuple[str, ...] = ()
