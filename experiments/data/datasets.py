"""Sentence pair data sets: any table file, KLUE-STS from the hub, and the bundled sample."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import huggingface_hub
import numpy as np
import numpy.typing as npt
import pandas as pd

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.table_formats.cells import is_number
from kosim.encoders.tables import Format, read_table, source_name
from kosim.experiments.data.label_scale import LabelScale
from kosim.experiments.data.pair_columns import ColumnChoice, PairColumns

KLUE_REPOSITORY = "klue/klue"
KLUE_REVISION = "349481ec73fff722f88e0453ca05c77a447d967c"

_KLUE_FILES = {
    "train": "sts/train-00000-of-00001.parquet",
    "validation": "sts/validation-00000-of-00001.parquet",
}

_TRUTH = {"true": 1.0, "false": 0.0}
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

    ``name`` is short, for tables; ``origin`` says where the pairs came from; ``notices`` say what
    of the file was not stated but recognised.
    """

    name: str
    frame: pd.DataFrame
    scale: LabelScale
    origin: str
    notices: tuple[str, ...] = ()


def load_pairs(
    path: str | Path,
    *,
    scale: LabelScale | str = "0:5",
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
        scale: of the labels.
        columns: the names of the two sentences, the label and the source, as a list, a mapping or
            their text (see `PairColumns`); what is not named is looked for under the names that
            are common in English and Korean. In a file without a line of names, one number and two
            texts a row are recognised, and columns can be named by their numbers.
        encoding: as for `read_table`.
        format: likewise.
        name: what tables call the pairs; by default the file's name.

    Raises:
        DataError: the file cannot be read, lacks a column, or holds a label that is no number or
            a sentence that is no text; the row number and the value are named.
        ConfigError: ``scale``, ``columns`` or ``encoding`` is none.
        MissingExtraError: an Excel file is read, and openpyxl is not installed.
    """
    scale = LabelScale.parse(scale) if isinstance(scale, str) else scale
    chosen = PairColumns.parse(columns)
    notices: list[str] = []
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
        notices.append(f"{where}: columns {', '.join(guessed.names)} are two sentences and a label")
    found = chosen.find(table.columns, where)
    first, second, label = str(found.sentence1), str(found.sentence2), str(found.label)
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
    if found.source is not None:
        frame["source"] = ["" if _missing(value) else str(value) for value in table[found.source]]
    if "annotations" in table:
        frame["annotations"] = _annotations(table["annotations"], scale, where)
    return RawPairs(
        name=name or Path(Path(path).name.removesuffix(".gz")).stem,
        frame=frame,
        scale=scale,
        origin=where,
        notices=tuple(notices),
    )


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


def _by_content(table: pd.DataFrame) -> PairColumns | None:
    """Return the columns of a table without names if two of its three are text and one numbers."""
    if list(table.columns) != ["1", "2", "3"]:
        return None
    numeric = [
        name
        for name, values in table.items()
        if all(is_number(value) for value in values if not _missing(value))
    ]
    if len(numeric) != 1:
        return None
    first, second = (name for name in table.columns if name not in numeric)
    return PairColumns(first, second, str(numeric[0]))


def _texts(column: pd.Series[Any], name: str, where: str) -> pd.Series[Any]:
    for row, value in enumerate(column, 1):
        if not _missing(value) and not _is_text(value):
            raise DataError(f"{where}: row {row}: {name} {value!r:.40} is no text; correct it")
    return column.where(column.notna(), None)


def _is_text(value: Any) -> bool:
    # JSON can escape half of a surrogate pair, which no tokenizer takes and no file can hold.
    return isinstance(value, str) and not _HALF_CHARACTER.search(value)


def _number(value: Any, row: int, name: str, where: str) -> float:
    text = str(value).strip()
    number = _TRUTH.get(text.casefold())
    if number is not None:
        return number
    try:
        if "_" in text:  # Python would take 1_000 for a thousand
            raise ValueError
        return float(text)
    except ValueError:
        raise DataError(
            f"{where}: row {row}: {name} {text[:40]!r} is not a number; correct it, "
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
