"""Which format a file has: what its bytes say for certain, its suffix, and what it looks like."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from itertools import islice
from pathlib import Path

from kosim.encoders.column_names import KNOWN, comparable_name
from kosim.encoders.errors import DataError
from kosim.encoders.table_formats.lines import decoded_head, marked_encoding
from kosim.encoders.table_formats.rows import Format, ReadingOptions
from kosim.encoders.table_formats.source import HEAD, Source

STATE, SPLITS = "state.json", "dataset_dict.json"
"""Files of a folder that Hugging Face's ``save_to_disk`` wrote."""

SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonlines": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
"""The format that a suffix says; each may be followed by ``.gz``."""

_ZIP = b"PK\x03\x04"
_CERTAIN: tuple[tuple[bytes, Format], ...] = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"))
_FOREIGN = {
    b"BZh": "is compressed by bzip2; unpack it, or compress it by gzip",
    b"\xfd7zXZ": "is compressed by xz; unpack it, or compress it by gzip",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it, or compress it by gzip",
    b"\xd0\xcf\x11\xe0": "is an old Excel file (.xls) or another Office file; save it as .xlsx",
    b"%PDF": "is a PDF; give a table or a text file",
    _ZIP: "is a ZIP archive and no Excel file; unpack it",
}
_SEPARATED: dict[str, Format] = {"\t": "tsv", ",": "csv"}
_LIST_OF_OBJECTS = re.compile(r"\[\s*\{")
_LOOKED_AT = 20


def suffix_format(path: str | Path) -> Format | None:
    """Return the format that the suffix of a table file says, with or without ``.gz``, or None."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def recognised_format(
    path: str | Path, source: Source, options: ReadingOptions, *, otherwise: Format | None
) -> Format:
    """Return the format of an open file.

    Bytes that only one format begins with win over the suffix. A file whose suffix says nothing
    is looked at: lines of JSON, a list in JSON, and cells under names of columns are recognised.

    Args:
        path: the file.
        source: the same, open.
        options: how it is read.
        otherwise: the format of a file that looks like none of these. None: cells that are equal
            in number on every line count as a table too, and anything else is refused.

    Raises:
        DataError: the format is unknown, or is one that cannot be read.
    """
    stated = suffix_format(path)
    certain = _certain_format(source, stated)
    if certain and certain != stated:
        options.notice(f"{source.name} is {certain} by what it holds and was read so")
    if certain or stated:
        return certain or stated or "text"
    text = decoded_head(source.head, options.encoding)
    if len(source.head) >= HEAD:
        text = text[: text.rfind("\n") + 1] or text  # the last line may be cut off
    seen = _seen_format(text, options, header_needed=otherwise is not None)
    if seen:
        options.notice(f"{source.name} holds {seen} and was read so; name its format if it is not")
        return seen
    _check_is_text(source)
    if otherwise is None:
        raise DataError(
            f"{source.name}: unknown table format; known are {', '.join(SUFFIXES)}, each also "
            "with .gz: name the format of the file"
        )
    return otherwise


def _certain_format(source: Source, stated: Format | None) -> Format | None:
    head = source.head
    for magic, format in _CERTAIN:
        if head.startswith(magic):
            return format
    if head.startswith(_ZIP) and _is_workbook(source):
        return "xlsx"
    if stated == "jsonl" and _LIST_OF_OBJECTS.match(decoded_head(head, None).lstrip()):
        return "json"
    if stated in (None, "csv", "tsv", "jsonl", "json", "xlsx"):
        for magic, reason in _FOREIGN.items():
            if head.startswith(magic):
                raise DataError(f"{source.name} {reason}")
    return None


def _is_workbook(source: Source) -> bool:
    if b"xl/" in source.head or b"[Content_Types].xml" in source.head:
        return True
    if not source.file.seekable():
        return False
    try:
        with zipfile.ZipFile(source.file) as parts:
            return any(name.startswith("xl/") for name in parts.namelist())
    except zipfile.BadZipFile:
        return False
    finally:
        source.file.seek(0)


def _seen_format(text: str, options: ReadingOptions, *, header_needed: bool) -> Format | None:
    """Return the format that the beginning of a file looks like, or None."""
    begin = text.lstrip()
    if _LIST_OF_OBJECTS.match(begin):
        return "json"
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return None
    if all(_is_object(line) for line in lines[:_LOOKED_AT]):
        return "jsonl"
    if begin.startswith("{") and _is_object(begin):
        return "json"
    known = KNOWN | {comparable_name(name) for name in options.wanted}
    for separator, format in _SEPARATED.items():
        rows = _rows(lines, separator)
        width = len(rows[0])
        named = width > 1 and not known.isdisjoint(map(comparable_name, rows[0]))
        enough = named if header_needed else named or width > 2
        if enough and all(len(row) == width for row in rows):
            return format
    return None


def _rows(lines: list[str], separator: str) -> list[list[str]]:
    try:
        return list(islice(csv.reader(lines, delimiter=separator), _LOOKED_AT))
    except csv.Error:
        return [[]]


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _check_is_text(source: Source) -> None:
    """Refuse what is no text: NUL characters where no mark says UTF-16."""
    zeros = source.head.count(0)
    if not marked_encoding(source.head) and zeros > 2 and zeros * 20 > len(source.head):
        raise DataError(
            f"{source.name} is no text: it holds NUL bytes; if it is UTF-16 without a byte order "
            "mark, name its encoding (utf-16-le or utf-16-be)"
        )


def is_saved_dataset(path: str | Path) -> bool:
    """Tell whether a path is a folder that Hugging Face's ``save_to_disk`` wrote."""
    folder = Path(path)
    try:
        return (folder / STATE).is_file() or (folder / SPLITS).is_file()
    except (OSError, ValueError):
        return False
