"""Validation after each epoch, the same for both kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
from sentence_transformers.base.evaluation import BaseEvaluator

from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import TrainingError, UndefinedMetricError
from kosim.encoders.metrics import best_f1_threshold, f1, pearson, spearman
from kosim.encoders.records import LabelledPairs


class PairValidator(BaseEvaluator):
    """Scores the validation pairs with the encoder as it stands and reports its metrics.

    F1 is taken at the threshold that is best on these raw scores: before calibration no
    fixed threshold has a meaning. A model that gives every pair the same score has learnt
    nothing; its correlations count as 0.
    """

    def __init__(self, encoder: PairEncoder, pairs: LabelledPairs) -> None:
        super().__init__()
        self.encoder = encoder
        self.pairs = pairs

    def __call__(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Return ``pearson``, ``spearman`` and ``f1``.

        Raises:
            TrainingError: a score is not a number.
        """
        raw = self.encoder.score(self.pairs.pairs, raw=True)
        if not np.isfinite(raw).all():
            raise TrainingError(
                "training diverged: the encoder's scores are no longer numbers; "
                "lower the learning rate"
            )
        labels = self.pairs.labels
        try:
            correlations = {"pearson": pearson(labels, raw), "spearman": spearman(labels, raw)}
        except UndefinedMetricError:
            correlations = {"pearson": 0.0, "spearman": 0.0}
        return {**correlations, "f1": f1(labels, raw, threshold=best_f1_threshold(labels, raw))}
