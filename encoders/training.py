"""One way to train either kind, on sentence-transformers' trainers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from datasets import Dataset
from pydantic import BaseModel, ConfigDict, Field, model_validator
from safetensors import SafetensorError
from transformers import PrinterCallback, TrainerCallback

from encoders.base import PairEncoder
from encoders.calibration import MonotoneCalibration
from encoders.checkpoints import file_problem, last_whole_checkpoint, verify_best
from encoders.errors import ConfigError, DataError, TrainingError
from encoders.metrics import best_f1_threshold
from encoders.patience import Patience
from encoders.recipes import RECIPES
from encoders.records import DECISION_THRESHOLD, LABEL_HIGH, LabelledPairs
from encoders.validation import PairValidator

Criterion = Literal["loss", "pearson", "f1"]
CRITERIA: dict[Criterion, str] = {
    "loss": "validation_loss",
    "pearson": "pearson",
    "f1": "f1",
}
"""What the best epoch can be chosen by, and its name in the history."""


class TrainingConfig(BaseModel):
    """How an encoder is trained; the defaults are KoELECTRA's documented base values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(10, ge=1, description="Passes over the training pairs.")
    learning_rate: float = Field(5e-5, gt=0, lt=1, description="Peak of the linear schedule.")
    warmup: float = Field(0.0, ge=0, lt=1, description="Share of the steps that warm up.")
    weight_decay: float = Field(0.0, ge=0, lt=1, description="AdamW's weight decay.")
    batch_size: int = Field(32, ge=1, description="Pairs in a batch.")
    gradient_accumulation: int = Field(1, ge=1, description="Batches summed before a step.")
    max_gradient_norm: float = Field(1.0, gt=0, description="Norm to which gradients are cut.")
    loss: str | None = Field(
        None, description="cosine, cosent or angle (bi); mse or bce (cross); default by kind."
    )
    select: Criterion = Field("pearson", description="Validation value of the best epoch.")
    patience: int | None = Field(
        None, ge=1, description="Stop after so many epochs that are no better; None: never."
    )
    swap_augmentation: bool = Field(
        False, description="Train a cross-encoder on both orders of every pair."
    )
    group_by_length: bool = Field(True, description="Batches of pairs that are equally long.")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="Arithmetic of training.")
    seed: int = Field(1, ge=0, description="Of order, dropout and new weights.")
    report_to: str = Field("none", description="A tracker that transformers knows, or none.")


class EpochRecord(BaseModel):
    """One row of the learning curves; metrics are of the validation pairs."""

    epoch: int
    train_loss: float
    validation_loss: float
    pearson: float
    spearman: float
    f1: float


class TrainingResult(BaseModel):
    """What training did: the curves, the chosen epoch and the decision threshold."""

    config: TrainingConfig
    history: list[EpochRecord]
    best_epoch: int
    best_epochs: dict[str, int]
    threshold: float
    seconds: float
    train_pairs: int
    validation_pairs: int

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 1 <= self.best_epoch <= len(self.history):
            raise ValueError("the best epoch is not in the history")
        return self


def train(
    encoder: PairEncoder,
    train_pairs: LabelledPairs,
    validation_pairs: LabelledPairs,
    config: TrainingConfig,
    *,
    folder: str | Path | None = None,
    resume: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
) -> TrainingResult:
    """Train an encoder in place; keep the best epoch, calibrate it and choose its threshold.

    Everything is chosen on the validation pairs. After each epoch a checkpoint is written,
    from which a killed run goes on to the same result.

    Args:
        encoder: a bi- or cross-encoder, changed in place.
        train_pairs: what is learnt from.
        validation_pairs: what the epoch, the calibration and the threshold are chosen on.
        config: the settings.
        folder: where checkpoints go; a temporary folder, removed afterwards, when None.
        resume: go on from the last whole checkpoint in ``folder`` if there is one.
        callbacks: transformers' own hooks, for progress or pruning.

    Raises:
        ConfigError: the loss does not belong to the encoder's kind, or the encoder was opened
            in another precision or with another backend.
        DataError: there are too few pairs, or the validation labels are all on one side.
        TrainingError: the best checkpoint could not be restored, or training diverged.
    """
    _check_data(train_pairs, validation_pairs)
    if not encoder.has_full_weights:
        raise ConfigError(
            f"an encoder in {encoder.precision} by {encoder.backend} cannot be trained; load it "
            "with backend torch in fp32"
        )
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="kosim-") as place:
            return train(
                encoder,
                train_pairs,
                validation_pairs,
                config,
                folder=place,
                callbacks=callbacks,
            )
    started = time.monotonic()
    checkpoints = Path(folder)
    patience = _patience(config)
    trainer = _trainer(
        encoder,
        train_pairs,
        validation_pairs,
        config,
        checkpoints,
        [*callbacks, patience] if patience else callbacks,
    )
    last = last_whole_checkpoint(checkpoints) if resume else None
    if last and patience and (epoch := patience.stopped_at(last)):
        trainer.args.num_train_epochs = epoch  # nothing is left to train
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except (OSError, SafetensorError, RuntimeError) as error:
        if (problem := file_problem(error)) is None:
            raise
        raise TrainingError(
            f"training stopped, a checkpoint in {checkpoints} could not be written or read: "
            f"{problem}; free some space, or remove the damaged checkpoint, and resume"
        ) from error
    verify_best(encoder.model, trainer.state.best_model_checkpoint)
    history = _history(trainer.state.log_history)
    raw = encoder.score(validation_pairs.pairs, raw=True)
    encoder.calibration = MonotoneCalibration.fit(raw, validation_pairs.labels)
    encoder.threshold = best_f1_threshold(validation_pairs.labels, encoder.calibration(raw))
    best: dict[str, int] = {name: _best_epoch(history, name) for name in CRITERIA}
    result = TrainingResult(
        config=config,
        history=history,
        best_epoch=best[config.select],
        best_epochs=best,
        threshold=encoder.threshold,
        seconds=time.monotonic() - started,
        train_pairs=len(train_pairs),
        validation_pairs=len(validation_pairs),
    )
    encoder.training = result.model_dump(mode="json")
    return result


