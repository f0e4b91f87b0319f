"""What a training is said to cost before it runs."""

from __future__ import annotations

import pytest

from kosim.encoders.base import PairEncoder
from kosim.encoders.training import TrainingConfig
from kosim.encoders.training.timing import measure_training, steps_per_epoch
from tests.encoders.tiny import config, labelled_pairs


@pytest.mark.parametrize(
    ("pairs", "settings", "steps"),
    [
        (64, {"batch_size": 16}, 4),
        (65, {"batch_size": 16}, 5),
        (65, {"batch_size": 16, "gradient_accumulation": 2}, 3),
        (65, {"batch_size": 16, "swap_augmentation": True}, 9),
        (3, {"batch_size": 16}, 1),
    ],
)
def test_steps_are_counted(pairs: int, settings: dict[str, int], steps: int) -> None:
    assert steps_per_epoch(pairs, TrainingConfig(**settings)) == steps


def test_a_plan_counts_what_the_training_does(fresh: PairEncoder) -> None:
    pairs, validation = labelled_pairs(80), labelled_pairs(20, seed=1)
    cost = measure_training(fresh, pairs, validation, config(epochs=3, batch_size=16), steps=2)
    assert (cost.steps_per_epoch, cost.steps, cost.precision) == (5, 15, "fp32")
    assert cost.seconds_per_step > 0
    assert cost.seconds == pytest.approx(15 * cost.seconds_per_step + 3 * cost.validation_seconds)
    assert cost.peak_memory is None or cost.peak_memory > 2**20


def test_fewer_pairs_than_the_timed_steps_need_are_enough(fresh: PairEncoder) -> None:
    pairs = labelled_pairs(8)
    cost = measure_training(fresh, pairs, pairs, config(batch_size=16), steps=5)
    assert cost.steps_per_epoch == 1
    assert cost.seconds_per_step > 0
