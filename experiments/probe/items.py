"""Minimal pairs: a sentence, another that means the same, and a third that does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kosim.encoders.errors import DataError
from kosim.encoders.language import both
from kosim.encoders.tables import log_notice, read_table
from kosim.experiments.data.labels import text_of

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

    A column phenomenon, where there is one, says what each item is about, in words of one's own;
    items without one are ``all``. An item that stands there again is left out, which is logged.

    Raises:
        DataError: the file cannot be read, lacks a column, has an empty cell, or an item that no
            encoder can order: the different sentence is another one of the item, or means the
            same in an earlier item.
    """
    table = read_table(path, encoding=encoding)
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        raise DataError(
            f"{path} has no column {' and no column '.join(missing)}; give the columns "
            "sentence, same and different, and optionally phenomenon"
        )
    rows = table.reindex(columns=["phenomenon", *_NEEDED]).to_numpy().tolist()
    items = [_item(path, number, row) for number, row in enumerate(rows, start=1)]
    first = {(item.sentence, item.same, item.different): n for n, item in enumerate(items, start=1)}
    for number, item in enumerate(items, start=1):
        if other := first.get((item.sentence, item.different, item.same)):
            raise DataError(
                f"{path}: items {number} and {other} contradict each other: what means the same in "
                "one means something different in the other; correct one of them"
            )
    distinct = list(dict.fromkeys(items))
    if len(distinct) < len(items):
        log_notice(
            both(
                "{path}: {n} of {all} items stand there before and are counted once",
                "{path}: 문항 {all}개 가운데 {n}개는 앞에 이미 있어 한 번만 셉니다",
                path=str(path),
                n=f"{len(items) - len(distinct):,}",
                all=f"{len(items):,}",
            )
        )
    return distinct


def _item(path: str | Path, number: int, row: Sequence[object]) -> Item:
    phenomenon, *texts = row
    for name, text in zip(_NEEDED, texts, strict=True):
        if not isinstance(text, str) or not text.strip():
            raise DataError(
                f"{path}: item {number} has no text under {name}; complete or remove it"
            )
    sentence, same, different = map(str, texts)
    if different in (sentence, same):
        other = "sentence" if different == sentence else "same"
        raise DataError(
            f"{path}: item {number} has {different!r:.60} under {other} and under different; "
            "correct or remove it"
        )
    return Item(text_of(phenomenon) or "all", sentence, same, different)
