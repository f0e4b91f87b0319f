"""Progress bars on standard error: stages of a job, and trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from kosim.encoders.language import Line, Text, both, text
from kosim.encoders.training.ranks import is_main
from kosim.experiments.cli.console import chosen_language, notes
from kosim.experiments.cli.terminal import visible
from kosim.experiments.study import progress as study

if TYPE_CHECKING:
    from transformers import TrainerCallback


StageReport = study.Progress


def bars() -> Progress:
    """Return a display of bars on standard error that disappears when it is left."""
    columns = (
        TextColumn("  {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=notes, transient=True)


@contextmanager
def stage_progress() -> Iterator[StageReport]:
    """Yield a report that shows one bar; the bar of a stage ends when the next stage begins."""
    shown: dict[str, TaskID] = {}
    with bars() as progress:

        def report(said: Text, done: int = 0, total: int | None = 0, /) -> None:
            stage = visible(text(said, chosen_language()))
            if stage not in shown:
                for bar in shown.values():
                    progress.remove_task(bar)
                shown.clear()
                shown[stage] = progress.add_task(stage)
            progress.update(shown[stage], completed=done, total=total or None)

        yield report


@contextmanager
def training_progress(*, quiet: bool = False) -> Iterator[list[TrainerCallback]]:
    """Yield trainer callbacks that show a bar and each epoch's validation; none when ``quiet``."""
    if quiet or not is_main():
        # The trainer itself prints its log rows unless one of its printers is replaced.
        yield []
        return
    with bars() as progress:
        yield [_training_bar(progress, _epoch_figures)]


@contextmanager
def steps_progress(
    label: str, figure: str
) -> Iterator[tuple[list[TrainerCallback], Callable[[int, int], None]]]:
    """Yield the callbacks of a training by steps, and a report of the sentences encoded before it.

    Args:
        label: the name that the figure is shown under.
        figure: the figure of an evaluation that is shown.
    """

    def figures(state: Any, metrics: dict[str, float]) -> str:
        return f"step {state.global_step:,}: {label} {metrics[f'eval_{figure}']:.4f}"

    with bars() as progress:
        tasks: list[TaskID] = []

        def encoded(done: int, total: int) -> None:
            if not tasks:
                tasks.append(progress.add_task("teacher", total=total))
            progress.update(tasks[0], completed=done, visible=done < total)

        yield [_training_bar(progress, figures)], encoded


def _epoch_figures(state: Any, metrics: dict[str, float]) -> str:
    line = both(
        "epoch {epoch}: validation loss {loss}, Pearson {pearson}, F1 {f1}",
        "에폭 {epoch}: 검증 손실 {loss}, 피어슨 상관 {pearson}, F1 {f1}",
        epoch=f"{state.epoch:.0f}",
        **{name: f"{metrics[f'eval_{name}']:.4f}" for name in ("loss", "pearson", "f1")},
    )
    return text(line, chosen_language())


def _training_bar(
    progress: Progress, figures: Callable[[Any, dict[str, float]], str]
) -> TrainerCallback:
    """Return the callback that moves a bar and prints the figures of each evaluation above it."""
    from transformers import TrainerCallback  # takes seconds, and a command imports this module

    class TrainingBar(TrainerCallback):
        """The bar of one training; its first step shows it."""

        task: TaskID | None = None

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if self.task is None:
                self.task = progress.add_task(
                    text(Line("training", "학습"), chosen_language()), total=state.max_steps
                )
            progress.update(self.task, completed=state.global_step)

        def on_evaluate(
            self, args: Any, state: Any, control: Any, metrics: dict[str, float], **rest: Any
        ) -> None:
            progress.console.print(f"  {figures(state, metrics)}")

        def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if self.task is not None:
                progress.remove_task(self.task)
                self.task = None

    return TrainingBar()
