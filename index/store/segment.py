"""An immutable part of an index: vectors, documents and the hashes of their ids, all mapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from kosim.encoders.durable_file import write_array
from kosim.encoders.errors import CorpusIndexError
from kosim.index.store.block import Block, FloatArray
from kosim.index.store.document_file import DOCUMENTS, DocumentFile, DocumentFileWriter
from kosim.index.store.identifiers import (
    HASHES,
    ROWS,
    GrowingIdTable,
    HashArray,
    IdTable,
    IntArray,
    hash_ids,
    map_array,
)
from kosim.index.store.manifest import SEGMENTS, FileEntry, RemovedEntry, SegmentEntry, check_file
from kosim.index.vectors.stored import Ranges, VectorType
from kosim.index.vectors.vector_index import IndexType, VectorIndex, choose_type

_SPOOL = "vectors.spool"

BoolArray = npt.NDArray[np.bool_]


class SegmentWriter:
    """Collects blocks on the disk and makes a segment of them.

    Memory holds a record batch, the ids and 16 bytes a document for their hashes; vectors wait in
    a raw file that `write` gets mapped.
    """

    def __init__(self, folder: Path, dimension: int) -> None:
        folder.mkdir(parents=True)
        self.rows = 0
        self.folder = folder
        self._dimension = dimension
        self._table = GrowingIdTable()
        self._documents = DocumentFileWriter(folder / DOCUMENTS)
        self._spool = (folder / _SPOOL).open("wb")

    def add(self, block: Block, hashes: HashArray) -> None:
        """Append a block and the hashes of its ids."""
        self._documents.write(block.ids, block.texts, block.extras)
        self._spool.write(np.ascontiguousarray(block.vectors, dtype="<f4").data)
        self._table.add(hashes)
        self.rows += len(block)

    def find(self, ids: Sequence[str], hashes: HashArray) -> Iterator[tuple[int, int]]:
        """Yield (number in ``ids``, row) for the ids that were added before."""
        for number, row in self._table.candidates(hashes):
            if self._documents.id(row) == ids[number]:
                yield number, row

    def finish(
        self,
        type: IndexType | Literal["auto"],
        stored: VectorType = "fp32",
        ranges: Ranges | None = None,
    ) -> SegmentEntry:
        """Build the vector index, write everything and return the segment's manifest entry.

        ``ranges`` are those of int8 vectors that may come again.
        """
        self._close()
        spool = self.folder / _SPOOL
        shape = (self.rows, self._dimension)
        vectors = np.memmap(spool, dtype="<f4", mode="r", shape=shape)
        if type == "auto":
            chosen, why = choose_type(self.rows)
        else:
            chosen, why = type, "asked for"
        settings = VectorIndex.write(self.folder, vectors, chosen, stored=stored, ranges=ranges)
        self._table.table().write(self.folder)
        spool.unlink()
        return SegmentEntry(
            name=self.folder.name,
            rows=self.rows,
            type=chosen,
            why=why,
            vectors=stored,
            settings=settings,
            files={name: FileEntry.of(self.folder / name) for name in file_names(chosen, stored)},
        )

    def abandon(self) -> None:
        """Close the files of a segment that is given up, as far as that is possible."""
        with suppress(OSError):
            self._close()

    def _close(self) -> None:
        try:
            self._documents.close()
        finally:
            self._spool.close()


def file_names(type: IndexType, stored: VectorType) -> tuple[str, ...]:
    """Return the names of all files of a segment."""
    return (*VectorIndex.files(type, stored), DOCUMENTS, HASHES, ROWS)


class Segment:
    """An opened segment. ``alive`` is None while no row of it was removed when it was opened."""

    def __init__(self, folder: Path, entry: SegmentEntry, dimension: int) -> None:
        """Open a segment of the index at ``folder``.

        Raises:
            FileNotFoundError: a file is gone: a newer generation may have deleted it.
            CorpusIndexError: a file is damaged.
        """
        self.entry = entry
        self.name, self.rows = entry.name, entry.rows
        self.folder = folder / SEGMENTS / entry.name
        names = file_names(entry.type, entry.vectors)
        if set(entry.files) != set(names):
            raise CorpusIndexError(
                f"the manifest of {folder} lists other files for segment {entry.name} than a "
                f"segment of type {entry.type} with {entry.vectors} vectors has: "
                f"{', '.join(sorted(entry.files))}"
            )
        if self.folder.is_symlink() or self.folder.parent.is_symlink():
            raise CorpusIndexError(f"{self.folder} leads out of the index; restore the index")
        for name in names:
            check_file(self.folder / name, entry.files[name])
        self.vector_index = VectorIndex.open(
            self.folder,
            type=entry.type,
            rows=entry.rows,
            dimension=dimension,
            settings=entry.settings,
            stored=entry.vectors,
        )
        self.documents = DocumentFile(self.folder / DOCUMENTS, entry.rows)
        self._table = IdTable.open(self.folder, entry.rows)
        self.alive = _alive(folder, entry)

    def find(self, ids: Sequence[str], hashes: HashArray) -> Iterator[tuple[int, int]]:
        """Yield (number in ``ids``, row) for the ids that are here, removed or not.

        Raises:
            CorpusIndexError: the table of hashes is damaged.
        """
        for number, row in self._table.candidates(hashes):
            if not 0 <= row < self.rows:
                raise CorpusIndexError(
                    f"{self.folder / ROWS} is damaged: it names row {row} of {self.rows}; "
                    "restore or rebuild the index"
                )
            if self.documents.column("id", (row,))[0] == ids[number]:
                yield number, row

    def block(self, rows: IntArray) -> Block:
        """Return some documents with their vectors, which can be written again without loss."""
        chosen = rows.tolist()
        return Block(
            self.documents.column("id", chosen),
            self.documents.column("text", chosen),
            self.documents.column("extra", chosen),
            self.vector_index.decoded(rows),
        )

    def vectors(self, rows: IntArray) -> FloatArray:
        """Return copies of the vectors of some rows: (m, dimension)."""
        return self.vector_index.vectors(rows)

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the segment's files, each named."""
        sound = True
        for name, expected in self.entry.files.items():
            if FileEntry.of(self.folder / name) != expected:
                sound = False
                yield f"{self.folder / name} was changed after it was written"
        removed = self.entry.removed
        if removed:
            path = self.folder.parents[1] / removed.name
            if FileEntry.of(path) != removed.file:
                yield f"{path} was changed after it was written"
        if sound:
            yield from self._inner_problems()

    def _inner_problems(self) -> Iterator[str]:
        try:
            self.documents.verify()
        except CorpusIndexError as error:
            yield str(error)
            return
        table = GrowingIdTable()
        for ids in self.documents.batches("id"):
            table.add(hash_ids(ids))
        expected = table.table()
        if not (
            np.array_equal(expected.hashes, self._table.hashes)
            and np.array_equal(expected.rows, self._table.rows)
        ):
            yield f"{self.folder / HASHES} or {ROWS} does not fit the ids in {DOCUMENTS}"


def _alive(folder: Path, entry: SegmentEntry) -> BoolArray | None:
    if entry.removed is None:
        return None
    path = folder / entry.removed.name
    check_file(path, entry.removed.file)
    rows = map_array(path, entry.removed.rows, np.dtype(np.int64))
    if rows[0] < 0 or rows[-1] >= entry.rows or np.any(np.diff(rows) <= 0):
        raise CorpusIndexError(f"{path} is damaged: its rows are not ascending or not there")
    alive = np.ones(entry.rows, dtype=np.bool_)
    alive[rows] = False
    # A vector index prepares a mask for many searches only if it cannot change.
    alive.setflags(write=False)
    return alive


def write_removed(path: Path, alive: BoolArray) -> RemovedEntry:
    """Write the removed rows of a segment to a file of the index."""
    rows = np.flatnonzero(~alive).astype(np.int64)
    write_array(path, rows)
    return RemovedEntry(name=path.name, rows=len(rows), file=FileEntry.of(path))
