"""The bar of a training; apart, because it takes seconds to import what a trainer calls."""

from __future__ import annotations

from typing import Any

from rich.progress import Progress
from transformers import TrainerCallback


class TrainingBar(TrainerCallback):
    """Moves a bar by the trainer's steps and shows each epoch's validation."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Show the bar."""
        self.task = self.progress.add_task(
            "training", total=state.max_steps, completed=state.global_step
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        self.progress.update(self.task, completed=state.global_step)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any
    ) -> None:
        """Print the figures of an epoch above the bar."""
        self.progress.console.print(
            f"  epoch {state.epoch:.0f}: validation loss {metrics['eval_loss']:.4f}, "
            f"Pearson {metrics['eval_pearson']:.4f}, F1 {metrics['eval_f1']:.4f}"
        )

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the bar away."""
        self.progress.remove_task(self.task)
