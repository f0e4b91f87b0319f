"""Documents by similarity to a query, in the forms of Cohere, Jina and text-embeddings-inference.

A relevance score is the calibrated score divided by 5, so it lies between 0 and 1.
"""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from kosim.encoders.records import LABEL_HIGH, Hit
from kosim.serving.fields import BEST, Call, Text
from kosim.serving.models import name_of
from kosim.serving.service import Served, Service

router = APIRouter(tags=["rerank"])


class TextDocument(BaseModel):
    """A document as Cohere's first form and Jina's have it."""

    text: Text


class RerankCall(Call):
    """What Cohere's clients (v1 and v2) and Jina's send; what is not named here is ignored."""

    query: Text
    documents: list[Text | TextDocument]
    model: str | None = Field(None, description="Any name: one reranker is served.")
    top_n: int | None = Field(
        None, ge=1, validation_alias=BEST, description="Number of hits to return (default: all)."
    )
    return_documents: bool = Field(False, description="Repeat the texts in the answer.")


class Ranked(BaseModel):
    """A document by its position in the request."""

    index: int
    relevance_score: float
    document: TextDocument | None = None


class RerankAnswer(BaseModel):
    """The best documents first, as Cohere and Jina say it."""

    id: str
    object: str = "list"
    model: str
    results: list[Ranked]
    usage: dict[str, int]
    meta: dict[str, Any]


class TextsCall(Call):
    """What clients of text-embeddings-inference send; texts that are too long are always cut."""

    query: Text
    texts: list[Text]
    raw_scores: bool = Field(False, description="The reranker's own values.")
    return_text: bool = Field(False, description="Repeat the texts in the answer.")


class RankedText(BaseModel):
    """A text by its position in the request."""

    index: int
    score: float
    text: str | None = None


@router.post("/v1/rerank", response_model_exclude_none=True)
async def rerank_v1(call: RerankCall, service: Served) -> RerankAnswer:
    """Rank documents, in the form of Jina and of Cohere's first version."""
    return await _reranked(call, service, version="1")


@router.post("/v2/rerank", response_model_exclude_none=True)
async def rerank_v2(call: RerankCall, service: Served) -> RerankAnswer:
    """Rank documents, in the form of Cohere's second version."""
    return await _reranked(call, service, version="2")


@router.post("/rerank", response_model_exclude_none=True)
async def rerank_texts(call: TextsCall, service: Served) -> list[RankedText]:
    """Rank texts, in the form of text-embeddings-inference."""
    hits = await _ranked(service, call.query, "texts", call.texts, None)
    return [
        RankedText(
            index=hit.position,
            score=hit.raw if call.raw_scores else _relevance(hit),
            text=hit.text if call.return_text else None,
        )
        for hit in hits
    ]


async def _reranked(call: RerankCall, service: Service, *, version: str) -> RerankAnswer:
    documents = [one if isinstance(one, str) else one.text for one in call.documents]
    hits = await _ranked(service, call.query, "documents", documents, call.top_n)
    encoder = service.models.best
    lengths = encoder.token_lengths([(call.query, text) for text in documents])
    tokens = int(lengths.clip(max=encoder.max_length).sum())
    return RerankAnswer(
        id=str(uuid.uuid4()),
        model=name_of(encoder),
        results=[
            Ranked(
                index=hit.position,
                relevance_score=_relevance(hit),
                document=TextDocument(text=hit.text) if call.return_documents else None,
            )
            for hit in hits
        ],
        usage={"total_tokens": tokens},
        meta={"api_version": {"version": version}, "billed_units": {"search_units": 1}},
    )


async def _ranked(
    service: Service, query: str, name: str, documents: list[str], top: int | None
) -> list[Hit]:
    service.limits.check_text("query", query)
    service.limits.check(name, documents, blank=True)
    if top is not None and top > len(documents):
        top = None
    return await service.admission.run(service.models.best.rank, query, documents, top_k=top)


def _relevance(hit: Hit) -> float:
    return hit.score / LABEL_HIGH
