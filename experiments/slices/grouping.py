"""The slices of a test set: by source, label, length, overlap, distinction and own columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kosim.encoders.errors import ConfigError
from kosim.encoders.records import DECISION_THRESHOLD, LabelledPairs
from kosim.encoders.table_formats.cells import is_number
from kosim.encoders.tables import read_table
from kosim.experiments.settings import DataSettings
from kosim.experiments.slices.distinctions import DISTINCTIONS, distinctions
from kosim.experiments.slices.overlap import bigram_overlap

Rows = npt.NDArray[np.intp]
MUCH = 0.5
"""From this share of common character bigrams on the overlap of two sentences is called much."""

MOST_VALUES = 12
"""A column with more numbers than this is cut into thirds; of more texts the commonest are kept."""


@dataclass(frozen=True)
class Slice:
    """Test pairs that have something in common: ``rows`` among all of them."""

    family: str
    name: str
    rows: Rows


def slices_of(
    pairs: LabelledPairs, columns: Mapping[str, Sequence[Any]] | None = None
) -> tuple[list[Slice], bool]:
    """Return the slices of n test pairs, the empty ones left out, and whether Kiwi was used.

    Args:
        pairs: the test pairs.
        columns: further values of each pair, n by name; each value is a slice.
    """
    labels, overlap = pairs.labels, bigram_overlap(pairs)
    length = np.array([(len(a) + len(b)) / 2 for a, b in pairs.pairs])
    found, by_kiwi = distinctions(pairs.pairs)
    masks: dict[tuple[str, str], npt.NDArray[np.bool_]] = {}
    sources = np.array(pairs.sources, dtype=object)
    for source in sorted(set(pairs.sources)):
        masks["source", source] = sources == source
    for low in range(5):
        above = labels >= low
        masks["label", f"{low}-{low + 1}"] = above & ((labels < low + 1) | (low == 4))
    masks |= {("length", name): mask for name, mask in _thirds(length).items()}
    for least, most in ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.01)):
        masks["overlap", f"{least:g}-{min(most, 1):g}"] = (overlap >= least) & (overlap < most)
    much, similar = overlap >= MUCH, labels >= DECISION_THRESHOLD
    masks["overlap and label", "little, low"] = ~much & ~similar
    masks["overlap and label", "little, high"] = ~much & similar
    masks["overlap and label", "much, low"] = much & ~similar
    masks["overlap and label", "much, high"] = much & similar
    for name in DISTINCTIONS:
        masks["distinction", name] = np.array([name in each for each in found], dtype=bool)
    masks["distinction", "none"] = np.array([not each for each in found], dtype=bool)
    for column, values in (columns or {}).items():
        masks |= {(column, name): mask for name, mask in _by_value(values).items()}
    slices = [Slice(*key, np.flatnonzero(mask)) for key, mask in masks.items()]
    # A slice that holds every pair says what the whole test set says.
    return [each for each in slices if 0 < len(each.rows) < len(pairs)], by_kiwi


def read_columns(
    names: Sequence[str], data: DataSettings, rows: Sequence[int]
) -> dict[str, list[Any]]:
    """Return columns of the file of the test pairs, a value for each of its ``rows`` from 1.

    Raises:
        ConfigError: the data are not a file, or it has no such column.
        DataError: the file cannot be read.
    """
    if not names:
        return {}
    path = data.test or data.train
    if path is None:
        raise ConfigError(
            f"slices by {', '.join(names)} need a file of test pairs; give --test FILE"
        )
    table = read_table(path, encoding=data.encoding)
    for name in names:
        if name not in table:
            raise ConfigError(
                f"{path} has no column {name!r} for a slice; it has {', '.join(table.columns)}"
            )
    return {name: [table[name].iloc[row - 1] for row in rows] for name in names}


def _by_value(values: Sequence[Any]) -> dict[str, npt.NDArray[np.bool_]]:
    texts = np.array(["" if pd.isna(value) else str(value).strip() for value in values], object)
    common = pd.Series(texts[texts != ""]).value_counts()
    if len(common) > MOST_VALUES and all(map(is_number, common.index)):
        return _thirds(np.array([float(text) if text else np.nan for text in texts]))
    return {str(name): texts == name for name in sorted(common.index[:MOST_VALUES])}


def _thirds(values: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.bool_]]:
    """Cut at the thirds of the values; a name says the range of its part."""
    low, high = np.nanquantile(values, [1 / 3, 2 / 3])
    parts = {
        f"up to {low:g}": values <= low,
        f"{low:g} to {high:g}": (values > low) & (values <= high),
        f"above {high:g}": values > high,
    }
    return {name: mask for name, mask in parts.items() if mask.any()}
