"""Documents with their vectors, checked, in the form in which they are stored."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import DataError
from kosim.index.documents import Document, check_document

FloatArray = npt.NDArray[np.float32]

_UNIT_TOLERANCE = 1e-3
"""How far the length of a vector may lie from 1: what half precision leaves after normalising."""


@dataclass(frozen=True)
class Columns:
    """n documents by column, checked once on their way into an index.

    ``extras`` are JSON objects as text, so that documents can be moved without parsing them.
    """

    ids: list[str]
    texts: list[str]
    extras: list[str]

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def checked(cls, documents: Sequence[Document]) -> Self:
        """Return documents by column.

        Raises:
            DataError: an id, text or extra value cannot be stored. The document is named.
        """
        for document in documents:
            check_document(document)
        return cls(
            [document.id for document in documents],
            [document.text for document in documents],
            [_extra_json(document) for document in documents],
        )

    def repeated_id(self) -> str | None:
        """Return an id that stands here twice, or None."""
        if len(set(self.ids)) == len(self.ids):
            return None
        return next(name for name, count in Counter(self.ids).items() if count > 1)


@dataclass(frozen=True)
class Block(Columns):
    """n documents by column, and their vectors, (n, dimension) float32 with unit rows."""

    vectors: FloatArray

    @classmethod
    def of(cls, columns: Columns, vectors: FloatArray, dimension: int) -> Self:
        """Return documents that were checked with their vectors, (n, ``dimension``).

        Raises:
            DataError: the numbers differ, or a vector is not of that form. The document is named.
        """
        _check_vectors(columns.ids, vectors, dimension)
        return cls(columns.ids, columns.texts, columns.extras, vectors)

    @classmethod
    def of_documents(
        cls, documents: Sequence[Document], vectors: FloatArray, dimension: int
    ) -> Self:
        """Return documents with their vectors, both checked.

        Raises:
            DataError: as of `Columns.checked` and `of`.
        """
        documents = list(documents)
        # The vectors first: they say at once that something else was given.
        _check_vectors([document.id for document in documents], vectors, dimension)
        columns = Columns.checked(documents)
        return cls(columns.ids, columns.texts, columns.extras, vectors)

    @classmethod
    def empty(cls, dimension: int) -> Self:
        """Return a block without documents."""
        return cls([], [], [], np.zeros((0, dimension), dtype=np.float32))

    @classmethod
    def joined(cls, blocks: Sequence[Block]) -> Self:
        """Return the documents of all blocks, of which there is one at least."""
        return cls(
            [name for block in blocks for name in block.ids],
            [text for block in blocks for text in block.texts],
            [extra for block in blocks for extra in block.extras],
            np.concatenate([block.vectors for block in blocks]),
        )

    def rows(self, chosen: Sequence[int]) -> Self:
        """Return a block of some of the rows."""
        return type(self)(
            [self.ids[row] for row in chosen],
            [self.texts[row] for row in chosen],
            [self.extras[row] for row in chosen],
            self.vectors[np.asarray(chosen, dtype=np.int64)],
        )

    def slice(self, start: int, end: int) -> Self:
        """Return the block of rows ``start`` to ``end``, without a copy where it is all of them."""
        if start == 0 and end == len(self):
            return self
        rows = slice(start, end)
        return type(self)(self.ids[rows], self.texts[rows], self.extras[rows], self.vectors[rows])

    def last_of_each_id(self) -> Self:
        """Return the block without the documents whose id comes again later."""
        last = {name: row for row, name in enumerate(self.ids)}
        return self if len(last) == len(self) else self.rows(sorted(last.values()))


def _check_vectors(ids: Sequence[str], vectors: FloatArray, dimension: int) -> None:
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32:
        kind = getattr(vectors, "dtype", type(vectors).__name__)
        raise DataError(f"vectors are {kind}; give a numpy array of float32")
    if vectors.shape != (len(ids), dimension):
        raise DataError(
            f"vectors have the shape {vectors.shape}; {len(ids)} documents of this index "
            f"need ({len(ids)}, {dimension})"
        )
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    # Not "greater than": a length that is no number must fail too.
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= _UNIT_TOLERANCE))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"the vector of id {ids[row]!r} has the length {lengths[row]:.6g}, not 1; "
            "encode its text again or normalise it"
        )


def _extra_json(document: Document) -> str:
    if not document.extra:
        return "{}"
    try:
        text = json.dumps(dict(document.extra), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"extra values of id {document.id!r} cannot be stored as JSON: {error}; "
            "give strings, finite numbers, booleans, lists and objects"
        ) from error
    return text


def parse_extra(text: str) -> dict[str, object]:
    """Return the extra values that a JSON text holds.

    Raises:
        ValueError: it is not a JSON object.
    """
    if text == "{}":
        return {}
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"{text[:40]!r} is not a JSON object")
    return value
