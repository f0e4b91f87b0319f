"""Options of the commands that read a corpus or work on an index, and the reading of a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, cast, get_args

import click

from kosim.encoders.dimensions import check_dimensions, untrained
from kosim.encoders.tables import Format
from kosim.experiments.cli.console import notes
from kosim.experiments.cli.options import Command, add_options, option
from kosim.index.corpus import BadLines
from kosim.index.corpus_files import CorpusFiles
from kosim.index.documents import Document
from kosim.index.vectors.stored import VectorType
from kosim.index.vectors.vector_index import IndexType

if TYPE_CHECKING:
    from kosim.encoders.bi import BiEncoder

INDEX_TYPES = click.Choice(["auto", *get_args(IndexType)])

vectors_option = option(
    "--vectors",
    type=click.Choice(get_args(VectorType)),
    default="fp32",
    help="How vectors are stored: in 4, 2 or 1 byte a component.",
)

dimensions_option = option(
    "--dimensions",
    type=int,
    metavar="N",
    help="First dimensions of the encoder's vectors that are kept.",
    shown_default="all",
)

text_column_option = option(
    "--text-column",
    metavar="NAME",
    help="Column of the sentences.",
    shown_default="text, sentence, 문장 and the like, or the only column",
)

id_column_option = option(
    "--id-column", metavar="NAME", help="Column of the ids.", shown_default="id, or the row number"
)

format_option = option(
    "--format",
    type=click.Choice(get_args(Format)),
    help="Format of the file.",
    shown_default="by the file's suffix or content, or text: one sentence a line",
)

timeout_option = option(
    "--timeout", type=float, default=10.0, help="Seconds to wait for another writer."
)

lexical_option = option(
    "--lexical/--no-lexical",
    default=False,
    help="Prepare BM25 now, or at the first search by words.",
)

ray_option = option(
    "--ray",
    metavar="[HOST:PORT]",
    is_flag=False,
    flag_value="auto",
    help="Use a Ray cluster: the one at this address, else one that runs here, else a new one.",
)


def corpus_options(command: Command) -> Command:
    """Add the options that say how a corpus is read; `Corpus` takes their values."""
    bad_lines = option(
        "--bad-lines",
        type=click.Choice(["refuse", "skip"]),
        default="refuse",
        help="What to do about lines that are blank, too long or not UTF-8.",
    )
    encoding = option(
        "--encoding",
        metavar="NAME",
        help="Encoding of text files.",
        shown_default="UTF-8, UTF-16 with a mark, or cp949, as recognised",
    )
    options = [text_column_option, id_column_option, format_option, encoding, bad_lines]
    decorated: Command = add_options(options, command)
    return decorated


class Corpus:
    """A corpus as the options describe it: a file, a folder, a pattern, or "-" (standard input)."""

    def __init__(
        self,
        source: str,
        *,
        text_column: str | None,
        id_column: str | None,
        format: str | None,
        encoding: str | None,
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
            format=cast(Format | None, format),
            encoding=encoding,
            bad_lines=cast(Literal["refuse", "skip"], bad_lines),
        )
        self.skipped = BadLines()

    def documents(self) -> Iterator[Document]:
        """Read the documents, and count in ``skipped`` what is skipped."""
        self.skipped = BadLines()
        return self.files.documents(self.skipped)

    def count(self) -> int | None:
        """Read the corpus once, which finds bad lines before hours of encoding.

        Returns:
            The number of documents; None where the corpus can be read only once.

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
            notes.print(f"  {reason}", style="dim", soft_wrap=True)


def note_untrained(encoder: BiEncoder, dimensions: int | None) -> None:
    """Say on standard error where an encoder was not trained for so few dimensions.

    Raises:
        ConfigError: its vectors do not have so many.
    """
    wanted = check_dimensions(encoder, dimensions)
    if notice := untrained(encoder.training, encoder.dimension, wanted):
        notes.print(notice, style="yellow", soft_wrap=True)
