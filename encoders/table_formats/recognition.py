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
from kosim.encoders.language import both
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
    b"SQLite format 3": "is a database of SQLite; write its table as CSV",
    b"\x93NUMPY": "is an array of NumPy; give a table or a text file",
    _ZIP: "is a ZIP archive and no Excel file; unpack it",
}
_COLUMNAR = ("parquet", "arrow", "xlsx")
_SEPARATED: dict[str, Format] = {"\t": "tsv", ",": "csv", ";": "csv", "|": "csv"}
_MARKUP = re.compile(rb"<(!doctype|html|\?xml)\b", re.IGNORECASE)
_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\f\r\x1b"))
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
        options.notice(
            both(
                "{name} is {format} by what it holds and was read so",
                "{name}: 내용이 {format} 형식이어서 그렇게 읽었습니다",
                name=source.name,
                format=certain,
            )
        )
    if certain:
        return certain
    if stated not in _COLUMNAR:
        _check_is_text(source, options)
    if stated:
        return stated
    text = decoded_head(source.head, options.encoding)
    if len(source.head) >= HEAD:
        text = text[: text.rfind("\n") + 1] or text  # the last line may be cut off
    seen = _seen_format(text, options, header_needed=otherwise is not None)
    if seen:
        options.notice(
            both(
                "{name} holds {format} and was read so; if it is not, name its format or give it a "
                "suffix",
                "{name}: 내용이 {format} 형식으로 보여 그렇게 읽었습니다. "
                "아니면 형식을 지정하거나 파일에 그 확장자를 붙이십시오",
                name=source.name,
                format=seen,
            )
        )
        return seen
    _check_is_no_list(source, text)
    if otherwise is None:
        raise DataError(
            f"{source.name}: unknown table format; known are {', '.join(SUFFIXES)}, each also "
            "with .gz: give the file that suffix, or name its format"
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
    objects = [isinstance(_json(line), dict) for line in lines[:_LOOKED_AT]]
    if 2 * sum(objects) > len(objects):
        return "jsonl"  # reading it names the lines that are none
    if begin.startswith("{") and isinstance(_json(begin), dict):
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


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _check_is_text(source: Source, options: ReadingOptions) -> None:
    """Refuse markup, and what is not text: control characters where nothing says UTF-16."""
    head = source.head
    if _MARKUP.match(head.lstrip(b"\xef\xbb\xbf \t\r\n")):
        raise DataError(
            f"{source.name} is HTML or XML; give a table or its text, a sentence a line"
        )
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if options.encoding or marked_encoding(head) or controls <= 2 or controls * 50 <= len(head):
        return
    utf_16 = (
        " NUL bytes; if it is UTF-16 without a byte order mark, name its encoding (utf-16-le or "
        "utf-16-be) or save it as UTF-8"
    )
    raise DataError(
        f"{source.name} is not text: it holds"
        + (utf_16 if b"\0" in head else " binary data; give a table or a text file")
    )


def _check_is_no_list(source: Source, text: str) -> None:
    """Refuse lists of JSON, whose lines are no sentences."""
    begin = text.lstrip()
    if any(isinstance(_json(part), list) for part in (begin, begin.partition("\n")[0])):
        raise DataError(
            f"{source.name} holds lists of JSON; give objects, such as "
            '{"id": "1", "text": "..."}, or plain text, a sentence a line'
        )


def is_saved_dataset(path: str | Path) -> bool:
    """Tell whether a path is a folder that Hugging Face's ``save_to_disk`` wrote."""
    folder = Path(path)
    try:
        return (folder / STATE).is_file() or (folder / SPLITS).is_file()
    except (OSError, ValueError):
        return False
