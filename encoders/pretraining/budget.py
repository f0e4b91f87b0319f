"""How long a run takes: a number of steps, of epochs, or of minutes."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from kosim.encoders.errors import ConfigError
from kosim.encoders.settings import Settings

if TYPE_CHECKING:
    from torch import nn

    from kosim.encoders.pretraining.batches import EpochBatches

_TRIAL_STEPS = 12
_UNTIMED = 2


class Budget(Settings):
    """The length of a run; one of the three, or one epoch."""

    steps: int | None = Field(None, ge=0, description="Number of batches to train on.")
    epochs: float | None = Field(None, gt=0, description="Number of passes over the corpus.")
    minutes: float | None = Field(
        None,
        gt=0,
        description="Minutes of training, turned into steps by a short trial at the start.",
    )

    @model_validator(mode="after")
    def _one(self) -> Budget:
        given = [name for name in ("steps", "epochs", "minutes") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]} both say how long to train; give one")
        return self

    def in_steps(self, network: nn.Module, source: EpochBatches[Any]) -> int:
        """Return the steps, measured on a copy of the network where minutes are asked for.

        Raises:
            ConfigError: not even one step is possible in the minutes.
        """
        if self.steps is not None:
            return self.steps
        epoch = source.batches(0)
        if self.minutes is None:
            return max(1, round((self.epochs or 1.0) * len(epoch)))
        seconds = seconds_a_step(network, source, epoch)
        steps = int(60 * self.minutes / seconds)
        if not steps:
            raise ConfigError(
                f"a step takes {seconds:.1f} s, more than the {self.minutes:g} minutes that are "
                "given; give more of them, or make the batches smaller"
            )
        return steps


def seconds_a_step(network: nn.Module, source: EpochBatches[Any], batches: Sequence[Any]) -> float:
    """Return the mean seconds of a training step, over batches from all of an epoch.

    The network and the global generator stay as they are.
    """
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        trial = copy.deepcopy(network).train()
        optimizer = torch.optim.AdamW(trial.parameters(), lr=1e-8, fused=True)
        chosen = [batches[len(batches) * at // _TRIAL_STEPS] for at in range(_TRIAL_STEPS)]
        started = time.perf_counter()
        for number, batch in enumerate(chosen):
            if number == _UNTIMED:
                started = time.perf_counter()
            trial(**source.make(batch))["loss"].backward()
            nn.utils.clip_grad_norm_(trial.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return (time.perf_counter() - started) / (_TRIAL_STEPS - _UNTIMED)
