"""The only reader of text and table files: typed errors name the file, the line and the value.

Every format is read as a stream of records, so that a caller with a large corpus never has to
hold the whole file. Values are never guessed: a cell of a CSV or TSV file stays the text it is,
a value of JSON or Parquet keeps its own type.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from encoders.errors import DataError

Record = dict[str, Any]

_STANDARD_INPUT = "-"


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table file whole; its suffix says the format.

    Formats: ``.csv`` (standard quoting), ``.tsv`` (no quoting: a ``"`` is text), ``.jsonl``,
    ``.json`` (a list of objects), each also with ``.gz``, and ``.parquet``. The first line of
    CSV and TSV names the columns. Text is UTF-8, with or without a byte order mark. Blank lines
    of CSV, TSV and JSONL are skipped.

    Returns:
        One row a record, all columns of dtype object. Cells of CSV and TSV are str; values of
        JSON and Parquet keep their types, nested ones as dict and list. An empty cell, a null and
        an absent key are missing (None or NaN).

    Raises:
        DataError: the file is missing, a folder, empty, of unknown format, damaged or not UTF-8,
            or a line of it has the wrong number of cells or is no valid JSON.
    """
    records = list(_records(Path(path)))
    if not records:
        raise DataError(f"{path} holds no rows: a table needs at least one row of data")
    return pd.DataFrame(records, dtype=object)


def read_lines(path: str | Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text file without their line ends, blank ones included.

    Args:
        path: a text file, also with ``.gz``; "-" is standard input.

    Raises:
        DataError: the file is missing, a folder, empty, damaged or not UTF-8. It is raised when
            the line concerned is asked for.
    """
    line = None
    for line in _lines(path):
        yield line.rstrip("\r\n")
    if line is None:
        name = "standard input" if str(path) == _STANDARD_INPUT else path
        raise DataError(f"{name} is empty: it needs at least one line")


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path} is no gzip file or is damaged ({error}); fetch or compress it again"
        ) from error
    except pa.ArrowException as error:
        raise _damaged_parquet(path, error) from error
    except OSError as error:
        reason = error.strerror or str(error).partition("\n")[0]
        raise DataError(f"cannot read {path}: {reason}; check the path") from error


def _damaged_parquet(path: str | Path, error: Exception) -> DataError:
    reason = str(error).partition("\n")[0]
    return DataError(f"{path} is no Parquet file or is damaged ({reason}); fetch or write it again")


@contextmanager
def _opened(path: str | Path) -> Iterator[BinaryIO]:
    if str(path) == _STANDARD_INPUT:
        yield sys.stdin.buffer
    elif Path(path).suffix.lower() == ".gz":
        with gzip.open(path) as file:
            yield cast(BinaryIO, file)
    else:
        with Path(path).open("rb") as file:
            yield file


def _lines(path: str | Path) -> Iterator[str]:
    # Bytes are decoded line by line, so that an error can name the line and the offset.
    offset = 0
    with _reading(path), _opened(path) as file:
        for number, line in enumerate(file, 1):
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}: line {number}: byte 0x{line[error.start]:02x} at offset "
                    f"{offset + error.start} is not UTF-8; convert the file to UTF-8, for "
                    "example with: iconv -f cp949 -t utf-8"
                ) from error
            offset += len(line)
            yield text.removeprefix("\ufeff") if number == 1 else text


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(path), strict=True)
    while True:
        # A quoted cell may hold line ends: a row is known by the line it starts on.
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(
                f"{path}: line {number}: {error}; in CSV, a text with a comma or a quote stands in "
                'quotes, and a quote inside it is doubled ("")'
            ) from error
        if cells is None:
            return
        yield number, cells


def _tsv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(_lines(path), 1):
        line = line.rstrip("\r\n")
        yield number, line.split("\t") if line else []


def _cell_records(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Record]:
    filled = ((number, cells) for number, cells in rows if cells)
    _, header = next(filled, (0, []))
    if not header:
        raise DataError(f"{path} is empty: its first line must name the columns")
    columns = [name.strip() for name in header]
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: column {repeated[0]!r} stands twice in the first line; rename it")
    for number, cells in filled:
        if len(cells) != len(columns):
            raise DataError(
                f"{path}: line {number}: {len(cells)} cells where the first line names "
                f"{len(columns)} columns; check its separators and quotes"
            )
        yield {name: cell or None for name, cell in zip(columns, cells, strict=True)}


def _csv_records(path: Path) -> Iterator[Record]:
    yield from _cell_records(path, _csv_rows(path))


def _tsv_records(path: Path) -> Iterator[Record]:
    yield from _cell_records(path, _tsv_rows(path))


def _parse_json(text: str, where: str, first_line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line, place = first_line, ""
        if isinstance(error, json.JSONDecodeError):
            line, place = first_line + error.lineno - 1, f" at column {error.colno}"
        reason = getattr(error, "msg", str(error))
        raise DataError(
            f"{where}: line {line}: no valid JSON{place} ({reason}); correct the line"
        ) from error


def _json_line_records(path: Path) -> Iterator[Record]:
    for number, line in enumerate(_lines(path), 1):
        if line.strip():
            # Without its line end, so that an error is not placed on the next line.
            record = _parse_json(line.rstrip("\r\n"), str(path), number)
            if not isinstance(record, dict):
                raise DataError(
                    f"{path}: line {number}: {line.strip()[:40]!r} is no object; a JSONL file "
                    'holds one object a line, such as {"sentence1": "...", ...}'
                )
            yield record


def _json_records(path: Path) -> Iterator[Record]:
    text = "".join(_lines(path))
    if not text.strip():
        raise DataError(f"{path} is empty: it must hold a list of objects")
    records = _parse_json(text, str(path), 1)
    if not isinstance(records, list):
        raise DataError(
            f"{path} holds one {type(records).__name__}, not a list of objects; "
            "for one object a line use the suffix .jsonl"
        )
    for row, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise DataError(f"{path}: row {row}: {str(record)[:40]!r} is no object; correct it")
        yield record


def _parquet_records(path: Path) -> Iterator[Record]:
    with _reading(path), path.open("rb") as opened, pq.ParquetFile(opened) as file:
        try:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
        except UnicodeDecodeError as error:
            raise _damaged_parquet(path, error) from error


_FORMATS: dict[str, Callable[[Path], Iterator[Record]]] = {
    ".csv": _csv_records,
    ".tsv": _tsv_records,
    ".jsonl": _json_line_records,
    ".json": _json_records,
    ".parquet": _parquet_records,
}


def _records(path: Path) -> Iterator[Record]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if compressed else suffixes[-1:])
    if suffix not in _FORMATS or (compressed and suffix == ".parquet"):
        raise DataError(
            f"{path}: unknown table format; known are {', '.join(_FORMATS)}, "
            "each but .parquet also with .gz"
        )
    return _FORMATS[suffix](path)
