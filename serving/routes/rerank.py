"""Documents by similarity to a query, in the forms of Cohere, Jina and text-embeddings-inference.

A relevance score is the calibrated score divided by 5, so it lies between 0 and 1.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Self

from fastapi import APIRouter, Response
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StrictBool, model_validator

from kosim.encoders.records import LABEL_HIGH, Hit
from kosim.serving.fields import BEST, Call, Count, Items, Sentence, Share, Text
from kosim.serving.limits import tell_truncated, tell_uncalibrated
from kosim.serving.models import name_of
from kosim.serving.service import Served, Service
from kosim.serving.ticket import TICKET, Ticket

router = APIRouter(tags=["rerank"])


class TextDocument(BaseModel):
    """A document as Cohere's first form and Jina's have it."""

    text: Text


Texts = Annotated[list[Text | TextDocument], Items]
"""Documents to rank, which may be blank."""


class _Ranking(Call):
    """What every form of a request has; what is not named here is ignored."""

    query: Sentence
    model: str | None = Field(None, description="Any name: one reranker is served.")
    top_n: Count | None = Field(
        None,
        validation_alias=BEST,
        description="Number of hits to return (default: all); `top_k`, `k` and `limit` mean the "
        "same.",
    )
    return_documents: StrictBool = Field(False, description="Repeat the texts in the answer.")
    min_score: Share | None = Field(
        None, description="Leave out hits with a lower relevance score (0 to 1)."
    )


class RerankCall(_Ranking):
    """What Cohere's clients (v1 and v2) and Jina's send."""

    documents: Texts = Field(
        validation_alias=AliasChoices("documents", "texts"), description="`texts` means the same."
    )


class TextsCall(_Ranking):
    """What clients of text-embeddings-inference send (``texts``), or Jina's (``documents``).

    Texts that are too long are always cut.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"texts": {"type": "array"}}, "required": ["texts"]},
            "then": {"properties": {"documents": {"type": "null"}}},
            "else": {"properties": {"documents": {"type": "array"}}, "required": ["documents"]},
        }
    )

    texts: Texts | None = Field(
        None, description="Documents; the answer is that of text-embeddings-inference."
    )
    documents: Texts | None = Field(
        None, description="Documents; the answer is that of /v1/rerank."
    )
    raw_scores: StrictBool = Field(False, description="The reranker's own values.")
    return_text: StrictBool = Field(False, description="Repeat the texts in the answer.")

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if (self.texts is None) == (self.documents is None):
            raise ValueError("give either texts or documents")
        return self


class Ranked(BaseModel):
    """A document by its position in the request."""

    index: int
    relevance_score: float
    document: TextDocument | None = None


class RerankAnswer(BaseModel):
    """The best documents first, as Cohere and Jina say it, and how many pairs were cut."""

    id: str
    object: str = "list"
    model: str
    results: list[Ranked]
    usage: dict[str, int]
    meta: dict[str, Any]
    truncated: int


class RankedText(BaseModel):
    """A text by its position in the request."""

    index: int
    score: float
    text: str | None = None


@router.post("/v1/rerank", response_model_exclude_none=True)
async def rerank_v1(call: RerankCall, service: Served, response: Response) -> RerankAnswer:
    """Rank documents, in the form of Jina and of Cohere's first version."""
    return await _reranked(call, call.documents, service, response, version="1")


@router.post("/v2/rerank", response_model_exclude_none=True)
async def rerank_v2(call: RerankCall, service: Served, response: Response) -> RerankAnswer:
    """Rank documents, in the form of Cohere's second version."""
    return await _reranked(call, call.documents, service, response, version="2")


@router.post("/rerank", response_model_exclude_none=True)
async def rerank_texts(
    call: TextsCall, service: Served, response: Response
) -> list[RankedText] | RerankAnswer:
    """Rank texts, in the form of text-embeddings-inference, or of Jina."""
    if call.documents is not None:
        return await _reranked(call, call.documents, service, response, version="1")
    hits, _, cut = await _ranked(service, call, "texts", call.texts or [])
    tell_truncated(response, cut)
    tell_uncalibrated(response, service.models.best)
    return [
        RankedText(
            index=hit.position,
            score=hit.raw if call.raw_scores else _relevance(hit),
            text=hit.text if call.return_text or call.return_documents else None,
        )
        for hit in hits
    ]


async def _reranked(
    call: _Ranking,
    documents: list[str | TextDocument],
    service: Service,
    response: Response,
    *,
    version: str,
) -> RerankAnswer:
    hits, ticket, cut = await _ranked(service, call, "documents", documents)
    tell_uncalibrated(response, service.models.best)
    return RerankAnswer(
        id=str(uuid.uuid4()),
        model=name_of(service.models.best),
        results=[
            Ranked(
                index=hit.position,
                relevance_score=_relevance(hit),
                document=TextDocument(text=hit.text) if call.return_documents else None,
            )
            for hit in hits
        ],
        usage={"prompt_tokens": ticket.tokens, "total_tokens": ticket.tokens},
        meta={"api_version": {"version": version}, "billed_units": {"search_units": 1}},
        truncated=tell_truncated(response, cut),
    )


async def _ranked(
    service: Service, call: _Ranking, name: str, documents: list[str | TextDocument]
) -> tuple[list[Hit], Ticket, int]:
    """Return the hits, what was counted for them, and how many pairs were cut."""
    whole = [one if isinstance(one, str) else one.text for one in documents]
    query = service.limits.cut_text("query", call.query)
    texts = service.limits.cut(name, whole, blank=True)
    top = call.top_n if call.top_n is not None and call.top_n <= len(texts) else None

    def ranked() -> tuple[list[Hit], Ticket]:
        return service.models.best.rank(query, texts, top_k=top), TICKET.get()

    hits, ticket = await service.admission.run(ranked)
    if call.min_score is not None:
        hits = [hit for hit in hits if _relevance(hit) >= call.min_score]
    return hits, ticket, max(ticket.truncated, service.limits.count_cut(call.query, *whole))


def _relevance(hit: Hit) -> float:
    return hit.score / LABEL_HIGH
