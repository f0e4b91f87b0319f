"""Options of the commands that read a corpus, and the reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast, get_args

import click

from encoders.table_formats import STANDARD_INPUT
from encoders.tables import Format
from experiments.cli.console import notes
from index.corpus import BadLines, read_corpus
from index.documents import Document

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = [
    click.option("--text-column", help="Of the sentences; text, sentence or the only column."),
    click.option("--id-column", help="Of the ids; id, or else the number of the row."),
    click.option(
        "--format",
        "corpus_format",
        type=click.Choice(get_args(Format)),
        help="Of the corpus, where its name does not tell; text (one sentence a line) otherwise.",
    ),
    click.option(
        "--bad-lines",
        type=click.Choice(["refuse", "skip"]),
        default="refuse",
        show_default=True,
        help="What to do about lines that are blank, too long or not UTF-8.",
    ),
]


def corpus_options(command: Command) -> Command:
    """Add the options that say how a corpus is read; `CorpusFile` takes them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass
class CorpusFile:
    """A corpus as the options describe it; "-" is standard input."""

    path: str
    text_column: str | None
    id_column: str | None
    corpus_format: str | None
    bad_lines: str
    skipped: BadLines = field(default_factory=BadLines)

    def documents(self) -> Iterator[Document]:
        """Read the documents, and count in ``skipped`` what is skipped."""
        self.skipped = BadLines()
        return read_corpus(
            self.path,
            text_column=self.text_column,
            id_column=self.id_column,
            format=cast(Format | None, self.corpus_format),
            bad_lines=cast(Literal["refuse", "skip"], self.bad_lines),
            skipped=self.skipped,
        )

    def count(self) -> int | None:
        """Read the corpus once, which finds bad lines before hours of encoding; None if it can
        be read only once.

        Raises:
            DataError: the corpus has a bad line that is not to be skipped.
        """
        if self.path == STANDARD_INPUT:
            return None
        return sum(1 for _ in self.documents())

    def note_skipped(self) -> None:
        """Say on standard error what was skipped."""
        if not self.skipped.count:
            return
        notes.print(f"skipped {self.skipped.count:,} bad lines, such as:", style="dim")
        for reason in self.skipped.first:
            notes.print(f"  {reason}", style="dim", markup=False, highlight=False, soft_wrap=True)
