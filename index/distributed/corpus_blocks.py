"""A corpus as Ray Data reads it: a task for each file, a row for each block of documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pyarrow as pa
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from kosim.encoders.errors import KosimError
from kosim.index.corpus import BadLines
from kosim.index.corpus_files import CorpusFiles
from kosim.index.distributed.encoding_job import pack, packed_error
from kosim.index.store.block import Columns


class CorpusBlocks(Datasource):
    """The blocks of a corpus.

    A row is one block of one file: ``file`` and ``number`` name it, ``documents`` holds them. The
    last row of a file holds no documents; its number is how many blocks the file has, and
    ``skipped`` says which lines were left out. A file that cannot be read ends in its ``error``.

    Args:
        source: the files.
        block_size: documents in a block, but in the last one of a file.
    """

    def __init__(self, source: CorpusFiles, block_size: int) -> None:
        super().__init__()
        self._source = source
        self._block_size = block_size

    def estimate_inmemory_data_size(self) -> int | None:
        """Return None: nobody knows before it is read."""
        return None

    def get_read_tasks(self, parallelism: int, *args: Any, **options: Any) -> list[ReadTask]:
        """Return a task for each file, whatever parallelism is asked for."""
        return [
            ReadTask(
                _Reading(self._source, number, self._block_size),
                BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=(path,)),
            )
            for number, path in enumerate(self._source.paths)
        ]


class _Reading:
    """The reading of one file."""

    def __init__(self, source: CorpusFiles, number: int, block_size: int) -> None:
        self.source = source
        self.number = number
        self.block_size = block_size

    def __call__(self) -> Iterator[pa.Table]:
        try:
            yield from self._rows()
        except KosimError as error:
            yield self._row(0, error=packed_error(error))

    def _rows(self) -> Iterator[pa.Table]:
        skipped = BadLines()
        documents = self.source.file(self.number, skipped)
        count = 0
        while some := list(islice(documents, self.block_size)):
            yield self._row(count, documents=pack(Columns.checked(some)))
            count += 1
        yield self._row(count, skipped=json.dumps([skipped.count, skipped.first]))

    def _row(
        self, number: int, *, documents: bytes = b"", skipped: str = "", error: str = ""
    ) -> pa.Table:
        return pa.table(
            {
                "file": pa.array([self.number], pa.int64()),
                "number": pa.array([number], pa.int64()),
                "documents": pa.array([documents], pa.large_binary()),
                "skipped": pa.array([skipped], pa.string()),
                "error": pa.array([error], pa.string()),
            }
        )
