"""What a searcher needs of what it searches: one index, or several shards somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from kosim.index.documents import Document
from kosim.index.store.block import FloatArray

if TYPE_CHECKING:
    from kosim.index.corpus_index import EncoderIdentity

Mode = Literal["dense", "lexical", "hybrid"]
Places = npt.NDArray[np.int64]


class MadeByEncoder(Protocol):
    """Something on disk that holds the vectors of one encoder."""

    @property
    def folder(self) -> Path:
        """Where it lies."""

    @property
    def encoder(self) -> EncoderIdentity:
        """The encoder that made the vectors."""


class State(Protocol):
    """One state of what was searched: the places that were found in it keep their meaning."""

    def documents(self, places: npt.ArrayLike) -> list[Document]:
        """Return the documents at some places that were found."""

    def texts(self, places: npt.ArrayLike) -> list[str]:
        """Return the texts at some places that were found."""

    def cosines(self, vectors: FloatArray, places: Places) -> FloatArray:
        """Return the cosines of the q queries (q, d) with the documents of their rows.

        ``places`` and the result are (q, m); the result is -inf where the place is -1.
        """


class Retrieved(NamedTuple):
    """Scores (q, depth) float32 and places (q, depth) int64, best first, and their state.

    Where there are fewer documents the rest is -inf and -1. ``missing`` names the parts that
    could not be asked: the places are the best of all others.
    """

    state: State
    scores: FloatArray
    places: Places
    missing: tuple[str, ...] = ()


class Searchable(MadeByEncoder, Protocol):
    """What a `Searcher` searches."""

    def __len__(self) -> int:
        """Return the number of living documents."""

    @property
    def made(self) -> int:
        """The generation with which the corpus began."""

    def refresh(self) -> bool:
        """See what was committed since, and return whether there was something new."""

    def retrieve(
        self, queries: Sequence[str], vectors: FloatArray | None, depth: int, mode: Mode
    ) -> Retrieved:
        """Return the first ``depth`` documents of each query, from one state.

        Args:
            queries: q texts; not looked at in the mode "dense".
            vectors: (q, d) unit rows; may be None in the mode "lexical".
            depth: documents a query.
            mode: by vectors, by words, or by both.
        """
