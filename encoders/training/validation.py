"""Validation after each epoch, the same for both kinds, and early stopping on its values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers.base.evaluation import BaseEvaluator
from transformers import TrainerCallback, TrainerState

from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import (
    ArtifactError,
    TrainingError,
    UndefinedMetricError,
)
from kosim.encoders.metrics import best_f1_threshold, f1, nearly_constant, pearson, spearman
from kosim.encoders.records import LabelledPairs
from kosim.encoders.training.checkpoints import STATE


class PairValidator(BaseEvaluator):
    """Scores the validation pairs with the encoder as it stands and reports its metrics.

    F1 is taken at the threshold that is best on these raw scores: before calibration no
    fixed threshold has a meaning. A model that gives every pair the same score, up to the rounding
    of float32, has learnt nothing; its correlations count as 0.
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
        try:
            raw = self.encoder.score(self.pairs.pairs, raw=True)
        except ArtifactError as error:
            raise TrainingError(
                "training diverged: the encoder's scores are no longer numbers; "
                "lower the learning rate"
            ) from error
        labels = self.pairs.labels
        if nearly_constant(raw):
            raw = np.full_like(raw, raw.mean())
        try:
            correlations = {"pearson": pearson(labels, raw), "spearman": spearman(labels, raw)}
        except UndefinedMetricError:
            correlations = {"pearson": 0.0, "spearman": 0.0}
        return {**correlations, "f1": f1(labels, raw, threshold=best_f1_threshold(labels, raw))}


class Patience(TrainerCallback):
    """Stops training after ``epochs`` epochs that were no better than the best.

    Epochs that end within the ``warmup`` of the learning rate, a number of epochs, do not count:
    small steps look best for a while, whatever the larger ones reach later.

    It judges by the run's whole log, which checkpoints keep. transformers' own early stopping
    counts in memory: a resumed run starts to count again and trains longer.
    """

    def __init__(
        self, epochs: int, *, metric: str, greater_is_better: bool, warmup: float = 0.0
    ) -> None:
        self.epochs = epochs
        self.ignored = max(math.ceil(warmup) - 1, 0)
        self.metric = metric
        self.sign = 1 if greater_is_better else -1

    def on_evaluate(self, args: Any, state: TrainerState, control: Any, **rest: Any) -> None:
        """Ask the trainer to stop when patience has run out."""
        if self._epochs_after_best(state) >= self.epochs:
            control.should_training_stop = True

    def stopped_at(self, checkpoint: Path) -> int | None:
        """Return the epoch at which a run had stopped early by ``checkpoint``, if it had."""
        state = TrainerState.load_from_json(str(checkpoint / STATE))
        stopped = self._epochs_after_best(state) >= self.epochs
        return len(self._values(state)) if stopped else None

    def _values(self, state: TrainerState) -> list[float]:
        return [self.sign * row[self.metric] for row in state.log_history if self.metric in row]

    def _epochs_after_best(self, state: TrainerState) -> int:
        values = self._values(state)[self.ignored :]
        return len(values) - 1 - values.index(max(values)) if values else 0
