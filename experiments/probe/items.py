"""Minimal pairs: a sentence, another that means the same, and a third that does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kosim.encoders.errors import DataError
from kosim.encoders.tables import read_table

ITEMS = Path(__file__).parent / "items.tsv"
"""The items that ship with kosim, as benchmarks/probes/generate.py writes them."""

_NEEDED = ("sentence", "same", "different")


@dataclass(frozen=True)
class Item:
    """A sentence, one that means the ``same``, and one that means something ``different``."""

    phenomenon: str
    sentence: str
    same: str
    different: str


def read_items(path: str | Path = ITEMS, *, encoding: str | None = None) -> list[Item]:
    """Read items from a table with the columns sentence, same and different.

    A column phenomenon, where there is one, says what each item is about.

    Raises:
        DataError: the file cannot be read, lacks a column, or has an empty cell.
    """
    table = read_table(path, encoding=encoding)
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        raise DataError(
            f"{path} has no column {' and no column '.join(missing)}; give the columns "
            "sentence, same and different, and optionally phenomenon"
        )
    rows = table.reindex(columns=["phenomenon", *_NEEDED]).to_numpy().tolist()
    return [_item(path, number, row) for number, row in enumerate(rows, start=1)]


def _item(path: str | Path, number: int, row: Sequence[object]) -> Item:
    phenomenon, *texts = row
    for name, text in zip(_NEEDED, texts, strict=True):
        if not isinstance(text, str) or not text.strip():
            raise DataError(
                f"{path}: item {number} has no text under {name}; complete or remove it"
            )
    named = isinstance(phenomenon, str) and phenomenon.strip()
    return Item(phenomenon if named else "all", *map(str, texts))  # type: ignore[arg-type]
