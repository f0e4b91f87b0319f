"""The records that every room shares: labelled pairs and ranked hits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, SupportsFloat

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import DataError
from kosim.encoders.pair_columns import ColumnChoice, PairColumns
from kosim.encoders.texts import Pair as Pair
from kosim.encoders.texts import as_members, as_pairs, as_texts, described

LABEL_LOW, LABEL_HIGH = 0.0, 5.0
"""Every label and calibrated score lives on KLUE-STS's scale, 0 (unrelated) to 5 (equivalent)."""

DECISION_THRESHOLD = 3.0
"""The documented verdict: a pair is similar from 3.0 of 5 on."""


Kind = Literal["bi", "cross"]
"""The two kinds of encoders."""

PoolingMode = Literal["mean", "cls", "max"]
"""How a bi-encoder makes one vector of those of its tokens."""


@dataclass(frozen=True, repr=False)
class LabelledPairs:
    """Sentence pairs with gold labels, clean: no missing value, every label in [0, 5].

    ``sentence1`` and ``sentence2`` hold n texts each, ``labels`` is (n,) float64 and
    ``sources`` holds n names ("" where the data has none). All four may be given as lists,
    tuples, pandas Series, arrays, columns of a data set or any other iterable of n values.

    Raises:
        DataError: a column is one string or a table, they differ in number, a value is not text, or
            a label is not a number on 0-5; the first such value is named with its position.
    """

    sentence1: tuple[str, ...]
    sentence2: tuple[str, ...]
    labels: npt.NDArray[np.float64]
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        first, second = (
            tuple(as_texts(getattr(self, name), name)) for name in ("sentence1", "sentence2")
        )
        labels = _labels(self.labels)
        sources = tuple(as_texts(self.sources, "sources")) or ("",) * len(first)
        lengths = {len(first), len(second), len(labels), len(sources)}
        if len(lengths) != 1:
            raise DataError(f"sentences, labels and sources differ in number: {sorted(lengths)}")
        outside = np.flatnonzero(~((labels >= LABEL_LOW) & (labels <= LABEL_HIGH)))
        if len(outside):
            raise DataError(
                f"label {labels[outside[0]]} of pair {outside[0]} is outside "
                f"{LABEL_LOW:g}-{LABEL_HIGH:g}; state the label scale when loading the data"
            )
        columns = {"sentence1": first, "sentence2": second, "labels": labels, "sources": sources}
        for name, column in columns.items():
            object.__setattr__(self, name, column)

    def __repr__(self) -> str:
        if not len(self):
            return "LabelledPairs(0 pairs)"
        sources = len(set(self.sources) - {""})
        return (
            f"LabelledPairs({len(self):,} pairs, labels {self.labels.min():g} to "
            f"{self.labels.max():g}, {sources} source{'' if sources == 1 else 's'})"
        )

    @classmethod
    def from_lists(
        cls,
        pairs: Iterable[Pair],
        labels: Iterable[float],
        sources: Iterable[str] | None = None,
    ) -> LabelledPairs:
        """Build the record from n ``(sentence1, sentence2)`` pairs and n labels on 0-5.

        Raises:
            DataError: as for the class, or one of the pairs is no two texts.
        """
        wanted = "(sentence1, sentence2), or a table to LabelledPairs.from_table"
        couples = as_pairs(pairs, wanted=wanted)
        return cls(
            sentence1=tuple(first for first, _ in couples),
            sentence2=tuple(second for _, second in couples),
            labels=labels,  # type: ignore[arg-type]  # an array is made of it
            sources=() if sources is None else tuple(sources),
        )

    @classmethod
    def from_table(cls, table: Any, columns: ColumnChoice | None = None) -> LabelledPairs:
        """Build the record from a DataFrame, a Hugging Face data set or a dict of columns.

        Args:
            table: has n rows; its labels are on 0-5.
            columns: names of the two sentences, the label and the source, as `PairColumns` takes
                them; common names in English and Korean are found without it.

        Raises:
            DataError: as for the class, or a column is not there.
            ConfigError: ``columns`` cannot be understood.
        """
        names = getattr(table, "column_names", None) or getattr(table, "columns", None)
        present = list(table) if names is None and isinstance(table, Mapping) else names
        if present is None:
            raise DataError(f"{described(table)} is not a table; give a DataFrame or a data set")
        found = PairColumns.parse(columns).find(present, "the table")
        return cls(
            sentence1=table[found.sentence1],
            sentence2=table[found.sentence2],
            labels=table[found.label],
            sources=() if found.source is None else table[found.source],
        )

    def __len__(self) -> int:
        return len(self.sentence1)

    @property
    def pairs(self) -> list[Pair]:
        """The n pairs without their labels."""
        return list(zip(self.sentence1, self.sentence2, strict=True))

    def take(self, rows: Sequence[int] | npt.NDArray[np.integer]) -> LabelledPairs:
        """Return the pairs at ``rows``, in that order."""
        positions = [int(row) for row in rows]
        return LabelledPairs(
            sentence1=tuple(self.sentence1[i] for i in positions),
            sentence2=tuple(self.sentence2[i] for i in positions),
            labels=self.labels[positions],
            sources=tuple(self.sources[i] for i in positions),
        )


def check_labels(name: str, pairs: LabelledPairs, *, file: str | None = None) -> None:
    """Check that something can be learnt from labels.

    Args:
        name: what the pairs are for, such as "training".
        pairs: any number.
        file: where they came from, if it is known.

    Raises:
        DataError: there are too few pairs, or their label is constant.
    """
    of = f" of {file}" if file else ""
    if len(pairs) < 2:
        raise DataError(f"there are {len(pairs)} {name} pairs{of}; give at least 2")
    if len(set(pairs.labels)) == 1:
        raise DataError(
            f"all {name} labels{of} are {pairs.labels[0]:g}; nothing can be learnt from a constant "
            "label"
        )


def check_validation(pairs: LabelledPairs, *, file: str | None = None) -> None:
    """Check that calibration and threshold can be chosen on validation pairs.

    Raises:
        DataError: as `check_labels`, or all are similar or none is.
    """
    check_labels("validation", pairs, file=file)
    similar = pairs.labels >= DECISION_THRESHOLD
    if similar.all() or not similar.any():
        of = f" of {file}" if file else ""
        raise DataError(
            f"all validation labels{of} are {'at least' if similar.all() else 'below'} "
            f"{DECISION_THRESHOLD:g}, so that no threshold can be chosen; give similar and "
            "dissimilar pairs"
        )


def _labels(values: Any) -> npt.NDArray[np.float64]:
    labels = as_members(values, "labels", "numbers")
    for position, label in enumerate(labels):
        if isinstance(label, str) or np.ndim(label) or not isinstance(label, SupportsFloat):
            raise DataError(f"label {position} is {described(label)}, which is not a number")
    return np.array(labels, dtype=np.float64)


@dataclass(frozen=True, repr=False)
class Hit:
    """One ranked document.

    ``position`` is its index in the list that was ranked, ``score`` is calibrated to 0-5,
    ``raw`` is the encoder's own value, by which hits are ordered.
    """

    position: int
    text: str
    score: float
    raw: float

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 60 else f"{self.text[:59]}…"
        return f"Hit({self.position}, {self.score:.2f}, {text!r})"
