"""The labels of a file as it states them: numbers, truth values, and words with a meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kosim.encoders.errors import DataError
from kosim.encoders.metrics import Floats
from kosim.encoders.table_formats.cells import is_number
from kosim.encoders.tables import printable
from kosim.experiments.data.label_scale import LabelScale, comparable_word, suggested_words

_TRUTH = {"true": 1.0, "false": 0.0}


def is_missing(value: Any) -> bool:
    """Tell whether a value of a table is missing."""
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))


def text_of(value: Any) -> str:
    """Return the text of a table's value without white space around it, "" where it is missing."""
    return "" if is_missing(value) else str(value).strip()


def read_labels(column: pd.Series[Any], scale: LabelScale | None, name: str, where: str) -> Floats:
    """Return the labels of n pairs as their file states them, NaN where missing.

    Words are replaced by the labels that the scale says; true and false are 1 and 0.

    Raises:
        DataError: a value is not a number, or no word of the scale; its row is named. Words without
            a scale for them are answered with the option that says what they mean.
    """
    if scale is not None and scale.words:
        return np.array(
            [_meant(value, row, name, where, scale) for row, value in enumerate(column, 1)]
        )
    words = [value for value in column if not is_missing(value) and not _is_label(value)]
    suggested = suggested_words(words) if len(words) * 2 > len(column) else None
    if suggested:
        raise DataError(
            f"{where}: {name} holds words, such as {printable(str(words[0])[:40])!r}; say which "
            f"label on 0-5 each stands for: {suggested}"
        )
    return np.array(
        [
            np.nan if is_missing(value) else read_number(value, row, name, where)
            for row, value in enumerate(column, 1)
        ],
        dtype=np.float64,
    )


def _meant(value: Any, row: int, name: str, where: str, scale: LabelScale) -> float:
    if is_missing(value):
        return np.nan
    label = scale.words.get(comparable_word(value))
    if label is None:
        raise DataError(
            f"{where}: row {row}: {name} {printable(str(value)[:40])!r} is none of the words of "
            f"the label scale {scale}; add it, or correct the row"
        )
    return label


def _is_label(value: Any) -> bool:
    text = str(value).strip()
    return text.casefold() in _TRUTH or ("_" not in text and is_number(text))


def read_number(value: Any, row: int, name: str, where: str) -> float:
    """Return a number as a file states it.

    Raises:
        DataError: it is none.
    """
    # Python would take 1_000 for a thousand.
    if not _is_label(value):
        raise DataError(
            f"{where}: row {row}: {name} {str(value)[:40]!r} is not a number; correct it, "
            "or name the right label column"
        )
    text = str(value).strip()
    truth = _TRUTH.get(text.casefold())
    return float(text) if truth is None else truth
