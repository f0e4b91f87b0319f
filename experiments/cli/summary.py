"""What a command shows of an experiment: its stages, and what it found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kosim.experiments.cli.console import notes, output, print_json, table
from kosim.experiments.study.language import language_of_locale, text
from kosim.experiments.study.progress import Progress

if TYPE_CHECKING:
    from kosim.experiments.study.experiment import Experiment, R


def show(experiment: Experiment[R], results: R, folder: Path, *, as_json: bool) -> None:
    """Print what an experiment found, the tables that it rests on, and where its report is.

    With ``as_json`` standard output is the content of its results.json and nothing else.
    """
    report = f"Report: {folder / 'report.html'}"
    if as_json:
        print_json(experiment.to_json(results))
        notes.print(report, soft_wrap=True)
        return
    language, summary = language_of_locale(), experiment.summary(results)
    finding = summary.finding
    output.print(text(finding.headline, language), style="bold")
    for line in (*finding.sentences, *finding.warnings):
        output.print(f"  {text(line, language)}")
    for each in summary.tables:
        output.print()
        shown = table(*(text(column, language) for column in each.columns))
        for row in each.rows:
            shown.add_row(*(text(cell, language) for cell in row))
        output.print(shown)
    output.print(f"\n{report}", soft_wrap=True)


def say_stages(*, quiet: bool = False) -> Progress:
    """Return what prints each stage of an experiment to standard error."""

    def say(stage: str, done: int = 0, total: int = 0, /) -> None:
        if not quiet:
            notes.print(stage, style="dim")

    return say
