"""How an encoder is trained."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from kosim.encoders.compute.runtime import TrainingPrecision
from kosim.encoders.records import Kind
from kosim.encoders.settings import Settings

PrecisionChoice = Literal["auto"] | TrainingPrecision
COMPARING_LOSSES = frozenset({"cosent", "angle"})
"""Losses that compare the pairs of a batch with each other, of one process only."""

LOSS_NAMES: dict[Kind, tuple[str, ...]] = {
    "bi": ("cosine", "cosent", "angle"),
    "cross": ("bce", "mse"),
}
"""The losses of each kind, the default first; ``training.losses`` has the functions."""

Criterion = Literal["loss", "pearson", "f1"]
CRITERIA: dict[Criterion, str] = {
    "loss": "validation_loss",
    "pearson": "pearson",
    "f1": "f1",
}
"""What the best epoch can be chosen by, and its name in the history."""


class TrainingConfig(Settings):
    """How an encoder is trained; the defaults are KoELECTRA's documented base values.

    `default_training` returns better ones for a kind and
    the size of its backbone; commands and comparisons use those.
    """

    epochs: int = Field(10, ge=1, description="Passes over the training pairs.")
    learning_rate: float = Field(
        5e-5, gt=0, lt=1, description="Highest learning rate of the linear schedule."
    )
    warmup: float = Field(
        0.0, ge=0, lt=1, description="Share of the steps in which the learning rate rises."
    )
    weight_decay: float = Field(0.0, ge=0, lt=1, description="Weight decay of the AdamW optimiser.")
    batch_size: int = Field(32, ge=1, description="Pairs in a batch, over all processes.")
    gradient_accumulation: int = Field(
        1, ge=1, description="Batches whose gradients are summed before a step."
    )
    max_gradient_norm: float = Field(1.0, gt=0, description="Norm to which gradients are clipped.")
    loss: str | None = Field(
        None, description="Loss: cosine, cosent or angle (bi); bce or mse (cross)."
    )
    matryoshka: tuple[int, ...] | None = Field(
        None,
        description="Numbers of dimensions that the vectors of a bi-encoder are trained to be cut "
        "to as well, such as 256,128,64.",
    )
    select: Criterion = Field(
        "pearson", description="Validation figure that chooses the best epoch."
    )
    patience: int = Field(
        0,
        ge=0,
        description="Epochs without improvement, once the learning rate has risen, after which "
        "training stops; 0 for no early stop.",
    )
    swap_augmentation: bool = Field(
        False, description="Train a cross-encoder on both orders of every pair."
    )
    group_by_length: bool = Field(True, description="Group pairs of similar length into batches.")
    precision: PrecisionChoice = Field(
        "fp32", description="Arithmetic of training; auto: bf16 where the processor has it."
    )
    seed: int = Field(
        1, ge=0, description="Seed for the order of the pairs, dropout and new weights."
    )
    report_to: str = Field(
        "none", description="Experiment tracker of transformers, such as tensorboard, or none."
    )

    @field_validator("matryoshka", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    @field_validator("matryoshka")
    @classmethod
    def _descending(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and min(value, default=0) < 1:
            raise ValueError("give whole numbers of at least 1, such as 256,128,64")
        return None if value is None else tuple(sorted(set(value), reverse=True))

    @field_validator("patience", mode="before")
    @classmethod
    def _no_patience(cls, value: Any) -> Any:
        # Files of earlier versions say null where training never stops early.
        return 0 if value is None else value
