"""Sentence pair data sets: any table file, KLUE-STS from the hub, and the bundled sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import huggingface_hub
import numpy as np
import numpy.typing as npt
import pandas as pd

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.tables import read_table
from kosim.experiments.data.label_scale import LabelScale

SENTENCE_COLUMNS = (
    ("sentence1", "sentence2"),
    ("text1", "text2"),
    ("sentence_a", "sentence_b"),
)
"""Names under which the two sentences are looked for, the first pair that is there wins."""

LABEL_COLUMNS = ("real-label", "score", "label")
"""Names under which the label is looked for: KLUE's unrounded mean wins over the rounded one."""

SOURCE_COLUMNS = ("source", "genre")
"""Names under which the source of a pair is looked for; a file without one is fine."""

KLUE_REPOSITORY = "klue/klue"
KLUE_REVISION = "349481ec73fff722f88e0453ca05c77a447d967c"

_KLUE_FILES = {
    "train": "sts/train-00000-of-00001.parquet",
    "validation": "sts/validation-00000-of-00001.parquet",
}

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
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

    ``name`` is short, for tables; ``origin`` says where the pairs came from.
    """

    name: str
    frame: pd.DataFrame
    scale: LabelScale
    origin: str


def load_pairs(
    path: str | Path,
    *,
    scale: LabelScale | str = "0:5",
    sentence_columns: tuple[str, str] | None = None,
    label_column: str | None = None,
    source_column: str | None = None,
    name: str | None = None,
) -> RawPairs:
    """Read labelled sentence pairs from a table file of any format that ``read_table`` knows.

    Columns are found by ``SENTENCE_COLUMNS``, ``LABEL_COLUMNS`` and ``SOURCE_COLUMNS`` unless they
    are named here. KLUE's nested ``labels`` and ``annotations`` are understood. Missing values and
    labels outside the scale are kept: what to do about them is the business of cleaning.

    Raises:
        DataError: the file cannot be read, lacks a column, or holds a label that is no number or
            a sentence that is no text; the row number and the value are named.
        ConfigError: ``scale`` is not a label scale.
    """
    path = Path(path)
    scale = LabelScale.parse(scale) if isinstance(scale, str) else scale
    table = _flattened(read_table(path))
    where = str(path)
    first, second = _sentence_columns(table, sentence_columns, where)
    label = _column(table, label_column, LABEL_COLUMNS, "label", where)
    given = _numbers(table[label], label, where)
    frame = pd.DataFrame(
        {
            "row": np.arange(1, len(table) + 1),
            "sentence1": _texts(table[first], first, where),
            "sentence2": _texts(table[second], second, where),
            "given": given,
            "label": scale.to_labels(given),
        }
    )
    frame["source"] = ""
    if source_column or any(column in table for column in SOURCE_COLUMNS):
        source = _column(table, source_column, SOURCE_COLUMNS, "source", where)
        frame["source"] = ["" if _missing(value) else str(value) for value in table[source]]
    if "annotations" in table:
        frame["annotations"] = _annotations(table["annotations"], scale, where)
    name = name or Path(path.name.removesuffix(".gz")).stem
    return RawPairs(name=name, frame=frame, scale=scale, origin=where)


def load_klue_sts(
    split: Literal["train", "validation"], *, cache_dir: str | Path | None = None
) -> RawPairs:
    """Load a split of KLUE-STS from the hub, or from the hub's cache on this machine.

    Park et al. 2021, "KLUE: Korean Language Understanding Evaluation", at a pinned revision. The
    label is the unrounded mean of the annotators (``real-label``).

    Raises:
        DataError: the hub cannot be reached and its cache does not hold the split.
    """
    try:
        path = huggingface_hub.hf_hub_download(
            KLUE_REPOSITORY,
            _KLUE_FILES[split],
            repo_type="dataset",
            revision=KLUE_REVISION,
            cache_dir=cache_dir,
        )
    except OSError as error:
        raise DataError(
            f"KLUE-STS {split} cannot be fetched from the hub ({KLUE_REPOSITORY}: "
            f"{type(error).__name__}); without a network, give local files instead: "
            "--train FILE --test FILE"
        ) from error
    pairs = load_pairs(path, name=f"klue-sts {split}")
    return replace(pairs, origin=f"hub:{KLUE_REPOSITORY}@{KLUE_REVISION}/{_KLUE_FILES[split]}")


def load_sample(split: Literal["train", "test"]) -> RawPairs:
    """Load a split of the bundled sample data set."""
    file = resources.files("kosim.experiments") / "sample" / f"{split}.tsv"
    with resources.as_file(file) as path:
        pairs = load_pairs(path, name=f"sample {split}")
    return replace(pairs, origin=f"bundled:experiments/sample/{split}.tsv")


def load_dataset(name: str) -> tuple[RawPairs, RawPairs]:
    """Load the training and the test pairs of a known data set, ``klue-sts`` or ``sample``.

    The test pairs of KLUE-STS are its official dev split, since its test split is not public.

    Raises:
        ConfigError: the data set is not known.
        DataError: the data set cannot be had.
    """
    if name == "klue-sts":
        return load_klue_sts("train"), load_klue_sts("validation")
    if name == "sample":
        return load_sample("train"), load_sample("test")
    raise ConfigError(f"unknown data set {name!r}; known are klue-sts and sample")


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))


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


def _column(
    table: pd.DataFrame, wanted: str | None, known: Sequence[str], role: str, where: str
) -> str:
    for name in (wanted,) if wanted else known:
        if name in table:
            return name
    raise DataError(
        f"{where}: no {role} column {wanted or ' or '.join(known)}; "
        f"its columns are {', '.join(map(str, table.columns))}: name the right one"
    )


def _sentence_columns(
    table: pd.DataFrame, wanted: tuple[str, str] | None, where: str
) -> tuple[str, str]:
    for first, second in (wanted,) if wanted else SENTENCE_COLUMNS:
        if first in table and second in table:
            return first, second
    names = " or ".join(map("/".join, (wanted,) if wanted else SENTENCE_COLUMNS))
    raise DataError(
        f"{where}: no sentence columns {names}; "
        f"its columns are {', '.join(map(str, table.columns))}: name the right ones"
    )


def _texts(column: pd.Series[Any], name: str, where: str) -> pd.Series[Any]:
    for row, value in enumerate(column, 1):
        if not _missing(value) and not _is_text(value):
            raise DataError(f"{where}: row {row}: {name} {value!r:.40} is no text; correct it")
    return column.where(column.notna(), None)


def _is_text(value: Any) -> bool:
    # JSON can escape half of a surrogate pair, which no tokenizer takes and no file can hold.
    return isinstance(value, str) and not _HALF_CHARACTER.search(value)


def _number(value: Any, row: int, name: str, where: str) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise DataError(
            f"{where}: row {row}: {name} {str(value)[:40]!r} is not a number; correct it, "
            "or name the right label column"
        ) from None


def _numbers(column: pd.Series[Any], name: str, where: str) -> Floats:
    return np.array(
        [
            np.nan if _missing(value) else _number(value, row, name, where)
            for row, value in enumerate(column, 1)
        ],
        dtype=np.float64,
    )


def _annotations(column: pd.Series[Any], scale: LabelScale, where: str) -> list[tuple[float, ...]]:
    rows = []
    for row, values in enumerate(column, 1):
        if _missing(values):
            values = []
        if not isinstance(values, list):
            raise DataError(f"{where}: row {row}: annotations {values!r:.40} is no list of numbers")
        numbers = np.array([_number(value, row, "annotation", where) for value in values])
        rows.append(tuple(scale.to_labels(numbers).tolist()))
    return rows
