"""A predictor that knows nothing: how many character bigrams two sentences share."""

from __future__ import annotations

import numpy as np

from kosim.encoders.errors import UndefinedMetricError
from kosim.encoders.metrics import Floats, pearson
from kosim.encoders.records import LabelledPairs
from kosim.experiments.comparison.results import TrivialPredictor
from kosim.experiments.data.cleaning import comparable
from kosim.experiments.data.partition import Partition


def bigram_overlap(pairs: LabelledPairs) -> Floats:
    """Return for n pairs the Dice share of their sets of character bigrams, (n,) of 0 to 1."""
    return np.array([_dice(_bigrams(one), _bigrams(other)) for one, other in pairs.pairs])


def trivial_predictor(partition: Partition) -> TrivialPredictor:
    """Return what the overlap of bigrams reaches on the validation and the test pairs."""
    validation = partition.training.validation if partition.training is not None else None
    return TrivialPredictor(
        validation=None if validation is None else _pearson(validation),
        test=_pearson(partition.test.pairs),
    )


def _pearson(pairs: LabelledPairs) -> float | None:
    try:
        return pearson(pairs.labels, bigram_overlap(pairs))
    except UndefinedMetricError:
        return None


def _bigrams(text: str) -> set[str]:
    """Return the bigrams of a text; of a single character, the character itself."""
    known = comparable(text)
    return {known[at : at + 2] for at in range(max(len(known) - 1, 1))}


def _dice(one: set[str], other: set[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other))
