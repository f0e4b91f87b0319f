"""Search: candidates from the index, reranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from kosim.encoders.errors import ConfigError
from kosim.index.documents import SearchResult, result_json
from kosim.index.searcher import Mode
from kosim.serving.fields import (
    CANDIDATES,
    HITS,
    MAX_ITEMS,
    Call,
    Count,
    Score,
    Sentence,
    Share,
    Stated,
    Whole,
)
from kosim.serving.limits import tell_truncated
from kosim.serving.problems import Problem
from kosim.serving.service import Served
from kosim.serving.ticket import TICKET

router = APIRouter(tags=["search"])

DEFAULT_CANDIDATES = 100
"""Documents that are retrieved and reranked, as far as the server's limit allows."""


_Depth = Annotated[Whole, Stated({"maximum": MAX_ITEMS}, minimum=1)]


class SearchCall(Call):
    """A query, and how to search for it."""

    model_config = ConfigDict(extra="forbid")

    query: Sentence
    k: Annotated[Count, Stated({"maximum": MAX_ITEMS})] = Field(
        10,
        validation_alias=HITS,
        description="Number of hits to return; `top_k`, `top_n` and `limit` mean the same.",
    )
    candidates: _Depth | Literal["auto"] = Field(
        DEFAULT_CANDIDATES,
        validation_alias=CANDIDATES,
        description="Number of documents to retrieve and rerank; auto: as many as the query needs, "
        "by the index's fitted policy.",
    )
    min_score: Score | None = Field(None, description="Leave out hits with a lower score (0 to 5).")
    mode: Mode = Field("dense", description="Retrieve by vectors, by words, or by both.")
    interpolation: Share = Field(
        0.0,
        description="Share of the bi-encoder's score in the score of a reranked hit: 0 is the "
        "cross-encoder's alone, 0.5 the mean of both.",
    )


class SearchedDocument(BaseModel):
    """A hit: ``score`` is on 0-5, the others are what retrieval and reranker order by."""

    rank: int
    id: str
    text: str
    score: float
    retrieval_score: float
    rerank_score: float | None
    extra: dict[str, Any]


class SearchAnswer(BaseModel):
    """The hits, best first, and how many documents were retrieved and reranked for them.

    ``missing`` names the shards of the index that could not answer: then the hits are the best of
    all others only, and ``notice`` says so. Else it is empty, and ``notice`` null. ``truncated`` is
    how many inputs of the encoders, the query and its pairs with candidates, were cut. Without
    ``calibrated`` the scores are the encoder's own values, spread over 0-5.
    """

    query: str
    hits: list[SearchedDocument]
    candidates: int
    reranked: int
    seconds: float
    missing: list[str] = []
    notice: str | None = None
    truncated: int
    calibrated: bool = True


@router.post("/v1/search")
async def search(call: SearchCall, service: Served, response: Response) -> SearchAnswer:
    """Find the most similar documents: the bi-encoder retrieves, the cross-encoder reranks."""
    searcher = service.searcher
    query = service.limits.cut_text("query", call.query)
    service.limits.check_number("k", call.k)
    candidates = call.candidates
    if "candidates" not in call.model_fields_set:
        candidates = min(DEFAULT_CANDIDATES, service.limits.items)
    elif isinstance(candidates, int):
        service.limits.check_number("candidates", candidates)

    def found() -> tuple[SearchResult, int]:
        searcher.index.refresh()
        try:
            searcher.check_interpolation(call.interpolation, candidates)
        except ConfigError as error:
            raise Problem(404, "not_mixed", str(error), param="interpolation") from None
        if candidates == "auto":
            try:
                searcher.policy(call.mode)
            except ConfigError as error:
                raise Problem(404, "no_policy", str(error), param="candidates") from None
        (result,) = searcher.search(
            [query],
            k=call.k,
            candidates=candidates,
            mode=call.mode,
            interpolation=call.interpolation,
        )
        return result, TICKET.get().truncated

    result, truncated = await service.admission.run(found)
    if call.min_score is not None:
        lowest = call.min_score
        result = replace(result, hits=tuple(hit for hit in result.hits if hit.score >= lowest))
    return SearchAnswer(
        **result_json(result),
        notice=_notice(result.missing),
        truncated=tell_truncated(response, max(truncated, service.limits.count_cut(call.query))),
    )


def _notice(missing: Sequence[str]) -> str | None:
    if not missing:
        return None
    return (
        f"documents of {', '.join(missing)} are missing: no replica answers there at the moment; "
        "ask again later for all"
    )
