"""``kosim tokenizer``: train tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.storage import check_output
from kosim.encoders.tables import read_lines
from kosim.encoders.tokenizers.training import COVERAGE, KINDS, train_tokenizer
from kosim.experiments.cli.console import notes, output
from kosim.experiments.cli.options import option, out_option, overwrite_option


@click.group("tokenizer")
def tokenizer_command() -> None:
    """Train a tokenizer."""


@tokenizer_command.command("train")
@click.argument("corpus")
@option("--kind", type=click.Choice(list(KINDS)), required=True, help="Kind of the tokenizer.")
@option(
    "--vocab-size", type=int, required=True, help="Size of the vocabulary, with 5 special tokens."
)
@option(
    "--coverage",
    type=float,
    default=COVERAGE,
    help="Share of the corpus' characters that the tokenizer knows.",
)
@out_option(required=True)
@overwrite_option("an earlier tokenizer")
def train(
    corpus: str, kind: Any, vocab_size: int, coverage: float, out: Path, overwrite: bool
) -> None:
    """Learn a vocabulary from CORPUS: text, one sentence per line, also .gz, or - for stdin.

    Any program can use the files of wordpiece, unigram, syllable and jamo. morpheme learns word
    pieces of Kiwi's morphemes: kosim splits texts into morphemes by itself, and other programs
    must do so first.

    \b
    Example:
      kosim tokenizer train corpus.txt --kind wordpiece --vocab-size 8000 --out models/tokenizer
    """
    check_output(out, overwrite=overwrite)
    trained = train_tokenizer(
        read_lines(corpus), kind, vocab_size, coverage=coverage, corpus=Path(corpus).name
    )
    trained.save(out, overwrite=overwrite)
    notes.print(f"{vocab_size:,} {KINDS[kind].pieces}", style="dim")
    output.print(f"Saved: {out}", soft_wrap=True)
