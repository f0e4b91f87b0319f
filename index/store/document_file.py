"""The documents of a segment: an Arrow IPC file of ids, texts and extra values, memory-mapped."""

from __future__ import annotations

import errno
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from kosim.encoders.durable_file import DurableFile
from kosim.encoders.errors import CorpusIndexError

DOCUMENTS = "documents.arrow"
Column = Literal["id", "text", "extra"]
_COLUMNS: tuple[Column, ...] = ("id", "text", "extra")
# 64-bit offsets: a batch of long lines may pass 2 GiB.
_SCHEMA = pa.schema([(name, pa.large_string()) for name in _COLUMNS])

_BATCH_ROWS = 8192
_BATCH_CHARACTERS = 16_000_000


class DocumentFileWriter:
    """Writes documents in record batches, so that memory holds at most one of them."""

    def __init__(self, path: Path) -> None:
        self._columns: tuple[list[str], ...] = ([], [], [])
        self._characters = 0
        self._written_ids: list[pa.Array] = []
        self._sink = DurableFile(path)
        self._writer = pa.ipc.new_file(self._sink, _SCHEMA)

    def write(self, ids: Sequence[str], texts: Sequence[str], extras: Sequence[str]) -> None:
        """Append documents, given by column."""
        for row in zip(ids, texts, extras, strict=True):
            for column, value in zip(self._columns, row, strict=True):
                column.append(value)
                self._characters += len(value)
            if len(self._columns[0]) >= _BATCH_ROWS or self._characters >= _BATCH_CHARACTERS:
                self._flush()

    def id(self, row: int) -> str:
        """Return the id of a document that was written before."""
        for ids in self._written_ids:
            if row < len(ids):
                return str(ids[row].as_py())
            row -= len(ids)
        return self._columns[0][row]

    def close(self) -> None:
        """Write the last batch and what an Arrow file ends with.

        Raises:
            OSError: not everything is on the disk.
        """
        try:
            self._flush()
            self._writer.close()
        except BaseException:
            self._sink.abandon()
            raise
        self._sink.close()

    def _flush(self) -> None:
        if self._columns[0]:
            arrays = [pa.array(column, pa.large_string()) for column in self._columns]
            self._written_ids.append(arrays[0])
            self._writer.write_batch(pa.record_batch(arrays, schema=_SCHEMA))
            self._columns = ([], [], [])
            self._characters = 0


class DocumentFile:
    """The documents of a segment by row.

    Strings are cut out of the mapped buffers here: slicing in Python stays inside a buffer
    whatever an edited file says, where Arrow would follow a wrong offset out of the file.
    """

    def __init__(self, path: Path, rows: int) -> None:
        """Map a file.

        Raises:
            CorpusIndexError: it is no such Arrow file, or does not hold ``rows`` documents.
        """
        self.path = path
        self._starts = [0]
        self._buffers: dict[str, list[tuple[memoryview, memoryview]]] = {c: [] for c in _COLUMNS}
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            if reader.schema != _SCHEMA:
                raise self._damaged(f"its columns are {reader.schema.names}")
            self._batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
            for batch in self._batches:
                self._add(batch)
        except (pa.ArrowException, ValueError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            if isinstance(error, PermissionError):  # Arrow's message has several lines.
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from error
            raise self._damaged(str(error).partition("\n")[0]) from error
        if self._starts[-1] != rows:
            raise self._damaged(f"it holds {self._starts[-1]} documents, not {rows}")

    def _add(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        for name in _COLUMNS:
            column = batch.column(name)
            column.validate()
            validity, offsets, data = column.buffers()
            if validity is not None or column.offset or offsets is None:
                raise self._damaged(f"column {name} has gaps")
            view = memoryview(b"") if data is None else memoryview(data)
            # Validated to hold these; an edited file may make the buffer longer.
            numbers = memoryview(offsets)[: 8 * (batch.num_rows + 1)].cast("q")
            self._buffers[name].append((numbers, view))
        self._starts.append(self._starts[-1] + batch.num_rows)

    def column(self, name: Column, rows: Sequence[int]) -> list[str]:
        """Return one column of the given rows, each of which must be there.

        Raises:
            CorpusIndexError: a string is damaged.
        """
        starts, buffers = self._starts, self._buffers[name]
        found = []
        batch, first, last = 0, 0, 0
        offsets, data = memoryview(b""), memoryview(b"")
        try:
            for row in rows:
                if not first <= row < last:
                    batch = bisect_right(starts, row) - 1
                    first, last = starts[batch], starts[batch + 1]
                    offsets, data = buffers[batch]
                local = row - first
                found.append(str(data[offsets[local] : offsets[local + 1]], "utf-8"))
        except UnicodeDecodeError as error:
            raise self._damaged(f"column {name} is not UTF-8") from error
        return found

    def batches(self, name: Column) -> Iterator[list[str]]:
        """Yield one column whole, in order, in batches of a streaming size."""
        for first, last in zip(self._starts[:-1], self._starts[1:], strict=True):
            yield self.column(name, range(first, last))

    def verify(self) -> None:
        """Check every offset and every character.

        Raises:
            CorpusIndexError: one is wrong.
        """
        try:
            for batch in self._batches:
                batch.validate(full=True)
        except pa.ArrowException as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, reason: str) -> CorpusIndexError:
        return CorpusIndexError(f"{self.path} is damaged: {reason}; restore or rebuild the index")
