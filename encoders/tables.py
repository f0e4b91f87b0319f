"""The only reader of text and table files: typed errors name the file, the line and the value.

Every format is read as a stream of rows, so that a caller with a large corpus never has to
hold the whole file. Values are never guessed: a cell of a CSV or TSV file stays the text it is,
a value of JSON or Parquet keeps its own type.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.table_formats import FORMATS, Format, Lines, Record, Row, source_name

__all__ = ["Format", "Record", "Row", "read_lines", "read_records", "read_table", "table_format"]


def table_format(path: str | Path) -> Format | None:
    """Return the format that the suffix of a table file says, with or without ``.gz``, or None."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    compressed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if compressed else suffixes[-1:])
    tables = {f".{name}": name for name in FORMATS if name != "text"}
    return tables.get(suffix)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table file whole; its suffix says the format.

    Formats: ``.csv`` (standard quoting), ``.tsv`` (no quoting: a ``"`` is text), ``.jsonl``,
    ``.json`` (a list of objects) and ``.parquet``, each also with ``.gz``. The first line of
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
    records = []
    for row in read_records(path):
        if row.error:
            raise row.error
        records.append(row.record)
    if not records:
        raise DataError(f"{path} holds no rows: a table needs at least one row of data")
    return pd.DataFrame(records, dtype=object)


def read_records(path: str | Path, *, format: Format | None = None) -> Iterator[Row]:
    """Yield the rows of a file one after the other; only ``json`` is held in memory whole.

    Args:
        path: a file, also with ``.gz``; "-" is standard input, whose format must be said.
        format: a format of `read_table`, or ``text``, where every line, blank ones included, is
            a row with the one column ``text``; by default what the suffix says.

    Returns:
        The rows in order. One that cannot be read (not UTF-8, the wrong number of cells, no
        valid JSON) comes with its error, and the rows after it follow.

    Raises:
        ConfigError: the format is unknown.
        DataError: the format is not given and not told by the suffix; when a row is asked for,
            the file is missing, a folder, without header, damaged, or has a quote that is
            never closed.
    """
    if format is not None and format not in FORMATS:
        raise ConfigError(f"format {format!r} is unknown; choose from {', '.join(FORMATS)}")
    chosen = format or table_format(path)
    if chosen is None:
        known = ", ".join(f".{name}" for name in FORMATS if name != "text")
        raise DataError(
            f"{source_name(path)}: unknown table format; known are {known}, each also with .gz"
        )
    return FORMATS[chosen](path)


def read_lines(path: str | Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text file without their line ends, blank ones included.

    Args:
        path: a text file, also with ``.gz``; "-" is standard input.

    Raises:
        DataError: the file is missing, a folder, empty, damaged or not UTF-8. It is raised when
            the line concerned is asked for.
    """
    line = None
    lines = Lines(path)
    for line in lines:
        if error := lines.take_error():
            raise error
        yield line.rstrip("\r\n")
    if line is None:
        raise DataError(f"{source_name(path)} is empty: it needs at least one line")
