"""What was measured on a machine, as it is kept in a file and used again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kosim.encoders.errors import DataError, printable
from kosim.encoders.storage import read_json, write_text
from kosim.index.vectors.stored import VectorType
from kosim.index.vectors.vector_index import IndexType

FORMAT = 1

Layout = Literal["flat", "hnsw", "ivfpq", "rabitq", "flat int8", "hnsw int8", "rabitq int8"]
"""An index type and how it stores vectors; as fp32 where nothing is said."""


def layout_parts(layout: Layout) -> tuple[IndexType, VectorType]:
    """Return the index type and the vector type of a layout."""
    type, _, stored = layout.partition(" ")
    return cast(IndexType, type), cast(VectorType, stored or "fp32")


class SizeFigures(BaseModel):
    """An index of some rows: bytes of its structure on disk and of what a search reads of it.

    ``build_seconds`` are those of the structure and the documents, ``search_seconds`` those of
    one query for 10 hits at ``recall``, both on one core.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(ge=1)
    disk_bytes: int = Field(ge=1)
    resident_bytes: int = Field(ge=1)
    build_seconds: float = Field(gt=0)
    search_seconds: float = Field(gt=0)
    recall: float = Field(ge=0, le=1)


class Measurements(BaseModel):
    """Figures of one core of a machine, for one encoder and perhaps a reranker.

    ``types`` holds each layout at growing sizes; ``mixed_vectors`` of their vectors were not
    encoded but mixed from encoded ones. Memory is that of a process that has the encoder loaded
    and has computed in bulk.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = Field(FORMAT, le=FORMAT)
    created: str
    encoder: str
    reranker: str | None
    corpus: str
    dimension: int = Field(ge=1)
    encoded_sentences: int = Field(ge=1)
    mixed_vectors: int = Field(ge=0)
    sentences_per_second: float = Field(gt=0)
    query_seconds: float = Field(gt=0)
    pairs_per_second: float | None = Field(None, gt=0)
    process_bytes: int = Field(ge=1)
    document_bytes: float = Field(gt=0)
    types: dict[Layout, list[SizeFigures]] = Field(min_length=1)
    environment: dict[str, str | int]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            DataError: it cannot be read, or holds no such measurements.
        """
        content = read_json(path, error=DataError, remedy="remove it and measure again")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = printable(".".join(str(part) for part in first["loc"])) or "the whole"
            raise DataError(
                f"{path} holds no measurements of this version: {where}: {first['msg']}; remove "
                "it and measure again"
            ) from error

    def save(self, path: Path) -> None:
        """Write the figures as JSON."""
        write_text(path, self.model_dump_json(indent=2) + "\n")
