"""Tables stored by column: Parquet, Arrow, and the folders of Hugging Face's ``save_to_disk``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kosim.encoders.errors import DataError, printable
from kosim.encoders.table_formats.recognition import SPLITS, STATE
from kosim.encoders.table_formats.rows import ReadingOptions, Row, check_columns
from kosim.encoders.table_formats.source import Source, open_source, reading, source_name

LARGEST_COLUMN_CHUNK = 1 << 31
"""Bytes that one column of one row group of a Parquet file may unpack to."""

_ROWS_AT_A_TIME = 8_192
_BYTES_AT_A_TIME = 1 << 28


def parquet_rows(source: Source, options: ReadingOptions) -> Iterator[Row]:
    """Yield the rows of a Parquet file."""
    with source.seekable() as opened, _sound(source.name, "Parquet"):
        # A small file can repeat a large text: it stays one text until its row is asked for.
        with pq.ParquetFile(opened) as file:
            strings = _text_columns(file.schema_arrow)
            _check_parquet(source.name, file)
        opened.seek(0)
        with pq.ParquetFile(opened, read_dictionary=strings) as file:
            yield from _batch_rows(source, file.iter_batches(batch_size=_ROWS_AT_A_TIME), 0)


def arrow_rows(source: Source, options: ReadingOptions) -> Iterator[Row]:
    """Yield the rows of an Arrow file, of the kind with a footer or of the kind that streams."""
    with source.seekable() as opened, _sound(source.name, "Arrow"):
        yield from _arrow_rows(source, opened, 0)


def saved_dataset_rows(path: str | Path, *, largest: int | None) -> Iterator[Row]:
    """Yield the rows of a folder that Hugging Face's ``save_to_disk`` wrote.

    Raises:
        DataError: it holds several splits, or is damaged.
    """
    folder = Path(path)
    number = 0
    for file in _data_files(folder):
        with (
            open_source(file, largest=largest) as source,
            source.seekable() as opened,
            _sound(source.name, "Arrow"),
        ):
            for row in _arrow_rows(source, opened, number):
                yield row
                number += 1


def _data_files(folder: Path) -> list[Path]:
    name = source_name(folder)
    if (folder / SPLITS).is_file():
        splits = _described(folder / SPLITS, "splits")
        if len(splits) != 1:
            found = ", ".join(source_name(folder / split) for split in splits)
            raise DataError(f"{name} holds several splits; give one of them: {found or 'none'}")
        folder = folder / splits[0]
    files = _described(folder / STATE, "_data_files")
    if not files:
        raise DataError(f"{name} holds no rows: a table needs at least one row of data")
    return [folder / file for file in files]


def _described(path: Path, key: str) -> list[str]:
    """Return the names of files or folders that a description lists."""
    name = source_name(path)
    with reading(name):
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        found = [one["filename"] if isinstance(one, dict) else one for one in json.loads(text)[key]]
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise DataError(f"{name} is damaged ({type(error).__name__}); save it again") from error
    for one in found:
        if not isinstance(one, str) or Path(one).name != one:
            raise DataError(
                f"{name}: {printable(repr(one)[:60])} is not a file name; save it again"
            )
    return found


def _arrow_rows(source: Source, opened: Any, number: int) -> Iterator[Row]:
    stream = not source.head.startswith(b"ARROW1")
    reader = pa.ipc.open_stream(opened) if stream else pa.ipc.open_file(opened)
    check_columns(source.name, len(reader.schema.names))
    batches = (
        iter(reader)
        if stream
        else (reader.get_batch(each) for each in range(reader.num_record_batches))
    )
    yield from _batch_rows(source, batches, number)


def _check_parquet(name: str, file: pq.ParquetFile) -> None:
    check_columns(name, len(file.schema_arrow.names))
    metadata = file.metadata
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            size = metadata.row_group(group).column(column).total_uncompressed_size
            if size > LARGEST_COLUMN_CHUNK:
                raise DataError(
                    f"{name}: a column of its row group {group + 1} unpacks to {size:,} bytes; the "
                    f"limit is {LARGEST_COLUMN_CHUNK:,}: write smaller row groups"
                )


def _text_columns(schema: pa.Schema) -> list[str]:
    return [
        field.name
        for field in schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]


def _batch_rows(source: Source, batches: Iterator[pa.RecordBatch], number: int) -> Iterator[Row]:
    for batch in batches:
        batch.validate(full=True)
        if repeated := {one for one in batch.schema.names if batch.schema.names.count(one) > 1}:
            raise DataError(
                f"{source.name}: column {printable(min(repeated))!r} appears twice; rename it"
            )
        for part in _parts(batch):
            source.take(_size(part))
            for record in part.to_pylist():
                number += 1
                yield Row(f"row {number}", record)


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch so that none of its parts takes much memory once its texts are repeated."""
    if batch.num_rows > 1 and _size(batch) > _BYTES_AT_A_TIME:
        middle = batch.num_rows // 2
        yield from _parts(batch.slice(0, middle))
        yield from _parts(batch.slice(middle))
    else:
        yield batch


def _size(batch: pa.RecordBatch) -> int:
    """Return the bytes that the values of a batch take, every repeated text counted each time."""
    size = 0
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
            size += pc.sum(lengths).as_py() or 0
        else:
            size += column.nbytes
    return size


@contextmanager
def _sound(name: str, kind: str) -> Iterator[None]:
    """Turn what pyarrow says of a damaged file into an error that names it."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, OverflowError, MemoryError) as error:
        reason = printable(str(error).partition("\n")[0])
        article = "an" if kind == "Arrow" else "a"
        raise DataError(
            f"{name} is not {article} {kind} file or is damaged ({reason}); fetch or write "
            f"{article} {kind} file again"
        ) from error
