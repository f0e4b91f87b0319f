"""A corpus: the sentences of a text or table file, read one after the other and checked."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kosim.encoders.column_names import IDS, TEXTS, TITLES, find_column, listed, named_column
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.tables import Format, Record, id_text, read_records, source_name
from kosim.index.documents import (
    BadValueError,
    Document,
    checked_id,
    checked_text,
    whole_characters,
)

_BEIR_ID = "_id"
_REPORTED = 5


@dataclass
class BadLines:
    """What was skipped of a corpus: how many lines, and what was wrong with the first few."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, reason: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < _REPORTED:
            self.first.append(reason)

    def merge(self, count: int, first: Sequence[str]) -> None:
        """Count what was skipped elsewhere."""
        self.count += count
        self.first += first[: _REPORTED - len(self.first)]


def read_corpus(
    path: str | Path,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    format: Format | None = None,
    encoding: str | None = None,
    bad_lines: Literal["refuse", "skip"] = "refuse",
    skipped: BadLines | None = None,
    row_prefix: str = "",
) -> Iterator[Document]:
    """Yield the documents of a corpus file in bounded memory.

    Args:
        path: a file of any format that `read_table` knows, or any other, which is text with one
            sentence a line unless it looks like a table; "-" is standard input.
        text_column: the name or number of the column of the sentences; by default ``text``,
            ``sentence`` or another of `column_names.TEXTS`, else the only column. Where ids are
            called ``_id``, as BEIR has them, the title stands before the text.
        id_column: the column of the ids; by default ``id`` or another of `column_names.IDS`, else
            rows are numbered from 1. The lines of a text file are numbered likewise, bad ones
            included.
        format: what neither the suffix nor the file's bytes say.
        encoding: as for `read_table`.
        bad_lines: what to do with a line that is blank, too long, not UTF-8 or otherwise
            unreadable: refuse the corpus, or skip and count the line.
        skipped: counts the skipped lines.
        row_prefix: what stands before the number of a row that has no id of its own.

    Returns:
        The documents in order. All other columns are their ``extra``, as JSON values.

    Raises:
        ConfigError: ``bad_lines`` or ``format`` is unknown.
        DataError: the file cannot be read, lacks a column, has a bad line that is not to be
            skipped, or holds no sentence. It is raised when the document concerned is asked for.
    """
    if bad_lines not in ("refuse", "skip"):
        raise ConfigError(f"bad_lines is {bad_lines!r}; choose refuse or skip")
    wanted = [name for name in (text_column, id_column) if name is not None]
    rows = read_records(path, format=format, otherwise="text", encoding=encoding, columns=wanted)
    name = source_name(path)
    columns: _Columns | None = None
    empty = True
    for number, row in enumerate(rows, 1):
        try:
            if row.error:
                raise row.error
            if columns is None:
                columns = _Columns.find(row.record, name, text_column, id_column, row_prefix)
            try:
                document = columns.document(row.record, number)
            except BadValueError as error:
                raise DataError(f"{name}: {row.where}: {error}") from None
        except DataError as error:
            # Without its columns no row of the corpus can be read.
            if bad_lines == "refuse" or (columns is None and not row.error):
                raise
            if skipped is not None:
                skipped.add(str(error))
            continue
        empty = False
        yield document
    if empty:
        raise DataError(f"{name} holds no sentence; a corpus needs at least one")


@dataclass(frozen=True)
class _Columns:
    text: str
    id: str | None
    title: str | None
    row_prefix: str

    @classmethod
    def find(
        cls,
        record: Record,
        name: str,
        text_column: str | None,
        id_column: str | None,
        row_prefix: str,
    ) -> _Columns:
        try:
            for wanted, option in ((text_column, "--text-column"), (id_column, "--id-column")):
                if wanted is not None and named_column(record, wanted) is None:
                    raise DataError(
                        f"it has no column {wanted!r}; its columns are {listed(record)}: "
                        f"name one of them with {option}"
                    )
            if text_column is not None:
                text = named_column(record, text_column)
            else:
                text = find_column(record, TEXTS)
            if id_column is not None:
                id = named_column(record, id_column)
            else:
                id = find_column(record, IDS)
            title = find_column(record, TITLES) if id == _BEIR_ID else None
        except DataError as error:
            raise DataError(f"{name}: {error}") from None
        if text is None and len(record) == 1:
            text = next(iter(record))
        if text is None:
            raise DataError(
                f"{name} has no column text or sentence; its columns are {listed(record)}: name "
                "the one with the sentences with text_column='NAME'"
            )
        if id == text and id_column is None:
            id = None
        return cls(text, id, title if title != text else None, row_prefix)

    def document(self, record: Record, number: int) -> Document:
        if self.text not in record:
            raise BadValueError(f"it has no column {self.text!r}, only {listed(record)}")
        text = record[self.text]
        if self.title is not None and isinstance(title := record.get(self.title), str):
            text = f"{title} {text or ''}".strip()
        id = f"{self.row_prefix}{number}" if self.id is None else _id(record.get(self.id), self.id)
        rest = {key: value for key, value in record.items() if key not in (self.text, self.id)}
        try:
            return Document(id=id, text=checked_text(text), extra=_json_value(rest))
        except RecursionError:
            raise BadValueError("its columns are nested too deeply; flatten them") from None


def _id(value: object, column: str) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise BadValueError(f"the id (column {column!r}) is empty; give every document one")
    text = id_text(value)
    if text is None:
        raise BadValueError(
            f"the id {value!r:.40} is neither text, a whole number, a UUID nor a date; correct it"
        )
    return checked_id(text)


def _json_value(value: Any) -> Any:
    """Return ``value`` as JSON has it; what is not a finite number is null."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {whole_characters(str(key)): _json_value(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(member) for member in value]
    if isinstance(value, np.generic | np.ndarray):
        return _json_value(value.tolist())
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)
