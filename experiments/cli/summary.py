"""What a command shows of an experiment: its stages, and what it found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kosim.encoders.language import Line, Text, text
from kosim.experiments.cli.console import (
    chosen_language,
    fitting_tables,
    notes,
    output,
    print_json,
)
from kosim.experiments.study.progress import Progress

if TYPE_CHECKING:
    from kosim.experiments.study.experiment import Experiment, R


def show(experiment: Experiment[R], results: R, folder: Path, *, as_json: bool) -> None:
    """Print what an experiment found, the tables that it rests on, and where its report is.

    With ``as_json`` standard output is the content of its results.json and nothing else.
    """
    language = chosen_language()
    report = f"{text(Line('Report', '보고서'), language)}: {folder / 'report.html'}"
    if as_json:
        print_json(experiment.to_json(results))
        notes.print(report, soft_wrap=True)
        return
    summary = experiment.summary(results)
    finding = summary.finding
    for line in filter(None, (finding.title, finding.question)):
        output.print(text(line, language), style="dim")
    for line in finding.warnings:
        output.print(f"⚠ {text(line, language)}", style="yellow")
    output.print(text(finding.headline, language), style="bold")
    if finding.advice:
        output.print(text(finding.advice, language), style="bold")
    for line in finding.sentences:
        output.print(f"  {text(line, language)}")
    for each in summary.tables:
        rows = [[text(cell, language) for cell in row] for row in (each.columns, *each.rows)]
        for shown in fitting_tables(rows[0], rows[1:]):
            output.print()
            output.print(shown)
    output.print(f"\n{report}", soft_wrap=True)


def say_stages(*, quiet: bool = False) -> Progress:
    """Return what prints each stage of an experiment to standard error."""

    def say(stage: Text, done: int = 0, total: int = 0, /) -> None:
        if not quiet:
            notes.print(text(stage, chosen_language()), style="dim")

    return say


def say_parts() -> Progress:
    """Return what prints a stage when it begins, and each time that a further tenth is done."""
    said: dict[str, int] = {}

    def say(stage: Text, done: int = 0, total: int = 0, /) -> None:
        shown, tenth = text(stage, chosen_language()), 10 * done // total if total else 0
        if tenth > said.get(shown, -1):
            said[shown] = tenth
            counted = f": {done:,} / {total:,}" if done else ""
            notes.print(f"{shown}{counted}", style="dim")

    return say
