"""Sentences in groups that mean the same: what retrieval is evaluated on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.tables import read_lines, read_table
from kosim.experiments.data.cleaning import comparable

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
    _, groups, sizes = np.unique(names, return_inverse=True, return_counts=True)
    if sizes.max() < 2:
        raise DataError(f"{path}: no group has two sentences, so nothing can be found")
    return SentenceGroups(tuple(texts), groups.astype(np.int64))


def _table(path: Path) -> tuple[list[str], list[str]]:
    frame = read_table(path)
    for column in ("group", "text"):
        if column not in frame:
            raise DataError(
                f"{path} has no column {column!r} (it has {', '.join(map(str, frame.columns))}); "
                "grouped sentences need group and text"
            )
        empty = np.flatnonzero(frame[column].isna())
        if len(empty):
            raise DataError(f"{path}: row {empty[0] + 1}: the {column} is empty")
    return frame["group"].astype(str).tolist(), frame["text"].astype(str).tolist()


def _parakqc(path: Path) -> tuple[list[str], list[str]]:
    texts = []
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split("\t")
        if len(cells) != 3 or not cells[2].strip():
            raise DataError(
                f"{path}: line {number}: not topic, act and sentence separated by tabs, as "
                "ParaKQC has them; other grouped sentences come as a table with group and text"
            )
        texts.append(cells[2].strip())
    if len(texts) % PARAKQC_GROUP:
        raise DataError(
            f"{path} has {len(texts)} sentences, which is no multiple of {PARAKQC_GROUP}: "
            "ParaKQC has ten an intent"
        )
    return [f"{place // PARAKQC_GROUP:09d}" for place in range(len(texts))], texts
