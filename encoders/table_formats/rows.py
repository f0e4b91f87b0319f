"""What every format yields, and what a reader of tables may be told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from kosim.encoders.errors import DataError
from kosim.encoders.language import Line

Record = dict[str, Any]
Format = Literal["text", "csv", "tsv", "jsonl", "json", "parquet", "arrow", "xlsx"]
Notice = Callable[[Line], object]

MOST_COLUMNS = 1_000
"""Columns of the widest table that is read; sentence pairs and corpora need fewer than ten."""

_LOG = logging.getLogger(__name__)


class Row(NamedTuple):
    """One row of a file: ``where`` it stands, such as ``line 3``, and its values by column.

    A row that cannot be read has the ``error`` that says why instead of values.
    """

    where: str
    record: Record
    error: DataError | None = None


@lru_cache(maxsize=1_000)
def log_notice(message: Line) -> None:
    """Say something about a file to this module's logger, once per process.

    The record's only argument is the line, from which a terminal takes its own language.
    """
    _LOG.warning("%s", message)


@dataclass(frozen=True)
class ReadingOptions:
    """How a table is read.

    ``encoding`` is a text encoding that Python knows, or None: UTF-8, unless a byte order mark or
    the bytes themselves say otherwise. ``wanted`` are the columns that the caller will look for.
    ``notice`` is called with a sentence for everything that was not stated but recognised.
    """

    encoding: str | None = None
    wanted: tuple[str, ...] = ()
    notice: Notice = log_notice


def check_columns(name: str, count: int, where: str = "") -> None:
    """Refuse a table that is too wide.

    Raises:
        DataError: it has more than `MOST_COLUMNS` columns.
    """
    if count > MOST_COLUMNS:
        raise DataError(
            f"{name}: {where}{count:,} columns; the limit is {MOST_COLUMNS:,}: keep only the "
            "columns that are needed"
        )
