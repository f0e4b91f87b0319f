"""Finding documents by id without holding the ids: sorted 64-bit hashes with their rows.

A hash only proposes rows; whoever asks compares the true strings. A lookup is a binary search in
a memory-mapped table, 16 bytes a document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from kosim.encoders.durable_file import read_array, write_array
from kosim.encoders.errors import CorpusIndexError

HASHES = "id_hashes.npy"
ROWS = "id_rows.npy"

HashArray = npt.NDArray[np.uint64]
IntArray = npt.NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)


def hash_ids(ids: Sequence[str]) -> HashArray:
    """Return the first 64 bits of each id's BLAKE2b: (n,) uint64."""
    # An id with half a character can be asked for, though it can never have been stored.
    encoded = (name.encode("utf-8", "surrogatepass") for name in ids)
    digests = b"".join(hashlib.blake2b(name, digest_size=8).digest() for name in encoded)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


class IdTable:
    """Hashes in ascending order and the row of each, both (n,)."""

    def __init__(self, hashes: HashArray, rows: IntArray) -> None:
        self.hashes = hashes
        self.rows = rows

    @classmethod
    def open(cls, folder: Path, rows: int) -> IdTable:
        """Map a table from its files; nothing is read but their heads.

        Raises:
            CorpusIndexError: a file is no array of ``rows`` numbers.
        """
        return cls(
            map_array(folder / HASHES, rows, np.dtype(np.uint64)),
            map_array(folder / ROWS, rows, np.dtype(np.int64)),
        )

    def write(self, folder: Path) -> None:
        """Write the table's two files."""
        write_array(folder / HASHES, self.hashes)
        write_array(folder / ROWS, self.rows)

    def candidates(self, hashes: HashArray) -> Iterator[tuple[int, int]]:
        """Yield (number in ``hashes``, row) for every row with an equal hash."""
        left = np.searchsorted(self.hashes, hashes, side="left")
        # One look at the hash found is far cheaper than a second search, and nearly always enough.
        inside = np.minimum(left, len(self.hashes) - 1)
        for number in np.flatnonzero(self.hashes[inside] == hashes).tolist():
            position = int(left[number])
            while position < len(self.hashes) and self.hashes[position] == hashes[number]:
                yield number, int(self.rows[position])
                position += 1


class GrowingIdTable:
    """A table that blocks are added to: sorted runs, of which equal ones are merged.

    Every hash is merged O(log n) times and a lookup searches O(log n) runs; 16 bytes a document.
    """

    def __init__(self) -> None:
        self._runs: list[IdTable] = []
        self._rows = 0

    def add(self, hashes: HashArray) -> None:
        """Append the next documents; their rows follow the last ones."""
        rows = np.arange(self._rows, self._rows + len(hashes), dtype=np.int64)
        self._rows += len(hashes)
        run = _sorted_table(hashes, rows)
        while self._runs and len(self._runs[-1].rows) <= 2 * len(run.rows):
            last = self._runs.pop()
            run = _sorted_table(
                np.concatenate([last.hashes, run.hashes]), np.concatenate([last.rows, run.rows])
            )
        self._runs.append(run)

    def candidates(self, hashes: HashArray) -> Iterator[tuple[int, int]]:
        """Yield (number in ``hashes``, row) for every row with an equal hash."""
        for run in self._runs:
            yield from run.candidates(hashes)

    def table(self) -> IdTable:
        """Return everything in one table."""
        return _sorted_table(
            np.concatenate([run.hashes for run in self._runs]),
            np.concatenate([run.rows for run in self._runs]),
        )


def _sorted_table(hashes: HashArray, rows: IntArray) -> IdTable:
    order = np.lexsort((rows, hashes))
    return IdTable(hashes[order], rows[order])


def map_array(path: Path, rows: int, dtype: np.dtype[Number]) -> npt.NDArray[Number]:
    """Map a one-dimensional ``.npy`` file read-only.

    Raises:
        CorpusIndexError: it holds something other than ``rows`` numbers of ``dtype``.
    """
    try:
        array = read_array(path)
    except ValueError as error:
        raise CorpusIndexError(
            f"{path} is damaged: {error}; restore or rebuild the index"
        ) from error
    if array.shape != (rows,) or array.dtype != dtype:
        raise CorpusIndexError(
            f"{path} is damaged: it holds {array.dtype} {array.shape} where the manifest says "
            f"{dtype} ({rows},); restore or rebuild the index"
        )
    mapped: npt.NDArray[Number] = array
    return mapped
