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
from kosim.experiments.data.cleaning import comparable
from kosim.experiments.data.labels import is_missing
from kosim.experiments.data.pairs import RawPairs

_NEEDED = ("row", "sentence1", "sentence2", "corrected")


def correct(raw: RawPairs, path: str | Path) -> RawPairs:
    """Return pairs with the labels that a table corrects, as `kosim data --find-noise` writes it.

    Args:
        raw: the pairs as they were read.
        path: a table with the columns row, sentence1, sentence2 and corrected: a label on 0-5, or
            nothing where the label of the row stays.

    Raises:
        DataError: the table cannot be read or lacks a column, a row is not that of the pairs, or
            a label is not a number on 0-5.
    """
    table = read_table(path)
    if missing := [name for name in _NEEDED if name not in table]:
        raise DataError(f"{path} has no column {missing[0]}; give {', '.join(_NEEDED)}")
    frame = raw.frame.copy()
    positions = {int(row): position for position, row in enumerate(frame["row"])}
    given, labels = frame["given"].to_numpy(copy=True), frame["label"].to_numpy(copy=True)
    for number, record in enumerate(table[list(_NEEDED)].to_dict("records"), start=1):
        if is_missing(record["corrected"]) or not str(record["corrected"]).strip():
            continue
        position = _position(record, positions, frame, f"{path}: line {number}", raw.origin)
        labels[position] = _label(record["corrected"], f"{path}: line {number}")
        given[position] = raw.scale.from_labels(np.array([labels[position]]))[0]
        if not raw.scale.contains(given[position : position + 1])[0]:
            raise DataError(
                f"{path}: line {number}: {labels[position]:g} is not on the scale {raw.scale} of "
                f"{raw.origin}; correct it"
            )
    return replace(raw, frame=frame.assign(given=given, label=labels))


def _position(
    record: dict[Any, Any], positions: dict[int, int], frame: pd.DataFrame, where: str, origin: str
) -> int:
    try:
        position = positions[int(float(record["row"]))]
    except (ValueError, TypeError, KeyError, OverflowError):
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
