"""The formats of text and table files, each read as a stream of rows in bounded memory.

Only ``.json``, one list, is held whole. `encoders.tables` is the door to all of this.
"""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from kosim.encoders.errors import DataError

Record = dict[str, Any]
Format = Literal["text", "csv", "tsv", "jsonl", "json", "parquet"]

STANDARD_INPUT = "-"
_LONGEST_LINE = 1 << 26
_ROWS_AT_A_TIME = 8_192


class Row(NamedTuple):
    """One row of a file: ``where`` it stands, such as ``line 3``, and its values by column.

    A row that cannot be read has the ``error`` that says why instead of values.
    """

    where: str
    record: Record
    error: DataError | None = None


def source_name(path: str | Path) -> str:
    """Return what a message calls the file."""
    return "standard input" if str(path) == STANDARD_INPUT else str(path)


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    name = source_name(path)
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{name} is no gzip file or is damaged ({error}); fetch or compress it again"
        ) from error
    except pa.ArrowException as error:
        raise _damaged_parquet(name, error) from error
    except OSError as error:
        reason = error.strerror or str(error).partition("\n")[0]
        raise DataError(f"cannot read {name}: {reason}; check the path") from error


def _damaged_parquet(name: str, error: Exception) -> DataError:
    reason = str(error).partition("\n")[0]
    return DataError(f"{name} is no Parquet file or is damaged ({reason}); fetch or write it again")


