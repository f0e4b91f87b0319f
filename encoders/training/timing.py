"""What a training will cost: seconds of a step and memory, from a few real steps."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from kosim.encoders.base import PairEncoder
from kosim.encoders.records import LabelledPairs
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.run import resolve
from kosim.encoders.training.trainers import make_trainer

_SCORED = 64
_VALIDATION_PASSES = 2
"""After an epoch the validation pairs pass once for their loss and once for their metrics."""


@dataclass(frozen=True)
class TrainingCost:
    """What a training takes if it runs to its ceiling of epochs.

    ``peak_memory`` is in bytes: of the device where it is a GPU, else of this process, or None
    where the system does not tell. ``validation_seconds`` are those after one epoch.
    ``processor_seconds_per_step`` are those of all threads together: other programs that keep the
    processor busy hardly change them.
    """

    precision: str
    epochs: int
    steps_per_epoch: int
    seconds_per_step: float
    processor_seconds_per_step: float
    validation_seconds: float
    peak_memory: int | None

    @property
    def steps(self) -> int:
        """The steps of all epochs."""
        return self.epochs * self.steps_per_epoch

    @property
    def seconds(self) -> float:
        """The time of all epochs, with validation and without saving."""
        return self.steps * self.seconds_per_step + self.epochs * self.validation_seconds


def steps_per_epoch(pairs: int, config: TrainingConfig) -> int:
    """Return the optimizer's steps in one epoch."""
    seen = 2 * pairs if config.swap_augmentation else pairs
    batches = -(-seen // config.batch_size)
    return -(-batches // config.gradient_accumulation)


def measure_training(
    encoder: PairEncoder,
    train_pairs: LabelledPairs,
    validation_pairs: LabelledPairs,
    config: TrainingConfig,
    *,
    steps: int = 5,
) -> TrainingCost:
    """Train for a few steps on randomly drawn pairs and return what the whole training takes.

    The encoder's weights are changed: measure with one that is thrown away. One more step than
    is timed comes first.

    Args:
        encoder: a bi- or cross-encoder.
        train_pairs: all pairs that would be learnt from.
        validation_pairs: all pairs that would be validated on.
        config: the settings of the training.
        steps: how many steps are timed, at least 1; fewer where there are not pairs enough.
    """
    config = resolve(encoder, config)
    per_step = config.batch_size * config.gradient_accumulation
    random = np.random.default_rng(0)
    drawn = random.permutation(len(train_pairs))[: per_step * (steps + 1)]
    scored = random.permutation(len(validation_pairs))[:_SCORED]
    clock = _Clock()
    _forget_peak(encoder.model.device)
    with tempfile.TemporaryDirectory(prefix="kosim-") as folder:
        trainer = make_trainer(
            encoder,
            train_pairs.take(drawn),
            validation_pairs,
            config.model_copy(update={"epochs": 1}),
            Path(folder),
            [clock],
        )
        trainer.args.eval_strategy = IntervalStrategy.NO
        trainer.args.save_strategy = SaveStrategy.NO
        began, worked_before = time.perf_counter(), time.process_time()
        trainer.train()
    peak = _peak(encoder.model.device)
    # The first step makes the optimizer's state; where it is the only one, it has to do.
    gaps = gaps_between(clock.ends) or [clock.ends[0] - began]
    worked = gaps_between(clock.worked) or [clock.worked[0] - worked_before]
    began = time.perf_counter()
    encoder.score(validation_pairs.take(scored).pairs, raw=True)
    each = (time.perf_counter() - began) / len(scored)
    return TrainingCost(
        precision=config.precision,
        epochs=config.epochs,
        steps_per_epoch=steps_per_epoch(len(train_pairs), config),
        seconds_per_step=statistics.mean(gaps),
        processor_seconds_per_step=statistics.mean(worked),
        validation_seconds=_VALIDATION_PASSES * each * len(validation_pairs),
        peak_memory=peak,
    )


class _Clock(TrainerCallback):
    """Notes when each step ended, by the clock and by the processor's time."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.worked: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.ends.append(time.perf_counter())
        self.worked.append(time.process_time())


def gaps_between(times: list[float]) -> list[float]:
    """Return what lies between each time and the next."""
    return [after - before for before, after in pairwise(times)]


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the kernel's word for the peak
    except OSError:
        return


def _peak(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    lines = status.read_text(encoding="utf-8").splitlines()
    return next((int(row.split()[1]) * 1024 for row in lines if row.startswith("VmHWM")), None)
