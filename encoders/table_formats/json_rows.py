"""Tables in JSON: one object a line, a list of objects, or one object that holds the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from kosim.encoders.errors import DataError, printable
from kosim.encoders.language import both
from kosim.encoders.table_formats.lines import Lines
from kosim.encoders.table_formats.rows import (
    MOST_COLUMNS,
    ReadingOptions,
    Record,
    Row,
    check_columns,
)
from kosim.encoders.table_formats.source import Source

LARGEST_JSON = 1 << 29
"""Characters of the largest JSON document that is held in memory whole; lines may be any number."""


def json_line_rows(source: Source, options: ReadingOptions) -> Iterator[Row]:
    """Yield the rows of a file with one object a line."""
    lines = Lines(source, options)
    return _line_rows(source.name, lines, enumerate(lines, 1))


def json_rows(source: Source, options: ReadingOptions) -> Iterator[Row]:
    """Yield the rows of a JSON document, or of the lines of JSON that a file holds instead.

    A document is a list of objects, one such object, an object with one such list among its
    values, or an object of columns: lists of the same length, or pandas' objects by row number.
    """
    lines = Lines(source, options)
    numbered = enumerate(lines, 1)
    begin: list[tuple[int, str]] = []
    first = ""
    for number, line in numbered:
        if error := lines.take_error():
            raise error
        begin.append((number, line))
        if first and line.strip():
            options.notice(
                both(
                    "{name} holds one JSON object a line and was read so",
                    "{name}: 한 줄에 JSON 객체가 하나씩 있어 그렇게 읽었습니다",
                    name=source.name,
                )
            )
            yield from _line_rows(source.name, lines, chain(begin, numbered))
            return
        first = first or line.strip()
        if first and not _is_object(first):
            break
    text = _whole(source.name, lines, begin, numbered)
    if not text.strip():
        raise DataError(f"{source.name} is empty: it must hold a list of objects")
    document = parse_json(text, source.name, 1)
    for number, record in enumerate(_records(document, source.name, options), 1):
        yield _row(source.name, f"row {number}", record)


def _is_object(line: str) -> bool:
    if not line.startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _whole(
    name: str, lines: Lines, begin: list[tuple[int, str]], rest: Iterator[tuple[int, str]]
) -> str:
    parts, size = [], 0
    for _, line in chain(begin, rest):
        if error := lines.take_error():
            raise error
        parts.append(line)
        size += len(line)
        if size > LARGEST_JSON:
            raise DataError(
                f"{name} is one JSON document of more than {LARGEST_JSON >> 20} Mi characters, "
                "which is held in memory whole; write one object a line instead (.jsonl)"
            )
    return "".join(parts)


def parse_json(text: str, name: str, first_line: int) -> Any:
    """Parse JSON.

    Raises:
        DataError: it is none; the line is named, counted from ``first_line``.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line, column = first_line, ""
        if isinstance(error, json.JSONDecodeError):
            line, column = first_line + error.lineno - 1, f" at column {error.colno}"
        reason = getattr(error, "msg", str(error))
        raise DataError(
            f"{name}: line {line}: no valid JSON{column} ({reason}); correct the line"
        ) from error


def _line_rows(name: str, lines: Lines, numbered: Iterator[tuple[int, str]]) -> Iterator[Row]:
    for number, line in numbered:
        error = lines.take_error()
        if not line.strip() and not error:
            continue
        if error:
            yield Row(f"line {number}", {}, error)
            continue
        try:
            # Without its line end, so that an error is not placed on the next line.
            record = parse_json(line.rstrip("\r\n"), name, number)
        except DataError as refused:
            yield Row(f"line {number}", {}, refused)
            continue
        yield _row(name, f"line {number}", record)


def _row(name: str, where: str, record: Any) -> Row:
    if not isinstance(record, dict):
        return Row(
            where,
            {},
            DataError(
                f"{name}: {where}: {printable(repr(record)[:40])} is not an object, such as "
                '{"sentence1": "...", "sentence2": "...", "label": 3.5}; correct it'
            ),
        )
    try:
        check_columns(name, len(record), f"{where}: ")
    except DataError as error:
        return Row(where, {}, error)
    return Row(where, record)


def _records(document: Any, name: str, options: ReadingOptions) -> Iterator[Record] | list[Any]:
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        inner = [
            (key, value)
            for key, value in document.items()
            if isinstance(value, list) and value and isinstance(value[0], dict)
        ]
        if len(inner) == 1:
            key, records = inner[0]
            options.notice(
                both(
                    "{name}: its rows were taken from the list {key}",
                    "{name}: 목록 {key}의 항목을 행으로 읽었습니다",
                    name=name,
                    key=repr(printable(key)),
                )
            )
            return list(records)
        columns = list(document.values())
        if columns and not any(isinstance(column, dict | list) for column in columns):
            return [document]
        if columns and len(columns) <= MOST_COLUMNS:
            if all(isinstance(column, list) for column in columns) and _alike(map(len, columns)):
                return _by_row(document, range(len(columns[0])))
            if all(isinstance(column, dict) for column in columns) and _alike(map(tuple, columns)):
                return _by_row(document, list(columns[0]))
    raise DataError(
        f"{name} holds one {type(document).__name__}, not a list of objects; give a list, or one "
        "object a line"
    )


def _alike(values: Iterator[Any]) -> bool:
    return len(set(values)) == 1


def _by_row(columns: dict[str, Any], keys: Any) -> Iterator[Record]:
    for key in keys:
        yield {name: column[key] for name, column in columns.items()}
