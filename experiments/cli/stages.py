"""A bar on standard error that follows a job through its stages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from experiments.cli.console import notes
from experiments.retrieval.rankings import Progress as Report


@contextmanager
def stage_progress() -> Iterator[Report]:
    """Yield what is called with a stage's name, how much of it is done, and how much there is.

    A stage's bar ends when the next one begins.
    """
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=notes, transient=True) as progress:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                for bar in bars.values():
                    progress.remove_task(bar)
                bars.clear()
                bars[stage] = progress.add_task(stage)
            progress.update(bars[stage], completed=done, total=total)

        yield report
