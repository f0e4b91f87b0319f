"""The noise ceiling: how well a perfect model could do on labels that people made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import DataError, UndefinedMetricError
from kosim.encoders.metrics import Floats, pearson


@dataclass(frozen=True)
class Ceiling:
    """How far a test set's labels agree with themselves.

    ``split_half`` is the mean Pearson of one half of the annotators with the other,
    ``reliability`` that of the mean of all with the mean of as many others, and
    ``best_pearson`` what a model that knew the true mean would reach on these labels.
    """

    split_half: float
    reliability: float
    best_pearson: float


def split_half_reliability(
    annotations: Sequence[Sequence[float]], *, splits: int = 1000, seed: int = 0
) -> Ceiling:
    """Estimate the ceiling from each pair's raw ``annotations``, whose numbers may differ.

    Each split divides every pair's annotations at random into two halves (of an odd number,
    chance decides which half gets one more) and correlates the halves' means over the pairs.
    The Spearman-Brown formula 2 r / (1 + r) (Spearman 1910, Brown 1910) gives the reliability
    of all annotations together, and its root is the highest expected correlation with them:
    the correlation of an observed mean with the true one (Spearman 1904; Lord & Novick 1968).

    Raises:
        DataError: a pair has fewer than 2 annotations, or one that is not a finite number.
        UndefinedMetricError: fewer than 3 pairs, annotations all the same, or halves that do
            not correlate positively: then there is no reliability to speak of.
    """
    for row, given in enumerate(annotations):
        if len(given) < 2 or not np.isfinite(np.asarray(given, dtype=np.float64)).all():
            raise DataError(
                f"pair {row} has the annotations {[float(value) for value in given]}; "
                "split halves need at least 2 finite numbers a pair"
            )
    counts = np.array([len(given) for given in annotations], dtype=np.int64)
    present = np.arange(counts.max(initial=0)) < counts[:, None]
    values = np.zeros(present.shape)
    values[present] = [value for given in annotations for value in given]
    generator = np.random.default_rng(seed)
    correlations = [_split(values, present, counts, generator) for _ in range(splits)]
    split_half = float(np.mean(correlations))
    if split_half <= 0:
        raise UndefinedMetricError(
            f"the annotators' halves correlate with {split_half:.3f}, so their labels have no "
            "reliability; check that the annotations belong to the pairs"
        )
    reliability = 2 * split_half / (1 + split_half)
    return Ceiling(split_half, reliability, float(np.sqrt(reliability)))


def _split(
    values: Floats,
    present: npt.NDArray[np.bool_],
    counts: npt.NDArray[np.int64],
    generator: np.random.Generator,
) -> float:
    keys = np.where(present, generator.random(values.shape), np.inf)
    ranks = keys.argsort(axis=1).argsort(axis=1)
    sizes = (counts + generator.integers(0, 2, size=len(counts))) // 2
    first = ranks < sizes[:, None]
    second = present & ~first
    return pearson(
        np.sum(values * first, axis=1) / sizes, np.sum(values * second, axis=1) / (counts - sizes)
    )
