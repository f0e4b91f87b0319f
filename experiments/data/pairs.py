"""Labelled sentence pairs of a file, as they stand there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kosim.encoders.errors import DataError
from kosim.encoders.language import Line, both
from kosim.encoders.pair_columns import ColumnChoice, PairColumns
from kosim.encoders.table_formats.cells import is_number
from kosim.encoders.tables import Format, log_notice, read_table, source_name
from kosim.encoders.texts import is_text
from kosim.experiments.data.label_scale import AUTO, LabelScale, recognised_scale
from kosim.experiments.data.labels import is_missing, read_labels, read_number

_LIKERT = frozenset({LabelScale.parse("0:5"), LabelScale.parse("1:5")})


@dataclass(frozen=True, repr=False)
class RawPairs:
    """The pairs of one file as they were read, before any cleaning.

    ``frame`` has one row a pair:

    * ``row``: the number of the data row in its file, from 1 (a header does not count);
    * ``sentence1``, ``sentence2``: str, or None where missing;
    * ``given``: the label as the file states it, float64, NaN where missing;
    * ``label``: ``given`` on the scale 0-5, NaN where missing;
    * ``source``: str, "" where there is none;
    * ``annotations``, only where the file has them: the annotators' labels on the scale 0-5, a
      tuple of floats.

    ``name`` is short, for tables; ``origin`` says where the pairs came from; ``notices`` say what
    of the file was not stated but recognised; they are logged as well. ``corrections`` are the rows
    of a table by which labels were corrected, if they were.
    """

    name: str
    frame: pd.DataFrame
    scale: LabelScale
    origin: str
    notices: tuple[Line, ...] = ()
    corrections: pd.DataFrame | None = None

    def __repr__(self) -> str:
        return f"RawPairs({self.name!r}, {len(self.frame):,} pairs, labels on {self.scale})"


def load_pairs(
    path: str | Path,
    *,
    scale: LabelScale | str = AUTO,
    columns: ColumnChoice | None = None,
    encoding: str | None = None,
    format: Format | None = None,
    name: str | None = None,
) -> RawPairs:
    """Read labelled sentence pairs from any file or folder that `read_table` knows.

    KLUE's nested ``labels`` and ``annotations`` are understood, and true and false are 1 and 0.
    Missing values and labels outside the scale are kept: what to do about them is the business of
    cleaning.

    Args:
        path: the file.
        scale: of the labels; by default it is recognised, with a notice unless it is 0-5, see
            `recognised_scale`.
        columns: the names of the two sentences, the label and the source, as a list, a mapping or
            their text (see `PairColumns`); what is not named is looked for under the names that
            are common in English and Korean. In a file without a line of names, one number and two
            texts a row are recognised, and columns can be named by their numbers.
        encoding: as for `read_table`.
        format: likewise.
        name: what tables call the pairs; by default the file's name.

    Raises:
        DataError: the file cannot be read, lacks a column, holds a label that is not a number or a
            sentence that is not text (the row number and the value are named), or its scale
            cannot be told.
        ConfigError: ``scale``, ``columns`` or ``encoding`` is none.
        MissingExtraError: an Excel file is read, and openpyxl is not installed.
    """
    stated = _stated(scale)
    raw = _read(path, stated, columns=columns, encoding=encoding, format=format, name=name)
    return _said(_on_scale(raw, stated) if stated else _on_recognised_scale(raw, [raw]))


def load_train_and_test(
    train: str | Path,
    test: str | Path,
    *,
    scales: tuple[str, str] = (AUTO, AUTO),
    columns: tuple[ColumnChoice | None, ColumnChoice | None] = (None, None),
    encoding: str | None = None,
) -> tuple[RawPairs, RawPairs]:
    """Read the training and the test pairs of one data set; ``scales`` and ``columns`` are theirs.

    Whether labels from 1 to 5 stand on 0-5 is told by both files together: a zero in one of them
    says so for the other.

    Raises:
        KosimError: as for `load_pairs`.
    """
    stated = [_stated(scale) for scale in scales]
    raws = [
        _read(path, scale, columns=choice, encoding=encoding)
        for path, scale, choice in zip((train, test), stated, columns, strict=True)
    ]
    alone = [
        _on_scale(raw, scale) if scale else _on_recognised_scale(raw, [raw])
        for raw, scale in zip(raws, stated, strict=True)
    ]
    open_ones = not any(stated) and {raw.scale for raw in alone} <= _LIKERT
    first, second = [_on_recognised_scale(raw, raws) for raw in raws] if open_ones else alone
    return _said(first), _said(second)


def _said(raw: RawPairs) -> RawPairs:
    for notice in raw.notices:
        log_notice(notice)
    return raw


def _stated(scale: LabelScale | str) -> LabelScale | None:
    if isinstance(scale, LabelScale):
        return scale
    return None if scale == AUTO else LabelScale.parse(scale)


def _read(
    path: str | Path,
    scale: LabelScale | None,
    *,
    columns: ColumnChoice | None,
    encoding: str | None,
    format: Format | None = None,
    name: str | None = None,
) -> RawPairs:
    """Read pairs whose labels and annotations still stand on the scale of the file."""
    chosen = PairColumns.parse(columns)
    notices: list[Line] = []
    where = source_name(path)
    table = _flattened(
        read_table(
            path,
            format=format,
            encoding=encoding,
            columns=chosen.names,
            notice=notices.append,
        )
    )
    if chosen == PairColumns() and (guessed := _by_content(table)):
        chosen = guessed
        notices.append(
            both(
                "{where}: columns {names} are two sentences and a label",
                "{where}: {names}열을 두 문장과 정답으로 읽었습니다",
                where=where,
                names=", ".join(guessed.names),
            )
        )
    found = chosen.find(table.columns, where)
    first, second, label = str(found.sentence1), str(found.sentence2), str(found.label)
    given = read_labels(table[label], scale, label, where)
    frame = pd.DataFrame(
        {
            "row": np.arange(1, len(table) + 1),
            "sentence1": _texts(table[first], first, where),
            "sentence2": _texts(table[second], second, where),
            "given": given,
            "label": given,
        }
    )
    frame["source"] = ""
    if found.source is not None:
        frame["source"] = ["" if is_missing(value) else str(value) for value in table[found.source]]
    if "annotations" in table:
        frame["annotations"] = _annotations(table["annotations"], where)
    return RawPairs(
        name=name or Path(Path(path).name.removesuffix(".gz")).stem,
        frame=frame,
        scale=LabelScale(),
        origin=where,
        notices=tuple(notices),
    )


def _on_scale(raw: RawPairs, scale: LabelScale, notice: Line | None = None) -> RawPairs:
    """Map labels and annotations that still stand on the scale of their file to 0-5."""
    frame = raw.frame.assign(label=scale.to_labels(raw.frame["given"].to_numpy()))
    if "annotations" in frame:
        frame["annotations"] = [
            tuple(scale.to_labels(np.array(marks, dtype=np.float64)).tolist())
            for marks in frame["annotations"]
        ]
    notices = raw.notices if notice is None else (*raw.notices, notice)
    return replace(raw, frame=frame, scale=scale, notices=notices)


def _on_recognised_scale(raw: RawPairs, together: list[RawPairs]) -> RawPairs:
    """Map labels to 0-5 from the scale that the labels of all files ``together`` show."""
    given = np.concatenate([one.frame["given"].to_numpy() for one in together])
    scale, notice = recognised_scale(given, " and ".join(one.origin for one in together))
    return _on_scale(raw, scale, notice)


def _flattened(table: pd.DataFrame) -> pd.DataFrame:
    """Lift the fields of KLUE's nested ``labels`` to columns and unpack its ``annotations``.

    Columns that only share those names are left (``labels``) or dropped (``annotations``).
    """
    if "labels" in table and table["labels"].map(_is_nested).any():
        fields = [value if isinstance(value, dict) else {} for value in table.pop("labels")]
        nested = pd.DataFrame(fields, dtype=object)
        for name in nested.columns.difference(table.columns):
            table[name] = nested[name]
    if "annotations" in table:
        annotations = table.pop("annotations")
        if annotations.map(_is_nested).any():
            table["annotations"] = [
                value.get("annotations") if isinstance(value, dict) else value
                for value in annotations
            ]
    return table


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _by_content(table: pd.DataFrame) -> PairColumns | None:
    """Return the columns of a table without names if two of its three are text and one numbers."""
    if list(table.columns) != ["1", "2", "3"]:
        return None
    numeric = [
        name
        for name, values in table.items()
        if all(is_number(value) for value in values if not is_missing(value))
    ]
    if len(numeric) != 1:
        return None
    first, second = (name for name in table.columns if name not in numeric)
    return PairColumns(first, second, str(numeric[0]))


def _texts(column: pd.Series[Any], name: str, where: str) -> pd.Series[Any]:
    for row, value in enumerate(column, 1):
        if not is_missing(value) and not is_text(value):
            raise DataError(f"{where}: row {row}: {name} {value!r:.40} is not text; correct it")
    return column.where(column.notna(), None)


def _annotations(column: pd.Series[Any], where: str) -> list[tuple[float, ...]]:
    rows = []
    for row, values in enumerate(column, 1):
        if is_missing(values):
            values = []
        if not isinstance(values, list):
            raise DataError(
                f"{where}: row {row}: annotations {values!r:.40} is not a list of numbers"
            )
        rows.append(tuple(read_number(value, row, "annotation", where) for value in values))
    return rows
