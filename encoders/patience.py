"""Early stopping that survives a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerState

from kosim.encoders.checkpoints import STATE


class Patience(TrainerCallback):
    """Stops training after ``epochs`` epochs that were no better than the best.

    It judges by the run's whole log, which checkpoints keep. transformers' own early stopping
    counts in memory: a resumed run starts to count again and trains longer.
    """

    def __init__(self, epochs: int, *, metric: str, greater_is_better: bool) -> None:
        self.epochs = epochs
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
        values = self._values(state)
        return len(values) - 1 - values.index(max(values))
