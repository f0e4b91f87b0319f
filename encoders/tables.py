"""The only reader of text and table files: typed errors name the file, the line and the value.

Every format is read as a stream of rows, so that a caller with a large corpus never has to
hold the whole file. A cell of CSV, TSV or Excel stays the text it is, a value of JSON, Parquet or
Arrow keeps its own type. What a file does not state but shows (its format, its encoding, that it
has no line of names) is recognised where it is certain, and said in a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from uuid import UUID

from kosim.encoders.errors import ConfigError, DataError, printable
from kosim.encoders.table_formats.cells import csv_rows, tsv_rows
from kosim.encoders.table_formats.excel import excel_rows
from kosim.encoders.table_formats.json_rows import json_line_rows, json_rows
from kosim.encoders.table_formats.lines import Lines, check_encoding, text_rows
from kosim.encoders.table_formats.recognition import (
    is_saved_dataset,
    recognised_format,
    suffix_format,
)
from kosim.encoders.table_formats.rows import (
    MOST_COLUMNS,
    Format,
    Notice,
    ReadingOptions,
    Record,
    Row,
    log_notice,
)
from kosim.encoders.table_formats.source import (
    STANDARD_INPUT,
    Source,
    is_rereadable,
    open_source,
    source_name,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LARGEST_TABLE",
    "STANDARD_INPUT",
    "Format",
    "Notice",
    "Record",
    "Row",
    "id_text",
    "is_rereadable",
    "is_saved_dataset",
    "log_notice",
    "printable",
    "read_lines",
    "read_records",
    "read_table",
    "source_name",
    "suffix_format",
]

LARGEST_TABLE = 1 << 31
"""Bytes of the largest table that `read_table` holds in memory."""


def id_text(value: object) -> str | None:
    """Return an id of a table as text, or None where the value is none.

    Text stays as it is. A whole number is written without ``.0``, which it gets in a column that
    lacks some; a UUID and a date are written in their usual form.
    """
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool):
        return None
    if isinstance(value, float | Decimal):
        number = Decimal(value)
        if not number.is_finite() or abs(number) >= 1 << 53 or number != int(number):
            return None
        return str(int(number))
    if isinstance(value, datetime) and value.time() == time() and value.tzinfo is None:
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int | UUID) else None


def _parquet_rows(source: Source, options: ReadingOptions) -> Iterator[Row]:
    from kosim.encoders.table_formats.columnar import parquet_rows  # takes long to import

    return parquet_rows(source, options)


def _arrow_rows(source: Source, options: ReadingOptions) -> Iterator[Row]:
    from kosim.encoders.table_formats.columnar import arrow_rows

    return arrow_rows(source, options)


_READERS: dict[Format, Callable[[Source, ReadingOptions], Iterator[Row]]] = {
    "text": text_rows,
    "csv": csv_rows,
    "tsv": tsv_rows,
    "jsonl": json_line_rows,
    "json": json_rows,
    "parquet": _parquet_rows,
    "arrow": _arrow_rows,
    "xlsx": excel_rows,
}


def read_table(
    path: str | Path,
    *,
    format: Format | None = None,
    encoding: str | None = None,
    columns: Sequence[str] = (),
    notice: Notice = log_notice,
) -> pd.DataFrame:
    """Read a table file whole; its suffix, or what it holds, says the format.

    Formats: ``.csv`` (standard quoting), ``.tsv`` (no quoting: a ``"`` is text), ``.jsonl`` and
    ``.ndjson``, ``.json`` (a list of objects, or one object a line), ``.parquet``, ``.arrow`` and
    ``.feather``, ``.xlsx`` (its first sheet), each also with ``.gz``, and a folder that Hugging
    Face's ``save_to_disk`` wrote. The first line of CSV, TSV and Excel names the columns; where it
    is data, they are called by their numbers, ``1`` to ``n``. Blank lines, and rows whose cells
    are all empty, are skipped.

    Args:
        path: the file; "-" is standard input.
        format: the format, where the suffix does not say it.
        encoding: of a text file; by default what its byte order mark says, else UTF-8, else, where
            it is Korean text of Windows, cp949.
        columns: names or numbers of columns that will be looked for.
        notice: called with a sentence about everything that was recognised.

    Returns:
        One row a record, all columns of dtype object. Cells of CSV, TSV and Excel are str; values
        of JSON, Parquet and Arrow keep their types, nested ones as dict and list. An empty cell, a
        null and an absent key are missing (None or NaN).

    Raises:
        ConfigError: the format or the encoding is unknown.
        DataError: the file is missing, a folder, empty, of unknown format, damaged, in another
            encoding, larger than `LARGEST_TABLE` or wider than `MOST_COLUMNS`, or a line of it
            has the wrong number of cells or is no valid JSON.
        MissingExtraError: an Excel file is read, and openpyxl is not installed.
    """
    options = _options(format, encoding, columns, notice)
    records: list[Record] = []
    names: set[str] = set()
    for row in _rows(path, format, options, largest=LARGEST_TABLE):
        if row.error:
            raise row.error
        records.append(row.record)
        names.update(row.record)
        if len(names) > MOST_COLUMNS:
            raise DataError(
                f"{source_name(path)}: {row.where}: over {MOST_COLUMNS:,} columns until here, the "
                "limit; keep only the columns that are needed"
            )
    if not records:
        raise DataError(
            f"{source_name(path)} holds no rows: a table needs at least one row of data"
        )
    import pandas as pd  # takes as long as all else here, and rows alone need it not

    return pd.DataFrame(records, dtype=object)


def read_records(
    path: str | Path,
    *,
    format: Format | None = None,
    otherwise: Format | None = None,
    encoding: str | None = None,
    columns: Sequence[str] = (),
    notice: Notice = log_notice,
) -> Iterator[Row]:
    """Yield the rows of a file one after the other; only ``json`` is held in memory whole.

    Args:
        path: a file, as for `read_table`, or any text file.
        format: a format of `read_table`, or ``text``, where every line, blank ones included, is
            a row with the one column ``text``; by default what the suffix or the bytes say.
        otherwise: the format of a file of which neither says it; by default it is refused.
        encoding: as for `read_table`.
        columns: likewise.
        notice: likewise.

    Returns:
        The rows in order. One that cannot be read (another encoding, the wrong number of cells,
        no valid JSON) comes with its error, and the rows after it follow.

    Raises:
        ConfigError: the format or the encoding is unknown.
        DataError: when a row is asked for: the format is not given and not recognised, or the
            file is missing, a folder, without any line, damaged, too wide, or has a quote that is
            never closed.
        MissingExtraError: an Excel file is read, and openpyxl is not installed.
    """
    options = _options(format, encoding, columns, notice)
    return _rows(path, format, options, otherwise=otherwise)


def read_lines(path: str | Path, *, encoding: str | None = None) -> Iterator[str]:
    """Yield the lines of a text file without their line ends, blank ones included.

    Args:
        path: a text file, also with ``.gz``; "-" is standard input.
        encoding: as for `read_table`.

    Raises:
        ConfigError: the encoding is unknown.
        DataError: the file is missing, a folder, empty, damaged or in another encoding. It is
            raised when the line concerned is asked for.
    """
    options = _options(None, encoding, (), log_notice)
    line = None
    with open_source(path) as source:
        lines = Lines(source, options)
        for line in lines:
            if error := lines.take_error():
                raise error
            yield line.rstrip("\r\n")
    if line is None:
        raise DataError(f"{source_name(path)} is empty: it needs at least one line")


def _options(
    format: Format | None, encoding: str | None, columns: Sequence[str], notice: Notice
) -> ReadingOptions:
    if format is not None and format not in _READERS:
        raise ConfigError(
            f"format {format!r} is unknown; choose from {', '.join(get_args(Format))}"
        )
    return ReadingOptions(
        encoding=None if encoding is None else check_encoding(encoding),
        wanted=tuple(columns),
        notice=notice,
    )


def _rows(
    path: str | Path,
    format: Format | None,
    options: ReadingOptions,
    *,
    otherwise: Format | None = None,
    largest: int | None = None,
) -> Iterator[Row]:
    if str(path) != STANDARD_INPUT and is_saved_dataset(path):
        from kosim.encoders.table_formats.columnar import saved_dataset_rows

        yield from saved_dataset_rows(path, largest=largest)
        return
    with open_source(path, largest=largest) as source:
        chosen = format or recognised_format(path, source, options, otherwise=otherwise)
        yield from _READERS[chosen](source, options)
