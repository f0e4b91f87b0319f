"""Options of the commands that read a corpus, and the reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar, cast, get_args

import click

from kosim.encoders.tables import Format
from kosim.experiments.cli.console import notes
from kosim.index.corpus import BadLines
from kosim.index.corpus_files import CorpusFiles
from kosim.index.documents import Document

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
    """Add the options that say how a corpus is read; `Corpus` takes them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class Corpus:
    """A corpus as the options describe it: a file, a folder, a pattern, or "-" (standard input)."""

    def __init__(
        self,
        source: str,
        *,
        text_column: str | None,
        id_column: str | None,
        corpus_format: str | None,
        bad_lines: str,
    ) -> None:
        """Find the files.

        Raises:
            DataError: there are none.
        """
        self.files = CorpusFiles.find(
            source,
            text_column=text_column,
            id_column=id_column,
            format=cast(Format | None, corpus_format),
            bad_lines=cast(Literal["refuse", "skip"], bad_lines),
        )
        self.skipped = BadLines()

    def documents(self) -> Iterator[Document]:
        """Read the documents, and count in ``skipped`` what is skipped."""
        self.skipped = BadLines()
        return self.files.documents(self.skipped)

    def count(self) -> int | None:
        """Read the corpus once, which finds bad lines before hours of encoding; None if it can
        be read only once.

        Raises:
            DataError: the corpus has a bad line that is not to be skipped.
        """
        if not self.files.rereadable:
            return None
        return sum(1 for _ in self.documents())

    def note_skipped(self) -> None:
        """Say on standard error what was skipped."""
        if not self.skipped.count:
            return
        notes.print(f"skipped {self.skipped.count:,} bad lines, such as:", style="dim")
        for reason in self.skipped.first:
            notes.print(f"  {reason}", style="dim", markup=False, highlight=False, soft_wrap=True)
