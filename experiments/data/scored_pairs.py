"""Scores for a file of pairs, written to another file in bounded memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.pair_columns import ColumnChoice, PairColumns
from kosim.encoders.storage import atomic_file, check_output
from kosim.encoders.tables import Row, read_records

_TOGETHER = 4_096
"""Pairs that are read, scored and written at a time."""

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
SCORE, SIMILAR = "kosim_score", "kosim_similar"
"""Columns that are added to those of the pairs."""

Write = Callable[[list[dict[str, Any]]], None]


def score_file(
    encoder: PairEncoder,
    pairs: str | Path,
    out: str | Path,
    *,
    columns: ColumnChoice | None = None,
    encoding: str | None = None,
    symmetric: bool = False,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Write the rows of a file of pairs with the score and the verdict of each.

    Args:
        encoder: what scores.
        pairs: a table of any format that `read_records` knows; labels are not needed.
        out: a ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet`` file; nothing of it is there before
            all of it is.
        columns: as for `load_pairs`.
        encoding: as for `read_table`.
        symmetric: average both orders of each pair.
        overwrite: replace the file.
        progress: called with the number of rows that are done.

    Returns:
        The number of rows.

    Raises:
        DataError: a row cannot be read, a sentence is missing or blank, or a column that is to be
            added is there.
        ConfigError: the suffix of ``out`` is none of these, or ``columns`` name no pair.
        StorageError: ``out`` is there and not to be replaced, or cannot be written.
    """
    target = Path(out)
    if target.suffix.lower() not in FORMATS:
        raise ConfigError(f"{out} has no known suffix; give one of {', '.join(FORMATS)}")
    check_output(target, overwrite=overwrite)
    chosen = PairColumns.parse(columns)
    rows = iter(read_records(pairs, columns=chosen.names, encoding=encoding))
    done = 0
    with atomic_file(target) as partial, _writer(partial, target) as write:
        found: PairColumns | None = None
        while some := list(islice(rows, _TOGETHER)):
            for row in some:
                if row.error is not None:
                    raise row.error
            found = found or chosen.find(some[0].record, str(pairs), labelled=False)
            texts = [_pair(row, found, pairs) for row in some]
            scores = encoder.score(texts, symmetric=symmetric)
            write(
                [
                    {**row.record, SCORE: float(score), SIMILAR: bool(score >= encoder.threshold)}
                    for row, score in zip(some, scores, strict=True)
                ]
            )
            done += len(some)
            progress(done)
        if not done:
            raise DataError(f"{pairs} has no pairs; give at least one row")
    return done


def _pair(row: Row, columns: PairColumns, path: str | Path) -> tuple[str, str]:
    for added in (SCORE, SIMILAR):
        if added in row.record:
            raise DataError(f"{path} has a column {added} already; remove it or rename it")
    texts = [row.record.get(str(name)) for name in (columns.sentence1, columns.sentence2)]
    for name, text in zip((columns.sentence1, columns.sentence2), texts, strict=True):
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{path}: {row.where}: {name} is {text!r}; give a sentence")
    return str(texts[0]), str(texts[1])


@contextmanager
def _writer(path: Path, target: Path) -> Iterator[Write]:
    """Yield what appends rows to a file of the format that ``target`` names."""
    suffix = target.suffix.lower()
    if suffix == ".parquet":
        with _parquet_writer(path, target) as write:
            yield write
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if suffix == ".jsonl":
            yield lambda rows: file.writelines(
                json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows
            )
            return
        columns: list[str] = []

        def write_cells(rows: list[dict[str, Any]]) -> None:
            if not columns:
                columns.extend(rows[0])
                _write_line(file, suffix, columns)
            for row in rows:
                _check_columns(row, columns, target)
                _write_line(file, suffix, [_cell(row.get(name)) for name in columns])

        yield write_cells


@contextmanager
def _parquet_writer(path: Path, target: Path) -> Iterator[Write]:
    opened: list[pq.ParquetWriter] = []

    def write(rows: list[dict[str, Any]]) -> None:
        try:
            if not opened:
                opened.append(pq.ParquetWriter(path, pa.Table.from_pylist(rows).schema))
            for row in rows:
                _check_columns(row, opened[0].schema.names, target)
            opened[0].write_table(pa.Table.from_pylist(rows, schema=opened[0].schema))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(
                f"values of a column change their type ({error}); write .jsonl instead"
            ) from error

    try:
        yield write
    finally:
        for each in opened:
            each.close()


def _check_columns(row: dict[str, Any], columns: Sequence[str], target: Path) -> None:
    further = [name for name in row if name not in columns]
    if further:
        raise DataError(
            f"a later row has a column {further[0]!r} that the first rows lack, which {target} "
            "cannot hold; write .jsonl instead"
        )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _write_line(file: Any, suffix: str, cells: Sequence[str]) -> None:
    if suffix == ".csv":
        csv.writer(file, lineterminator="\n").writerow(cells)
        return
    for cell in cells:
        if any(mark in cell for mark in "\t\n\r"):
            raise DataError(
                f"{cell[:40]!r} holds a tab or a line end, which .tsv cannot; write .csv instead"
            )
    file.write("\t".join(cells) + "\n")
