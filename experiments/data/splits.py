"""Stratified parts of labelled pairs: the 9:1 split and the limited run."""

from __future__ import annotations

import math
from itertools import count

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedShuffleSplit

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.records import LabelledPairs

MINIMUM_PART = 5
"""Fewer pairs than this in one part of a split cannot choose a checkpoint or a threshold."""

Rows = npt.NDArray[np.int64]


def stratified_split(
    pairs: LabelledPairs, *, validation_share: float = 0.1, seed: int
) -> tuple[Rows, Rows]:
    """Split n pairs into training and validation rows, both with the same mix of labels.

    Strata are the labels rounded to integers (halves up); a stratum too small to be divided
    joins its neighbour. The same pairs, share and seed give the same split.

    Returns:
        The sorted row numbers (from 0) of the training and of the validation pairs: disjoint, and
        together all n. Validation holds ``ceil(n * validation_share)`` pairs.

    Raises:
        ConfigError: ``validation_share`` is not between 0 and 1.
        DataError: a part would hold fewer than ``MINIMUM_PART`` pairs.
    """
    if not 0 < validation_share < 1:
        raise ConfigError(f"validation_share is {validation_share}; give a share between 0 and 1")
    n = len(pairs)
    if _smaller_part(n, validation_share) < MINIMUM_PART:
        needed = next(
            size for size in count(n) if _smaller_part(size, validation_share) >= MINIMUM_PART
        )
        raise DataError(
            f"{n} pairs are too few to split with validation_share {validation_share:g}: each part "
            f"needs at least {MINIMUM_PART} pairs; give at least {needed} pairs"
        )
    validation = _draw(pairs.labels, _validation_size(n, validation_share), seed)
    return np.setdiff1d(np.arange(n), validation), validation


def limit(pairs: LabelledPairs, n: int, *, seed: int) -> LabelledPairs:
    """Return a subsample of at most ``n`` pairs with the same mix of labels, in their old order.

    Raises:
        ConfigError: ``n`` is below 1.
    """
    if n < 1:
        raise ConfigError(f"the limit is {n}; give the number of pairs to keep, at least 1")
    if n >= len(pairs):
        return pairs
    return pairs.take(_draw(pairs.labels, n, seed))


def _validation_size(n: int, validation_share: float) -> int:
    # Rounding first keeps 70 * 0.1 = 7.000000000000001 from becoming 8.
    return math.ceil(round(n * validation_share, 9))


def _smaller_part(n: int, validation_share: float) -> int:
    validation = _validation_size(n, validation_share)
    return min(validation, n - validation)


def _draw(labels: npt.NDArray[np.float64], n: int, seed: int) -> Rows:
    rest = len(labels) - n
    # Strata of this size are at most n and at most rest in number, which the draw requires.
    strata = _strata(labels, smallest=math.ceil(len(labels) / min(n, rest)))
    draw = StratifiedShuffleSplit(n_splits=1, train_size=n, test_size=rest, random_state=seed)
    chosen, _ = next(draw.split(strata, strata))
    return np.sort(chosen).astype(np.int64)


def _strata(labels: npt.NDArray[np.float64], *, smallest: int) -> npt.NDArray[np.int64]:
    """Return a stratum for each label; every stratum has at least ``smallest`` labels."""
    rounded = np.floor(labels + 0.5).astype(np.int64)
    values, sizes = np.unique(rounded, return_counts=True)
    stratum_of_value = np.zeros(len(values), dtype=np.int64)
    stratum = size = 0
    left = len(labels)
    for i, more in enumerate(sizes):
        stratum_of_value[i] = stratum
        size += int(more)
        left -= int(more)
        # A stratum closes only if what is left can fill another one.
        if size >= smallest and left >= smallest:
            stratum, size = stratum + 1, 0
    return stratum_of_value[np.searchsorted(values, rounded)]
