"""The bar of a training by steps, and of a teacher's encoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import Progress, TaskID
from transformers import TrainerCallback

from kosim.experiments.cli.console import bars


class StepsBar(TrainerCallback):
    """Moves a bar by the trainer's steps and shows one figure of each evaluation."""

    def __init__(self, progress: Progress, label: str, figure: str) -> None:
        self.progress = progress
        self.label = label
        self.figure = figure
        self.task: TaskID | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Move the bar; the first step of this process shows it."""
        if self.task is None:
            self.task = self.progress.add_task("training", total=state.max_steps)
        self.progress.update(self.task, completed=state.global_step)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], **rest: Any
    ) -> None:
        """Print the figure above the bar."""
        self.progress.console.print(
            f"  step {state.global_step:,}: {self.label} {metrics[f'eval_{self.figure}']:.4f}",
            highlight=False,
        )


@contextmanager
def steps_progress(
    label: str, figure: str
) -> Iterator[tuple[list[TrainerCallback], Callable[[int, int], None]]]:
    """Yield the callbacks of a training, and what shows how many sentences are encoded.

    Args:
        label: what the figure is called.
        figure: the name of the figure to show at each evaluation.
    """
    with bars() as progress:
        tasks: list[TaskID] = []

        def encoded(done: int, total: int) -> None:
            if not tasks:
                tasks.append(progress.add_task("teacher", total=total))
            progress.update(tasks[0], completed=done, visible=done < total)

        yield [StepsBar(progress, label, figure)], encoded