def _is_compressed(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".gz"


@contextmanager
def _opened(path: str | Path) -> Iterator[BinaryIO]:
    if str(path) == STANDARD_INPUT:
        yield sys.stdin.buffer
    elif _is_compressed(path):
        with gzip.open(path) as file:
            yield cast(BinaryIO, file)
    else:
        with Path(path).open("rb") as file:
            yield file


@contextmanager
def _seekable(path: str | Path) -> Iterator[BinaryIO]:
    # Parquet is read from its end: what can only be read forwards is copied to the disk first.
    with _opened(path) as file:
        if str(path) != STANDARD_INPUT and not _is_compressed(path):
            yield file
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            yield cast(BinaryIO, copy)


class Lines:
    """The lines of a UTF-8 file with their line ends, without a byte order mark.

    A line that is not UTF-8 is yielded too, its foreign bytes as surrogates; what is wrong with
    it waits in `take_error`, so that the reader decides whether one bad line ends everything.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._name = source_name(path)
        self._error: DataError | None = None

    def take_error(self) -> DataError | None:
        """Return the error of the lines read since the last call, or None."""
        error, self._error = self._error, None
        return error

    def __iter__(self) -> Iterator[str]:
        # Bytes are decoded line by line, so that an error can name the line and the offset.
        offset = number = 0
        with _reading(self._path), _opened(self._path) as file:
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
                    raise DataError(
                        f"{self._name}: line {number} is longer than {_LONGEST_LINE >> 20} MiB; "
                        "give a text file with line ends"
                    )
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError as error:
                    self._error = DataError(
                        f"{self._name}: line {number}: byte 0x{line[error.start]:02x} at offset "
                        f"{offset + error.start} is not UTF-8; convert the file to UTF-8, for "
                        "example with: iconv -f cp949 -t utf-8"
                    )
                    text = line.decode("utf-8", "surrogateescape")
                offset += len(line)
                yield text.removeprefix("\ufeff") if number == 1 else text


def _text_rows(path: str | Path) -> Iterator[Row]:
    lines = Lines(path)
    for number, line in enumerate(lines, 1):
        yield Row(f"line {number}", {"text": line.rstrip("\r\n")}, lines.take_error())


_Cells = Iterator[tuple[int, list[str], DataError | None]]


def _csv_cells(path: str | Path) -> _Cells:
    lines = Lines(path)
    reader = csv.reader(lines, strict=True)
    while True:
        # A quoted cell may hold line ends: a row is known by the line it starts on.
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            refused = DataError(
                f"{source_name(path)}: line {number}: {error}; in CSV, a text with a comma or a "
                'quote stands in quotes, and a quote inside it is doubled ("")'
            )
            if reader.line_num > number:
                # An open quote swallowed lines: nobody can tell where the next row starts.
                raise refused from error
            yield number, [], lines.take_error() or refused
            continue
        if cells is None:
            return
        yield number, cells, lines.take_error()


def _tsv_cells(path: str | Path) -> _Cells:
    lines = Lines(path)
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        yield number, line.split("\t") if line else [], lines.take_error()


def _cell_rows(path: str | Path, rows: _Cells) -> Iterator[Row]:
    name = source_name(path)
    filled = (row for row in rows if row[1] or row[2])
    _, header, error = next(filled, (0, [], None))
    if error:
        raise error
    if not header:
        raise DataError(f"{name} is empty: its first line must name the columns")
    columns = [column.strip() for column in header]
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise DataError(f"{name}: column {repeated[0]!r} stands twice in the first line; rename it")
    for number, cells, error in filled:
        if error is None and len(cells) != len(columns):
            error = DataError(
                f"{name}: line {number}: {len(cells)} cells where the first line names "
                f"{len(columns)} columns; check its separators and quotes"
            )
        record = {} if error else dict(zip(columns, (cell or None for cell in cells), strict=True))
        yield Row(f"line {number}", record, error)


def _csv_rows(path: str | Path) -> Iterator[Row]:
    return _cell_rows(path, _csv_cells(path))


def _tsv_rows(path: str | Path) -> Iterator[Row]:
    return _cell_rows(path, _tsv_cells(path))


def _parse_json(text: str, name: str, first_line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line, place = first_line, ""
        if isinstance(error, json.JSONDecodeError):
            line, place = first_line + error.lineno - 1, f" at column {error.colno}"
        reason = getattr(error, "msg", str(error))
        raise DataError(
            f"{name}: line {line}: no valid JSON{place} ({reason}); correct the line"
        ) from error


def _json_line(line: str, name: str, number: int) -> Record:
    # Without its line end, so that an error is not placed on the next line.
    record = _parse_json(line.rstrip("\r\n"), name, number)
    if not isinstance(record, dict):
        raise DataError(
            f"{name}: line {number}: {line.strip()[:40]!r} is no object; a JSONL file "
            'holds one object a line, such as {"sentence1": "...", ...}'
        )
    return record


def _json_line_rows(path: str | Path) -> Iterator[Row]:
    lines = Lines(path)
    for number, line in enumerate(lines, 1):
        record: Record = {}
        error = lines.take_error()
        if error is None and line.strip():
            try:
                record = _json_line(line, source_name(path), number)
            except DataError as refused:
                error = refused
        if error or line.strip():
            yield Row(f"line {number}", record, error)


def _json_rows(path: str | Path) -> Iterator[Row]:
    name, lines = source_name(path), Lines(path)
    text = "".join(lines)
    if error := lines.take_error():
        raise error
    if not text.strip():
        raise DataError(f"{name} is empty: it must hold a list of objects")
    records = _parse_json(text, name, 1)
    if not isinstance(records, list):
        raise DataError(
            f"{name} holds one {type(records).__name__}, not a list of objects; "
            "for one object a line use the suffix .jsonl"
        )
    for number, record in enumerate(records, 1):
        if isinstance(record, dict):
            yield Row(f"row {number}", record)
        else:
            said = f"{name}: row {number}: {str(record)[:40]!r} is no object; correct it"
            yield Row(f"row {number}", {}, DataError(said))


def _parquet_rows(path: str | Path) -> Iterator[Row]:
    number = 0
    with _reading(path), _seekable(path) as opened, pq.ParquetFile(opened) as file:
        try:
            for batch in file.iter_batches(batch_size=_ROWS_AT_A_TIME):
                for record in batch.to_pylist():
                    number += 1
                    yield Row(f"row {number}", record)
        except UnicodeDecodeError as error:
            raise _damaged_parquet(source_name(path), error) from error


FORMATS: dict[Format, Callable[[str | Path], Iterator[Row]]] = {
    "text": _text_rows,
    "csv": _csv_rows,
    "tsv": _tsv_rows,
    "jsonl": _json_line_rows,
    "json": _json_rows,
    "parquet": _parquet_rows,
}
"""A reader for each format; all but ``text`` are tables, with the suffix of their name."""
