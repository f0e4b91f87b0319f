"""What all commands share: where they print, how errors end them, how progress looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from transformers import TrainerCallback

output = Console()
"""Results: standard output."""

notes = Console(stderr=True)
"""Everything said on the way: standard error."""


def print_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table in the style of all our tables: text left, the rest right."""
    made = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 2))
    for place, column in enumerate(columns):
        made.add_column(column, justify="left" if place == 0 else "right")
    return made


class _TrainingProgress(TrainerCallback):
    """Moves a bar by the trainer's steps and shows each epoch's validation."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.task = self.progress.add_task(
            "training", total=state.max_steps, completed=state.global_step
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.progress.update(self.task, completed=state.global_step)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any
    ) -> None:
        self.progress.console.print(
            f"  epoch {state.epoch:.0f}: validation loss {metrics['eval_loss']:.4f}, "
            f"Pearson {metrics['eval_pearson']:.4f}, F1 {metrics['eval_f1']:.4f}"
        )

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.progress.remove_task(self.task)


@contextmanager
def training_progress(*, quiet: bool = False) -> Iterator[list[TrainerCallback]]:
    """Yield the trainer callbacks that show progress on standard error; none when ``quiet``."""
    if quiet:
        # The trainer itself prints its log rows unless one of its printers is replaced.
        yield []
        return
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=notes, transient=True) as progress:
        yield [_TrainingProgress(progress)]
