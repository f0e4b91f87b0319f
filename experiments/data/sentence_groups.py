"""Sentences in groups that mean the same: what retrieval is evaluated on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kosim.encoders.column_names import GROUPS, TEXTS, find_column, listed
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.tables import id_text, printable, read_lines, read_table, source_name
from kosim.encoders.texts import comparable, is_text

PARAKQC_GROUP = 10
"""ParaKQC lists its intents in order, ten paraphrases each."""


@dataclass(frozen=True)
class SentenceGroups:
    """n sentences and the group of each, (n,) int64 from 0 without gaps."""

    texts: tuple[str, ...]
    groups: npt.NDArray[np.int64]

    @property
    def count(self) -> int:
        """The number of groups."""
        return int(self.groups.max()) + 1

    def held_out(self, count: int, *, seed: int) -> npt.NDArray[np.int64]:
        """Return the numbers of ``count`` groups drawn without replacement, ascending: (count,).

        Raises:
            ConfigError: there are not so many groups.
        """
        if not 1 <= count <= self.count:
            raise ConfigError(f"cannot hold out {count} of {self.count} groups")
        drawn = np.random.default_rng(seed).choice(self.count, size=count, replace=False)
        return np.sort(drawn).astype(np.int64)

    def sentences(self, chosen: npt.NDArray[np.int64]) -> list[str]:
        """Return the distinct sentences of the chosen groups, in order."""
        inside = np.isin(self.groups, chosen)
        return list(
            dict.fromkeys(
                comparable(text) for text, is_in in zip(self.texts, inside, strict=True) if is_in
            )
        )


def load_groups(path: str | Path) -> SentenceGroups:
    """Read grouped sentences: a table with columns ``group`` and ``text``, or ParaKQC's own file.

    ParaKQC's file is known by its suffix ``.txt``: topic, act and sentence separated by tabs
    without a header, an intent's ten paraphrases after one another.

    Raises:
        DataError: the file cannot be read, lacks a column, has an empty cell, or has no group
            of at least two sentences.
    """
    source = Path(path)
    names, texts = _parakqc(source) if source.suffix == ".txt" else _table(source)
    groups, _ = pd.factorize(np.array(names, dtype=object), sort=True)
    if np.bincount(groups).max() < 2:
        raise DataError(f"{source_name(path)}: no group has two sentences, so nothing can be found")
    return SentenceGroups(tuple(texts), groups.astype(np.int64))


def _table(path: Path) -> tuple[list[str], list[str]]:
    frame = read_table(path)
    columns = {
        "group": find_column(frame.columns, GROUPS),
        "text": find_column(frame.columns, TEXTS),
    }
    read = {}
    for role, column in columns.items():
        if column is None:
            raise DataError(
                f"{source_name(path)} has no column {role!r} (it has {listed(frame.columns)}); "
                "grouped sentences need group and text"
            )
        values = [id_text(value) for value in frame[column]]
        for row, (text, value) in enumerate(zip(values, frame[column], strict=True), 1):
            if text is None:
                blank = value is None or isinstance(value, str) or value != value  # NaN
                problem = "is empty" if blank else f"{printable(repr(value)[:40])} is not text"
                raise DataError(f"{source_name(path)}: row {row}: the {column} {problem}")
            if not is_text(text):
                raise DataError(
                    f"{source_name(path)}: row {row}: the {column} {printable(text[:40])!r} holds "
                    "half a character; correct it"
                )
        read[role] = [str(text) for text in values]
    return read["group"], read["text"]


def _parakqc(path: Path) -> tuple[list[str], list[str]]:
    texts = []
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split("\t")
        if len(cells) != 3 or not cells[2].strip():
            raise DataError(
                f"{source_name(path)}: line {number}: not topic, act and sentence separated by "
                "tabs, as ParaKQC has them; give other groups as a table with group and text"
            )
        texts.append(cells[2].strip())
    if len(texts) % PARAKQC_GROUP:
        raise DataError(
            f"{source_name(path)} has {len(texts)} sentences, which is not a multiple of "
            f"{PARAKQC_GROUP}: ParaKQC has ten an intent"
        )
    return [f"{position // PARAKQC_GROUP:09d}" for position in range(len(texts))], texts
