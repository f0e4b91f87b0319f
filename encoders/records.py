"""The records that every room shares: labelled pairs and ranked hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import DataError

LABEL_LOW, LABEL_HIGH = 0.0, 5.0
"""Every label and calibrated score lives on KLUE-STS's scale, 0 (unrelated) to 5 (equivalent)."""

DECISION_THRESHOLD = 3.0
"""The documented verdict: a pair is similar from 3.0 of 5 on."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class LabelledPairs:
    """Sentence pairs with gold labels, clean: no missing value, every label in [0, 5].

    ``sentence1`` and ``sentence2`` hold n texts each, ``labels`` is (n,) float64 and
    ``sources`` holds n names ("" where the data has none).
    """

    sentence1: tuple[str, ...]
    sentence2: tuple[str, ...]
    labels: npt.NDArray[np.float64]
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        lengths = {
            len(self.sentence1),
            len(self.sentence2),
            len(self.labels),
            len(self.sources),
        }
        if len(lengths) != 1:
            raise DataError(f"sentences, labels and sources differ in number: {sorted(lengths)}")
        outside = np.flatnonzero(~((self.labels >= LABEL_LOW) & (self.labels <= LABEL_HIGH)))
        if len(outside):
            raise DataError(
                f"label {self.labels[outside[0]]} of pair {outside[0]} is outside "
                f"{LABEL_LOW:g}-{LABEL_HIGH:g}; state the label scale when loading the data"
            )

    @classmethod
    def from_lists(
        cls,
        pairs: Sequence[Pair],
        labels: Sequence[float] | npt.NDArray[np.floating],
        sources: Sequence[str] | None = None,
    ) -> LabelledPairs:
        """Build the record from n ``(sentence1, sentence2)`` pairs and n labels on 0-5."""
        return cls(
            sentence1=tuple(first for first, _ in pairs),
            sentence2=tuple(second for _, second in pairs),
            labels=np.asarray(labels, dtype=np.float64),
            sources=tuple(sources) if sources is not None else ("",) * len(pairs),
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


@dataclass(frozen=True)
class Hit:
    """One ranked document.

    ``position`` is its index in the list that was ranked, ``score`` is calibrated to 0-5,
    ``raw`` is the encoder's own value, by which hits are ordered.
    """

    position: int
    text: str
    score: float
    raw: float
