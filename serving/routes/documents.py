"""Changes of the index: when they are answered they are on the disk."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kosim.encoders.dimensions import shortened
from kosim.encoders.errors import CorpusIndexError, DuplicateIdError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import (
    LONGEST_ID,
    BadValueError,
    Document,
    checked_id,
    checked_text,
)
from kosim.serving.fields import Call, Items, NotBlank, Stated, Stored, Text
from kosim.serving.limits import tell_truncated
from kosim.serving.problems import Problem
from kosim.serving.service import WRITE_SECONDS, Served
from kosim.serving.ticket import TICKET

router = APIRouter(tags=["documents"])


DEEPEST = 32
"""Levels of lists and objects in the extra values of a document: answers repeat them."""


def _shallow(values: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` if they are not nested deeper than `DEEPEST`.

    Raises:
        ValueError: they are.
    """
    level: list[Any] = [values]
    for _ in range(DEEPEST):
        below = [
            member
            for value in level
            for member in (value.values() if isinstance(value, dict) else value)
            if isinstance(member, dict | list)
        ]
        if not below:
            return values
        level = below
    raise ValueError(f"it is nested more than {DEEPEST} levels deep")


class NewDocument(Call):
    """A document to add; without an id it gets one."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[Text, NotBlank, Stated(maxLength=LONGEST_ID)] | None = None
    text: Annotated[Text, Stored]
    extra: Annotated[dict[str, Any], AfterValidator(_shallow)] = Field(
        default_factory=dict, description="Comes back with every hit."
    )


class Addition(Call):
    """Documents to add, all or none."""

    model_config = ConfigDict(extra="forbid")

    documents: Annotated[list[NewDocument], Items]
    on_duplicate: Literal["refuse", "replace"] = Field(
        "refuse", description="What to do with an id that is there."
    )


class Added(BaseModel):
    """The ids of what was added, in order, and how many documents there are now.

    ``truncated`` is how many were encoded by their beginning alone; they are stored whole.
    """

    ids: list[str]
    documents: int
    truncated: int


class Removed(BaseModel):
    """The id of what was removed, and how many documents there are now."""

    id: str
    documents: int


def _check_distinct(ids: list[str]) -> None:
    """Refuse an id that one request adds twice; where it replaces, the last one stays."""
    seen: set[str] = set()
    for number, id in enumerate(ids):
        if id in seen:
            raise Problem(
                409,
                "duplicate_id",
                f"id {id!r:.80} appears twice in what is added; give each its own id",
                param=f"documents[{number}].id",
            )
        seen.add(id)


def _check_new(index: CorpusIndex, ids: list[str]) -> None:
    """Refuse an id that the index has already."""
    index.refresh()
    known = np.flatnonzero(index.locate(ids) >= 0).tolist()
    if known:
        raise Problem(
            409,
            "duplicate_id",
            f"id {ids[known[0]]!r:.80} is in the index already; nothing was added: replace it "
            '(on_duplicate "replace") or give another id',
            param=f"documents[{known[0]}].id",
        )


@router.post("/v1/documents")
async def add(call: Addition, service: Served, response: Response) -> Added:
    """Add documents to the index; they can be found, and survive a crash, from the answer on."""
    index, encoder = service.corpus, service.bi
    service.limits.check_stored("documents", [one.text for one in call.documents])
    documents = [
        Document(uuid.uuid4().hex if one.id is None else one.id, one.text, one.extra)
        for one in call.documents
    ]
    ids = [document.id for document in documents]
    if call.on_duplicate == "refuse":
        _check_distinct(ids)

    def added() -> int:
        for number, document in enumerate(documents):
            try:
                checked_id(document.id)
                checked_text(document.text)
            except BadValueError as error:
                name = f"documents[{number}]"  # not the id, which may be one that nobody gave
                raise Problem(422, "invalid_value", f"{name}: {error}", param=name) from error
        if call.on_duplicate == "refuse":
            _check_new(index, ids)
        texts = [document.text for document in documents]
        vectors = shortened(encoder.encode(texts), index.encoder.dimension)
        with service.writing():
            try:
                index.add(documents, vectors, on_duplicate=call.on_duplicate, timeout=WRITE_SECONDS)
            except DuplicateIdError:  # which another request has added meanwhile
                _check_new(index, ids)
                raise
        return TICKET.get().truncated

    truncated = tell_truncated(response, await service.admission.run(added))
    service.metrics.changes.labels("added").inc(len(ids))
    return Added(ids=ids, documents=len(index), truncated=truncated)


@router.delete("/v1/documents/{id:path}")
async def remove(id: str, service: Served) -> Removed:
    """Remove a document from the index."""
    index = service.corpus

    def removed() -> None:
        index.refresh()
        try:
            if index.locate([id])[0] >= 0:
                with service.writing():
                    index.remove([id], timeout=WRITE_SECONDS)
                return
        except CorpusIndexError:
            if index.locate([id])[0] >= 0:
                raise
        raise Problem(404, "no_document", f"no document has the id {id!r:.80}", param="id")

    await service.admission.run(removed)
    service.metrics.changes.labels("removed").inc()
    return Removed(id=id, documents=len(index))
