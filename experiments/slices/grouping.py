"""The slices of a test set: by source, label, length, overlap, distinction and own columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.language import Line, both
from kosim.encoders.pair_columns import PairColumns
from kosim.encoders.records import DECISION_THRESHOLD, LabelledPairs
from kosim.encoders.table_formats.cells import is_number
from kosim.encoders.tables import STANDARD_INPUT, log_notice, read_table
from kosim.experiments.data.labels import text_of
from kosim.experiments.settings import DataSettings
from kosim.experiments.slices.distinctions import DISTINCTIONS, bigram_overlap, distinctions

Rows = npt.NDArray[np.intp]
MUCH = 0.5
"""From this share of common character bigrams on the overlap of two sentences is called much."""

MOST_VALUES = 12
"""A column with more numbers than this is cut into thirds; of more texts the commonest are kept."""

FAMILIES = ("source", "label", "length", "overlap", "overlap and label", "distinction")
"""The families of slices that every test set has; a column of the same name is called a column."""


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
        columns: further values of each pair, n by name; each value is a slice. Which rows or
            columns are in no slice is logged.
    """
    labels, overlap = pairs.labels, bigram_overlap(pairs)
    length = np.array([(len(a) + len(b)) / 2 for a, b in pairs.pairs])
    found, by_kiwi = distinctions(pairs.pairs)
    masks: dict[tuple[str, str], npt.NDArray[np.bool_]] = {}
    sources = np.array(pairs.sources, dtype=object)
    for source in [*_commonest(sources, "source"), ""]:
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
        texts = np.array([text_of(each) for each in values], object)
        if any(texts) and np.array_equal(texts, sources):
            continue  # its slices are there, as those by source
        family = f"column {column}" if column in FAMILIES else column
        masks |= {(family, name): mask for name, mask in _by_value(texts, column).items()}
    slices = [Slice(*key, np.flatnonzero(mask)) for key, mask in masks.items()]
    # A slice that holds every pair says what the whole test set says.
    return [each for each in slices if 0 < len(each.rows) < len(pairs)], by_kiwi


def read_columns(
    names: Sequence[str], data: DataSettings, rows: Sequence[int]
) -> dict[str, list[Any]]:
    """Return columns of the file of the test pairs, a value for each of its ``rows`` from 1.

    Raises:
        ConfigError: the data are not a file that can be read twice, or it has no such column.
        DataError: the file cannot be read, or a value of a column is a list or an object.
    """
    if not names:
        return {}
    path = data.test or data.train
    if path is None or path == STANDARD_INPUT:
        raise ConfigError(
            f"slices by {', '.join(names)} need a file of test pairs; give --test FILE"
        )
    # Which line names the columns depends on those that are wanted, as for the pairs themselves.
    wanted = PairColumns.parse((data.test_columns if data.test else None) or data.columns).names
    table = read_table(path, encoding=data.encoding, columns=wanted, notice=lambda _: None)
    for name in names:
        if name not in table:
            raise ConfigError(
                f"{path} has no column {name!r} for a slice; it has {', '.join(table.columns)}"
            )
        for row, value in enumerate(table[name], 1):
            if isinstance(value, list | dict):
                raise DataError(
                    f"{path}: row {row}: {name} is {str(value)!r:.60}; a slice needs one value a "
                    "pair: name another column"
                )
    return {name: [table[name].iloc[row - 1] for row in rows] for name in names}


def _by_value(texts: npt.NDArray[np.object_], column: str) -> dict[str, npt.NDArray[np.bool_]]:
    """Return a mask for each value of a column of n texts, "" where it has none."""
    known = set(texts) - {""}
    if len(known) > MOST_VALUES and all(map(is_number, known)):
        values = np.array([float(text) if text else np.nan for text in texts])
        return _thirds(np.where(np.isfinite(values), values, np.nan))
    if len(known) < 2 and (not known or "" not in texts):
        value = repr(next(iter(known), ""))
        held = Line("no value in any row", "어느 행에도 값이 없어")
        if known:
            held = Line(f"{value} in every row", f"모든 행에서 같은 값({value})이어서")
        log_notice(
            both(
                "column {column} has {held}, which makes no slice",
                "{column} 열은 {held} 나눌 수 없습니다",
                column=repr(column),
                held=held,
            )
        )
    return {name: texts == name for name in _commonest(texts, column)}


def _commonest(texts: npt.NDArray[np.object_], column: str) -> list[str]:
    """Return the values of n texts that become slices: the commonest, in the order of letters."""
    counts = Counter(text for text in texts if text)
    common = sorted(sorted(counts), key=lambda text: -counts[text])[:MOST_VALUES]
    if len(counts) > MOST_VALUES:
        log_notice(
            both(
                "column {column} has {n} values: the {most} commonest are slices, with {kept} of "
                "{pairs} pairs",
                "{column} 열의 값은 {n}가지입니다. 가장 흔한 {most}가지로 나누며, {pairs}쌍 가운데 "
                "{kept}쌍이 들어갑니다",
                column=repr(column),
                n=f"{len(counts):,}",
                most=str(MOST_VALUES),
                kept=f"{sum(counts[text] for text in common):,}",
                pairs=f"{len(texts):,}",
            )
        )
    return sorted(common)


def _thirds(values: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.bool_]]:
    """Cut at the thirds of the values; a name says the range of its part."""
    # At values that occur, so that a rounded name never promises one that is in the next part.
    low, high = np.nanquantile(values, [1 / 3, 2 / 3], method="lower")
    first, last = _ends(low, high)
    parts = {
        f"up to {first}": values <= low,
        f"{first} to {last}": (values > low) & (values <= high),
        f"above {last}": values > high,
    }
    return {name: mask for name, mask in parts.items() if mask.any()}


def _ends(low: float, high: float) -> tuple[str, str]:
    """Return both numbers with so many digits that they differ, without an exponent if possible."""
    for digits in range(6, 18):
        first, last = f"{low:.{digits}g}", f"{high:.{digits}g}"
        if "e+" not in first + last and (first != last or low == high):
            break
    return first, last
