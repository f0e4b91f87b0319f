"""What a training did: its learning curves, the chosen epoch, the threshold and the notices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, model_validator

from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.training.config import CRITERIA, Criterion, TrainingConfig

SMALL_GAIN = 1e-3
"""A last epoch that raised the best validation Pearson by less ends a learning that is over."""


class EpochRecord(BaseModel):
    """One row of the learning curves; metrics are of the validation pairs."""

    epoch: int
    train_loss: float
    validation_loss: float
    pearson: float
    spearman: float
    f1: float


class TrainingResult(BaseModel):
    """What training did: the curves, the chosen epoch and the decision threshold.

    ``steps`` are those of the optimizer, 0 where an earlier version did not count them;
    the digests are those of the pairs, None where an earlier version did not take them;
    ``unknown_share`` is that of the training pairs' tokens that the tokenizer cannot read, None
    where an earlier version did not count them; ``shortened`` are the calibrations of vectors cut
    to the numbers of dimensions that a bi-encoder was trained for; ``notices`` say what else a
    reader must know.
    """

    config: TrainingConfig
    history: list[EpochRecord]
    best_epoch: int
    best_epochs: dict[str, int]
    threshold: float
    seconds: float
    steps: int = 0
    train_pairs: int
    validation_pairs: int
    train_digest: str | None = None
    validation_digest: str | None = None
    processes: int = 1
    unknown_share: float | None = None
    shortened: dict[int, MonotoneCalibration] = {}
    notices: list[str] = []

    def __repr__(self) -> str:
        best = self.history[self.best_epoch - 1]
        return (
            f"TrainingResult(best epoch {self.best_epoch} of {len(self.history)}, validation "
            f"Pearson {best.pearson:.3f}, {self.train_pairs:,} pairs, {self.seconds:.0f} s)"
        )

    __str__ = __repr__

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 1 <= self.best_epoch <= len(self.history):
            raise ValueError("the best epoch is not in the history")
        return self


def still_rising(values: Sequence[float | None]) -> bool:
    """Say whether the last epoch, the best one, raised the validation Pearson by enough.

    Args:
        values: the validation Pearson of each epoch, None where it is not known.
    """
    *before, last = values
    reached = [value for value in before if value is not None]
    # The learning rate falls to zero by the last epoch, which so is often the best by a hair.
    return last is None or not reached or not 0 < last - max(reached) < SMALL_GAIN


def history_of(log: list[dict[str, float]]) -> list[EpochRecord]:
    """Merge the trainer's log rows of one epoch: the training loss and the validation row."""
    losses = {round(row["epoch"]): row["loss"] for row in log if "loss" in row}
    return [
        EpochRecord(
            epoch=round(row["epoch"]),
            train_loss=losses[round(row["epoch"])],
            validation_loss=row["eval_loss"],
            pearson=row["eval_pearson"],
            spearman=row["eval_spearman"],
            f1=row["eval_f1"],
        )
        for row in log
        if "eval_loss" in row
    ]


def best_epoch(history: list[EpochRecord], criterion: Criterion) -> int:
    """Return the epoch with the best value, the earliest of several."""
    name = CRITERIA[criterion]
    sign = -1 if criterion == "loss" else 1
    return max(history, key=lambda row: (sign * getattr(row, name), -row.epoch)).epoch
