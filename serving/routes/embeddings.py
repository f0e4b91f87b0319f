"""Sentence vectors in the forms of OpenAI and of text-embeddings-inference."""

from __future__ import annotations

import base64
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, StrictBool, TypeAdapter, WithJsonSchema

from kosim.encoders.dimensions import shortened
from kosim.serving.batched_encoders import BatchedBiEncoder
from kosim.serving.fields import DIMENSION, Call, Count, Items, Sentence, Stated, Text
from kosim.serving.limits import tell_truncated
from kosim.serving.models import name_of
from kosim.serving.problems import Problem
from kosim.serving.service import Served, Service
from kosim.serving.ticket import TICKET

router = APIRouter(tags=["embeddings"])


_ONE_OR_MORE = TypeAdapter(Sentence | Annotated[list[Sentence], Items]).json_schema()


class EmbeddingsCall(Call):
    """What OpenAI's clients send; what is not named here is ignored."""

    input: Annotated[
        Text | list[Text] | list[int] | list[list[int]], WithJsonSchema(_ONE_OR_MORE)
    ] = Field(
        description="A text or several; or their token ids, which must be of this encoder's "
        "tokenizer, as no other integers are taken."
    )
    model: str | None = Field(None, description="Any name: one bi-encoder is served.")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="Numbers, or little-endian float32 in base64."
    )
    dimensions: Annotated[Count, Stated({"maximum": DIMENSION})] | None = Field(
        None, description="Number of leading dimensions to return, at unit length again."
    )


class Embedding(BaseModel):
    """One vector, of unit length."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsAnswer(BaseModel):
    """All vectors in the order of the texts, and how many texts were cut."""

    object: Literal["list"] = "list"
    model: str
    data: list[Embedding]
    usage: dict[str, int]
    truncated: int


class EmbedCall(Call):
    """What clients of text-embeddings-inference send; texts that are too long are always cut."""

    inputs: Sentence | Annotated[list[Sentence], Items] = Field(description="A text or several.")
    normalize: Annotated[StrictBool, Stated(const=True)] = Field(
        True, description="Only true: all vectors have unit length."
    )
    dimensions: Annotated[Count, Stated({"maximum": DIMENSION})] | None = Field(
        None, description="Number of leading dimensions to return, at unit length again."
    )


class ModelEntry(BaseModel):
    """An encoder that is served, with the number of tokens at which it cuts."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "kosim"
    kind: Literal["bi", "cross"]
    max_length: int
    max_model_len: int


class ModelList(BaseModel):
    """The encoders that are served."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


@router.post("/v1/embeddings", response_model=EmbeddingsAnswer)
async def embeddings(call: EmbeddingsCall, service: Served) -> Response:
    """Encode texts with the bi-encoder, in OpenAI's form."""
    encoder = service.bi
    size = _size(encoder, call.dimensions)

    def answer() -> Response:
        whole = _texts(call, encoder)
        texts = service.limits.cut("input", whole)
        vectors = shortened(encoder.encode(texts), size)
        rows: list[Any] = (
            [base64.b64encode(row.tobytes()).decode() for row in vectors.astype("<f4")]
            if call.encoding_format == "base64"
            else vectors.tolist()
        )
        ticket = TICKET.get()
        truncated = max(ticket.truncated, service.limits.count_cut(*whole))
        # Not through the answer's model: validating half a million numbers takes long.
        response = JSONResponse(
            {
                "object": "list",
                "model": name_of(encoder),
                "data": [
                    {"object": "embedding", "index": number, "embedding": row}
                    for number, row in enumerate(rows)
                ],
                "usage": {"prompt_tokens": ticket.tokens, "total_tokens": ticket.tokens},
                "truncated": truncated,
            }
        )
        tell_truncated(response, truncated)
        return response

    return await service.admission.run(answer)


@router.post("/embed", response_model=list[list[float]])
async def embed(call: EmbedCall, service: Served) -> Response:
    """Encode texts with the bi-encoder, in the form of text-embeddings-inference."""
    encoder = service.bi
    size = _size(encoder, call.dimensions)
    if not call.normalize:
        raise Problem(
            422,
            "invalid_value",
            "normalize is false, and all vectors here have unit length; leave it out",
            param="normalize",
        )
    whole = [call.inputs] if isinstance(call.inputs, str) else call.inputs

    def answer() -> Response:
        texts = service.limits.cut("inputs", whole)
        response = JSONResponse(shortened(encoder.encode(texts), size).tolist())
        cut = service.limits.count_cut(*whole)
        tell_truncated(response, max(TICKET.get().truncated, cut))
        return response

    return await service.admission.run(answer)


@router.get("/v1/models")
async def models(service: Served) -> ModelList:
    """List the encoders, as OpenAI's clients ask for them."""
    return ModelList(data=_entries(service))


@router.get("/v1/models/{id:path}")
async def model(id: str, service: Served) -> ModelEntry:
    """Describe one encoder."""
    for entry in _entries(service):
        if entry.id == id:
            return entry
    names = ", ".join(entry.id for entry in _entries(service))
    raise Problem(404, "no_model", f"no model is called {id!r:.80}; served: {names}", param="id")


def _entries(service: Service) -> list[ModelEntry]:
    now = int(time.time())
    return [
        ModelEntry(
            id=name_of(encoder),
            created=now,
            kind=encoder.kind,
            max_length=encoder.max_length,
            max_model_len=encoder.max_length,
        )
        for encoder in service.models.served.values()
    ]


def _texts(call: EmbeddingsCall, encoder: BatchedBiEncoder) -> list[str]:
    given = [call.input] if isinstance(call.input, str) else call.input
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) == len(given):
        return texts
    lists = [one for one in given if isinstance(one, list)]
    found = encoder.texts_of_ids(lists or [[one for one in given if isinstance(one, int)]])
    if found is None:
        raise Problem(
            422,
            "token_ids",
            "input has token ids of another model's tokenizer; give texts (LangChain: "
            "OpenAIEmbeddings(check_embedding_ctx_length=False))",
            param="input",
        )
    return found


def _size(encoder: BatchedBiEncoder, asked: int | None) -> int:
    size = asked or encoder.dimension
    if size > encoder.dimension:
        raise Problem(
            422,
            "invalid_value",
            f"dimensions is {size:,}; {name_of(encoder)} has {encoder.dimension:,}",
            param="dimensions",
        )
    return size
