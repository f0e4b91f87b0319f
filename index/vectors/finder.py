"""What the types of vector structures have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import CorpusIndexError
from kosim.index.vectors.alive_rows import AliveRows
from kosim.index.vectors.faiss_io import Progress
from kosim.index.vectors.stored import Storage, StoredVectors, VectorType

Settings = dict[str, Any]
"""JSON values that opening needs, or that say what was measured when the files were written."""


class Finder(ABC):
    """Proposes the rows that may be the best for a query; knows its files on disk.

    ``minimum_rows`` is what writing needs. ``exact`` says that the proposals always hold the best
    rows, so that few removed rows or many duplicates cannot hide one.
    """

    minimum_rows: ClassVar[int]
    exact: ClassVar[bool]
    stored: StoredVectors

    @classmethod
    @abstractmethod
    def files(cls, type: VectorType) -> tuple[str, ...]:
        """Return the names of the files, by how vectors are stored."""

    @classmethod
    @abstractmethod
    def write(
        cls,
        folder: Path,
        vectors: npt.NDArray[np.float32],
        storage: Storage,
        progress: Progress | None,
    ) -> Settings:
        """Write ``files`` into ``folder`` and return the settings to open them with.

        Among them is ``recall@10``, measured against exact search of ``vectors`` as they are given.
        """

    @classmethod
    @abstractmethod
    def open(
        cls, folder: Path, rows: int, dimension: int, type: VectorType, settings: Settings
    ) -> Self:
        """Map the files; they are never modified."""

    @abstractmethod
    def propose(
        self, queries: npt.NDArray[np.float32], k: int, alive: AliveRows | None
    ) -> npt.NDArray[np.int64]:
        """Return at least ``k`` columns of alive rows for each query, -1 where none was found.

        Args:
            queries: (q, d), contiguous, q > 0.
            k: at least 1 and at most the number of alive rows.
            alive: the rows that may be proposed; all when None.
        """


def setting(settings: Settings, name: str, folder: Path) -> int:
    """Return a positive whole number of the settings.

    Raises:
        CorpusIndexError: it is missing or no such number.
    """
    value = settings.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise CorpusIndexError(
            f"{folder}: the setting {name} is {value!r}, not a positive whole number; build the "
            "index again or restore its manifest"
        )
    return value
