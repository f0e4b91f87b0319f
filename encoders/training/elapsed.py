"""How long a training took, over all calls of it where some were killed."""

from __future__ import annotations

import time
from typing import Any

from transformers import TrainerCallback

_KEY = "elapsed_seconds"


class Elapsed(TrainerCallback):
    """Counts seconds, and carries those so far in the trainer's log into its checkpoints.

    What a killed call had done since its last checkpoint is done again and not counted twice.
    """

    def __init__(self) -> None:
        self._before, self._began = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """The seconds so far, of this call and of those before the checkpoint it began from."""
        return self._before + time.monotonic() - self._began

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Take over what the checkpoint says, if there is one."""
        self._before = max((row.get(_KEY, 0.0) for row in state.log_history), default=0.0)

    def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Note the seconds in the row that was just logged."""
        if state.log_history:
            state.log_history[-1][_KEY] = self.seconds
