"""Sentence vectors in OpenAI's form."""

from __future__ import annotations

import base64
import time
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from kosim.encoders.base import FloatArray
from kosim.serving.fields import Call, Text
from kosim.serving.models import name_of
from kosim.serving.problems import Problem
from kosim.serving.service import Served

router = APIRouter(tags=["embeddings"])


class EmbeddingsCall(Call):
    """What OpenAI's clients send; what is not named here is ignored."""

    input: Text | list[Text] | list[int] | list[list[int]] = Field(
        description="A text or several. Token ids are refused: they mean another tokenizer's."
    )
    model: str | None = Field(None, description="Any name: one bi-encoder is served.")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="Numbers, or little-endian float32 in base64."
    )
    dimensions: int | None = Field(
        None, ge=1, description="The first so many, brought to unit length again."
    )


class Embedding(BaseModel):
    """One vector, of unit length."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsAnswer(BaseModel):
    """All vectors in the order of the texts."""

    object: Literal["list"] = "list"
    model: str
    data: list[Embedding]
    usage: dict[str, int]


class ModelList(BaseModel):
    """The encoders that are served."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]


@router.post("/v1/embeddings", response_model=EmbeddingsAnswer)
async def embeddings(call: EmbeddingsCall, service: Served) -> Response:
    """Encode texts with the bi-encoder."""
    encoder = service.bi
    texts = _texts(call)
    service.limits.check("input", texts)
    size = call.dimensions or encoder.dimension
    if size > encoder.dimension:
        raise Problem(
            422,
            "invalid_value",
            f"dimensions is {size:,}; {name_of(encoder)} has {encoder.dimension:,}",
            param="dimensions",
        )

    def answer() -> Response:
        vectors = _shortened(encoder.encode(texts), size)
        tokens = int(encoder.computed_tokens(texts).sum())
        rows: list[Any] = (
            [base64.b64encode(row.tobytes()).decode() for row in vectors.astype("<f4")]
            if call.encoding_format == "base64"
            else vectors.tolist()
        )
        # Not through the answer's model: validating half a million numbers takes long.
        return JSONResponse(
            {
                "object": "list",
                "model": name_of(encoder),
                "data": [
                    {"object": "embedding", "index": number, "embedding": row}
                    for number, row in enumerate(rows)
                ],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    return await service.admission.run(answer)


@router.get("/v1/models")
async def models(service: Served) -> ModelList:
    """List the encoders, as OpenAI's clients ask for them."""
    now = int(time.time())
    return ModelList(
        data=[
            {"id": name_of(encoder), "object": "model", "created": now, "owned_by": "kosim"}
            for encoder in service.models.served.values()
        ]
    )


def _texts(call: EmbeddingsCall) -> list[str]:
    given = [call.input] if isinstance(call.input, str) else call.input
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) < len(given):
        raise Problem(
            422,
            "token_ids",
            "input has token ids, which mean the words of another model's tokenizer; give texts",
            param="input",
        )
    return texts


def _shortened(vectors: FloatArray, size: int) -> FloatArray:
    if size == vectors.shape[1]:
        return vectors
    first = vectors[:, :size]
    norms = np.linalg.norm(first, axis=1, keepdims=True)
    return first / np.maximum(norms, np.finfo(np.float32).tiny)
