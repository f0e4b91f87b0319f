"""What operators and their machines ask."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel

from kosim.encoders.compute.runtime import Precision
from kosim.encoders.errors import KosimError
from kosim.encoders.model_card import ModelCard, read_card
from kosim.encoders.records import Kind
from kosim.serving.models import name_of
from kosim.serving.service import Served

_LOG = logging.getLogger("kosim.serving")

router = APIRouter(tags=["operations"])


class Status(BaseModel):
    """Whether the service answers, or why it cannot."""

    status: str


class Description(BaseModel):
    """What is served: encoders by kind, the index, and the limits of a request."""

    version: str
    encoders: dict[str, dict[str, Any]]
    index: dict[str, Any] | None
    limits: dict[str, int]


class EncoderDescription(BaseModel):
    """An encoder: what it was made from, how it was trained, and its maker's card.

    ``training`` is None for a model that kosim did not train, ``card`` where there is none.
    """

    model: str
    kind: Kind
    backbone: str
    calibrated: bool
    threshold: float
    max_length: int
    precision: Precision
    training: dict[str, Any] | None
    card: ModelCard | None


class EncoderList(BaseModel):
    """The encoders that are served, the bi-encoder first."""

    encoders: list[EncoderDescription]


@router.get("/health", include_in_schema=False)
@router.get("/healthz")
async def healthz() -> Status:
    """Say that the process answers."""
    return Status(status="ok")


@router.get(
    "/readyz",
    response_model=Status,
    responses={503: {"description": "Requests cannot be carried out.", "model": Status}},
)
async def readyz(service: Served) -> Response:
    """Say whether requests can be carried out: the encoders' threads live, the index is sound."""
    if not service.models.alive:
        return JSONResponse({"status": "an encoder's thread has ended"}, 503)
    if service.models.searcher is not None:
        try:
            service.models.searcher.index.refresh()
        except KosimError as error:
            # Anybody may ask, and the message names folders.
            _LOG.error("%s", error)
            return JSONResponse({"status": "the index cannot be read; the log says why"}, 503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(service: Served) -> Response:
    """Return the metrics in Prometheus's text format."""
    content, kind = service.metrics.text()
    return Response(content, media_type=kind)


@router.get("/info")
async def info(service: Served) -> dict[str, Any]:
    """Describe the encoder of /embed and /rerank, in the form of text-embeddings-inference."""
    encoder = service.models.bi or service.models.best
    name = name_of(encoder)
    kinds: dict[str, dict[str, Any]] = {
        "bi": {"embedding": {"pooling": getattr(encoder, "pooling", None)}},
        "cross": {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}},
    }
    return {
        "model_id": name,
        "model_sha": None,
        "model_dtype": {"fp32": "float32", "bf16": "bfloat16"}.get(
            encoder.precision, encoder.precision
        ),
        "model_type": kinds[encoder.kind],
        "max_concurrent_requests": service.admission.capacity,
        "max_input_length": encoder.max_length,
        "max_client_batch_size": service.limits.items,
        "auto_truncate": True,
        "version": version("kosim"),
    }


@router.get("/v1/service")
async def description(service: Served) -> Description:
    """Describe what is served."""
    searcher = service.models.searcher
    if searcher is not None:
        searcher.index.refresh()
    return Description(
        version=version("kosim"),
        encoders={
            kind: {
                "model": name_of(encoder),
                "threshold": encoder.threshold,
                "max_length": encoder.max_length,
            }
            for kind, encoder in service.models.served.items()
        },
        index=None
        if searcher is None
        else {"documents": len(searcher.index), "modes": service.models.modes},
        limits={"max_items": service.limits.items, "max_characters": service.limits.characters},
    )


@router.get("/v1/encoders")
def encoders(service: Served) -> EncoderList:
    """Describe the encoders in full: backbone, training, and the results and limits of the card."""
    return EncoderList(
        encoders=[
            EncoderDescription(
                model=name_of(encoder),
                kind=encoder.kind,
                backbone=_without_folders(encoder.backbone.name),
                calibrated=encoder.calibrated,
                threshold=encoder.threshold,
                max_length=encoder.max_length,
                precision=encoder.precision,
                training=encoder.training,
                card=read_card(encoder.backbone.path),
            )
            for encoder in service.models.served.values()
        ]
    )


def _without_folders(backbone: str) -> str:
    """Return a hub's id as it is, and of a path its last part: folders are nobody's business."""
    return Path(backbone).name if Path(backbone).is_absolute() else backbone
