"""A bar on standard error that follows a job through its stages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import TaskID

from kosim.experiments.cli.console import bars
from kosim.experiments.retrieval.rankings import Progress as Report


@contextmanager
def stage_progress() -> Iterator[Report]:
    """Yield what is called with a stage's name, how much of it is done, and how much there is.

    A stage's bar ends when the next one begins.
    """
    shown: dict[str, TaskID] = {}
    with bars() as progress:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                for bar in shown.values():
                    progress.remove_task(bar)
                shown.clear()
                shown[stage] = progress.add_task(stage)
            progress.update(shown[stage], completed=done, total=total)

        yield report
