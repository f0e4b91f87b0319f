"""What a searcher needs of what it searches: one index, or several shards somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy.typing as npt

from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.index.documents import Document
from kosim.index.ranking import Rows, Scores
from kosim.index.store.block import FloatArray

Mode = Literal["dense", "lexical", "hybrid"]
"""How candidates are retrieved: by vectors, by words, or by both."""


class HoldsVectors(Protocol):
    """Something on disk that holds the vectors of one encoder."""

    @property
    def folder(self) -> Path:
        """Where it lies."""

    @property
    def encoder(self) -> EncoderIdentity:
        """The encoder of the vectors."""


class DocumentReader(Protocol):
    """Reads the documents of one search: the rows that were found keep their meaning in it."""

    def documents(self, rows: npt.ArrayLike) -> list[Document]:
        """Return the documents of some rows that were found."""

    def texts(self, rows: npt.ArrayLike) -> list[str]:
        """Return the texts of some rows that were found."""

    def cosines(self, vectors: FloatArray, rows: Rows) -> FloatArray:
        """Return the cosines of the q queries (q, d) with the documents that each one found.

        ``rows`` and the result are (q, m); the result is -inf where the row is -1.
        """


class Retrieved(NamedTuple):
    """Scores (q, depth) float32 and rows (q, depth) int64, best first, and who reads the rows.

    Where there are fewer documents the rest is -inf and -1. ``missing`` names the parts that
    could not be asked: the rows are the best of all others.
    """

    reader: DocumentReader
    scores: Scores
    rows: Rows
    missing: tuple[str, ...] = ()


class Searchable(HoldsVectors, Protocol):
    """What a `Searcher` searches."""

    def __len__(self) -> int:
        """Return the number of living documents."""

    @property
    def first_generation(self) -> int:
        """The generation with which the corpus began."""

    def refresh(self) -> bool:
        """See what was committed since, and return whether there was something new."""

    def retrieve(
        self, queries: Sequence[str], vectors: FloatArray | None, depth: int, mode: Mode
    ) -> Retrieved:
        """Return the first ``depth`` documents of each query, all from one snapshot.

        Args:
            queries: q texts; not looked at in the mode "dense".
            vectors: (q, d) unit rows; may be None in the mode "lexical".
            depth: documents a query.
            mode: by vectors, by words, or by both.
        """
