"""Training that cannot be done, or went wrong: one clear error, never a wrong encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import ConfigError, DataError, TrainingError
from kosim.encoders.records import LabelledPairs
from kosim.encoders.training.config import CRITERIA, Criterion
from kosim.encoders.training.losses import BiTrainer, CrossTrainer
from kosim.encoders.training.run import train
from tests.encoders.tiny import TRAIN, VALIDATION, config


@pytest.mark.parametrize("kind", ["bi"], indirect=True)
def test_swap_augmentation_of_a_bi_encoder_is_refused(fresh: PairEncoder) -> None:
    with pytest.raises(ConfigError, match="swap_augmentation has no effect on a bi-encoder"):
        train(fresh, TRAIN, VALIDATION, config(swap_augmentation=True))


def test_unknown_loss_is_refused(fresh: PairEncoder, kind: str) -> None:
    other = "cosine" if kind == "cross" else "bce"
    with pytest.raises(ConfigError, match=f"loss '{other}' is not one of a {kind}-encoder"):
        train(fresh, TRAIN, VALIDATION, config(loss=other))


@pytest.mark.parametrize("part", ["training", "validation"])
def test_constant_labels_are_refused(encoder: PairEncoder, part: str) -> None:
    constant = LabelledPairs.from_lists(TRAIN.pairs, [2.0] * len(TRAIN))
    given = (constant, VALIDATION) if part == "training" else (TRAIN, constant)
    with pytest.raises(DataError, match=f"all {part} labels are 2"):
        train(encoder, *given, config())


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pairs_are_refused(encoder: PairEncoder, count: int) -> None:
    with pytest.raises(DataError, match=f"there are {count} validation pairs"):
        train(encoder, TRAIN, VALIDATION.take(range(count)), config())


@pytest.mark.parametrize(("label", "side"), [(-1, "below"), (1, "at least")])
def test_validation_labels_on_one_side_are_refused(
    encoder: PairEncoder, label: int, side: str
) -> None:
    one_side = VALIDATION.take(np.flatnonzero(label * (VALIDATION.labels - 3) > 0))
    with pytest.raises(DataError, match=f"all validation labels are {side} 3"):
        train(encoder, TRAIN, one_side, config())


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"learning_rate": 0},
        {"warmup": 1},
        {"batch_size": 0},
        {"patience": -1},
        {"select": "spearman"},
        {"precision": "fp16"},
        {"learning_rates": 1e-5},
    ],
    ids=str,
)
def test_impossible_setting_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        config(**change)


class Poison(TrainerCallback):
    """Makes a weight NaN after the given epoch, as diverging training does."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if round(state.epoch) == self.after:
            with torch.no_grad():
                for weight in rest["model"].parameters():
                    weight.fill_(float("nan"))


@pytest.mark.parametrize("select", CRITERIA)
@pytest.mark.parametrize("kind", ["bi"], indirect=True)
def test_divergence_at_once_is_one_clear_error(fresh: PairEncoder, select: Criterion) -> None:
    with pytest.raises(TrainingError, match="lower the learning rate") as caught:
        train(fresh, TRAIN, VALIDATION, config(select=select), callbacks=[Poison(after=1)])
    assert "\n" not in str(caught.value)


def test_divergence_after_a_good_epoch_is_an_error(fresh: PairEncoder) -> None:
    with pytest.raises(TrainingError, match="lower the learning rate"):
        train(fresh, TRAIN, VALIDATION, config(), callbacks=[Poison(after=2)])


class Damage(TrainerCallback):
    """Cuts the weights of every checkpoint as soon as it is written."""

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        for file in Path(args.output_dir).glob("checkpoint-*/*.safetensors"):
            file.write_bytes(file.read_bytes()[:-100])


def test_best_checkpoint_that_is_damaged_is_an_error(fresh: PairEncoder) -> None:
    with pytest.raises(TrainingError, match="cannot be loaded again") as caught:
        train(fresh, TRAIN, VALIDATION, config(), callbacks=[Damage()])
    assert "\n" not in str(caught.value)


def test_best_weights_that_were_not_restored_are_an_error(
    fresh: PairEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for trainer in (BiTrainer, CrossTrainer):
        # What the trainer does when the checkpoint cannot be read: it logs and goes on.
        monkeypatch.setattr(trainer, "_load_best_model", lambda self: None)
    settings = config(epochs=4, patience=1, learning_rate=1e-1)
    with pytest.raises(TrainingError, match="was not restored"):
        train(fresh, TRAIN, VALIDATION, settings)