def _check_data(train_pairs: LabelledPairs, validation_pairs: LabelledPairs) -> None:
    for name, pairs in (("training", train_pairs), ("validation", validation_pairs)):
        if len(pairs) < 2:
            raise DataError(f"there are {len(pairs)} {name} pairs; give at least 2")
        if len(set(pairs.labels)) == 1:
            raise DataError(
                f"all {name} labels are {pairs.labels[0]:g}; nothing can be learnt from a "
                "constant label"
            )
    similar = validation_pairs.labels >= DECISION_THRESHOLD
    if similar.all() or not similar.any():
        raise DataError(
            f"all validation labels are {'at least' if similar.all() else 'below'} "
            f"{DECISION_THRESHOLD:g}, so that no threshold can be chosen; give similar and "
            "dissimilar pairs"
        )


def _patience(config: TrainingConfig) -> Patience | None:
    if config.patience is None:
        return None
    return Patience(
        config.patience,
        metric=f"eval_{config.select}",
        greater_is_better=config.select != "loss",
    )


def _trainer(
    encoder: PairEncoder,
    train_pairs: LabelledPairs,
    validation_pairs: LabelledPairs,
    config: TrainingConfig,
    folder: Path,
    callbacks: Sequence[TrainerCallback],
) -> Any:
    recipe = RECIPES[encoder.kind]
    name = config.loss or recipe.default_loss
    if name not in recipe.losses:
        raise ConfigError(
            f"loss {name!r} is not one of a {encoder.kind}-encoder; choose from "
            f"{', '.join(recipe.losses)}"
        )
    if config.swap_augmentation and not encoder.order_matters:
        raise ConfigError(
            f"swap_augmentation has no effect on a {encoder.kind}-encoder, whose score does "
            "not depend on the order; leave it out"
        )
    arguments = recipe.arguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=64,
        gradient_accumulation_steps=config.gradient_accumulation,
        max_grad_norm=config.max_gradient_norm,
        bf16=config.precision == "bf16",
        use_cpu=encoder.model.device.type == "cpu",
        seed=config.seed,
        prompts=recipe.prompt(encoder),
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{config.select}",
        greater_is_better=config.select != "loss",
        report_to=config.report_to,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    # The model card's example: left to be drawn from the pairs, it prints a progress bar.
    encoder.model.model_card_data.widget = [{"text": "거실 불을 꺼 줘."}]
    trainer = recipe.trainer(
        model=encoder.model,
        args=arguments,
        train_dataset=_dataset(train_pairs, both_orders=config.swap_augmentation),
        eval_dataset=_dataset(validation_pairs),
        loss=recipe.losses[name](encoder.model),
        evaluator=PairValidator(encoder, validation_pairs),
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)  # a library never prints
    if config.group_by_length:
        trainer.count_tokens = encoder.token_lengths
    return trainer


def _dataset(pairs: LabelledPairs, *, both_orders: bool = False) -> Dataset:
    first, second = list(pairs.sentence1), list(pairs.sentence2)
    labels = (pairs.labels / LABEL_HIGH).tolist()
    if both_orders:
        first, second, labels = first + second, second + first, labels + labels
    return Dataset.from_dict({"sentence1": first, "sentence2": second, "label": labels})


def _history(log: list[dict[str, float]]) -> list[EpochRecord]:
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


def _best_epoch(history: list[EpochRecord], criterion: Criterion) -> int:
    """Return the epoch with the best value, the earliest of several."""
    name = CRITERIA[criterion]
    sign = -1 if criterion == "loss" else 1
    return max(history, key=lambda row: (sign * getattr(row, name), -row.epoch)).epoch
