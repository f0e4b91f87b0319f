"""A predictor that knows nothing: how many character bigrams two sentences share."""

from __future__ import annotations

from kosim.encoders.errors import UndefinedMetricError
from kosim.encoders.metrics import pearson
from kosim.encoders.records import LabelledPairs
from kosim.experiments.comparison.results import TrivialPredictor
from kosim.experiments.data.partition import Partition
from kosim.experiments.slices.distinctions import bigram_overlap


def trivial_predictor(partition: Partition) -> TrivialPredictor:
    """Return what the overlap of bigrams reaches on the validation and the test pairs."""
    validation = partition.training.validation if partition.training is not None else None
    return TrivialPredictor(
        validation=None if validation is None else trivial_pearson(validation),
        test=trivial_pearson(partition.test.pairs),
    )


def trivial_pearson(pairs: LabelledPairs) -> float | None:
    """Return what the overlap of bigrams reaches on pairs, None where that is undefined."""
    try:
        return pearson(pairs.labels, bigram_overlap(pairs))
    except UndefinedMetricError:
        return None
