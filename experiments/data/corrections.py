"""Corrected labels: a table of rows whose labels take the place of those of the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kosim.encoders.errors import DataError
from kosim.encoders.records import LABEL_HIGH, LABEL_LOW
from kosim.encoders.tables import read_table
from kosim.encoders.texts import comparable
from kosim.experiments.data.labels import text_of
from kosim.experiments.data.pairs import RawPairs

CORRECTION_COLUMNS = ("row", "sentence1", "sentence2", "corrected")


def correct(raw: RawPairs, path: str | Path) -> RawPairs:
    """Return pairs with the labels that a table corrects, as `kosim data --find-noise` writes it.

    They keep the rows of the table that were filled in, as ``corrections``.

    Args:
        raw: the pairs as they were read.
        path: a table with the columns row, sentence1, sentence2 and corrected: a label on 0-5, or
            nothing where the label of the row stays. Other columns are left alone.

    Raises:
        DataError: the table cannot be read or lacks a column, a row is not that of the pairs, has
            two different labels, or one that is not a number on 0-5 or not on the pairs' scale.
    """
    table = filled_in(path)
    frame = raw.frame.copy()
    positions = {int(row): position for position, row in enumerate(frame["row"])}
    given, labels = frame["given"].to_numpy(copy=True), frame["label"].to_numpy(copy=True)
    corrected: dict[int, float] = {}
    for number, record in zip(table.index.tolist(), table.to_dict("records"), strict=True):
        where = f"{path}: row {number + 1}"
        position = _position(record, positions, frame, where, raw.origin)
        label = _label(record["corrected"], where)
        if corrected.setdefault(position, label) != label:
            raise DataError(
                f"{where}: row {record['row']} of {raw.origin} is corrected to {label:g} here and "
                f"to {corrected[position]:g} before; leave one of them"
            )
        labels[position] = label
        given[position] = raw.scale.from_labels(np.array([label]))[0]
        if not raw.scale.contains(given[position : position + 1])[0]:
            raise DataError(
                f"{where}: {label:g} is not on the scale {raw.scale} of {raw.origin}; correct it"
            )
    return replace(raw, frame=frame.assign(given=given, label=labels), corrections=table)


def filled_in(path: str | Path) -> pd.DataFrame:
    """Return the rows of a table of corrections that have one, numbered from 0 as they stand.

    Raises:
        DataError: the table cannot be read or lacks a column.
    """
    table = read_table(path)
    if missing := [name for name in CORRECTION_COLUMNS if name not in table]:
        raise DataError(f"{path} has no column {missing[0]}; give {', '.join(CORRECTION_COLUMNS)}")
    table = table[list(CORRECTION_COLUMNS)]
    return table[table["corrected"].map(text_of) != ""]


def _position(
    record: dict[Any, Any], positions: dict[int, int], frame: pd.DataFrame, where: str, origin: str
) -> int:
    try:
        position = positions[float(record["row"])]  # type: ignore[index]  # 2.0 finds 2
    except (ValueError, TypeError, KeyError):
        raise DataError(f"{where}: {origin} has no row {record['row']!r:.20}") from None
    for name in ("sentence1", "sentence2"):
        if comparable(frame[name].iloc[position]) != comparable(str(record[name])):
            raise DataError(
                f"{where}: row {record['row']} of {origin} is another pair; make the table from "
                "this file again"
            )
    return position


def _label(value: Any, where: str) -> float:
    try:
        label = float(value)
    except (ValueError, TypeError):
        label = float("nan")
    if not LABEL_LOW <= label <= LABEL_HIGH:
        raise DataError(f"{where}: corrected is {value!r:.20}; give a label from 0 to 5")
    return label
