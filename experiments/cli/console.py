"""What all commands share: where they print, how errors end them, how progress looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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

from kosim.encoders.training.ranks import is_main

if TYPE_CHECKING:
    from transformers import TrainerCallback

output = Console(quiet=not is_main())
"""Results: standard output. Of several processes only the main one prints."""

notes = Console(stderr=True, quiet=not is_main())
"""Everything said on the way: standard error."""


def print_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def print_json_line(value: Any) -> None:
    """Print one JSON document on a line of its own to standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table in the style of all our tables: text left, the rest right."""
    made = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 2))
    for place, column in enumerate(columns):
        made.add_column(column, justify="left" if place == 0 else "right")
    return made


def bars() -> Progress:
    """Return what shows bars on standard error, in the style of all our bars, while it lasts."""
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=notes, transient=True)


@contextmanager
def training_progress(*, quiet: bool = False) -> Iterator[list[TrainerCallback]]:
    """Yield the trainer callbacks that show progress on standard error; none when ``quiet``."""
    if quiet or not is_main():
        # The trainer itself prints its log rows unless one of its printers is replaced.
        yield []
        return
    from kosim.experiments.cli.training_bar import TrainingBar

    with bars() as progress:
        yield [TrainingBar(progress)]
