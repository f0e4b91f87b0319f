"""``kosim mine``: the most similar pairs inside a corpus."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.console import output, print_json_line
from kosim.experiments.cli.corpus_options import Corpus, corpus_options
from kosim.experiments.cli.encoder_options import (
    ComputeOptions,
    compute_options,
    encoder_option,
    open_bi_encoder,
    open_index_encoder,
    open_reranker,
    reranker_option,
    score_name,
)
from kosim.experiments.cli.options import json_option, min_score_option, option
from kosim.experiments.cli.progress import stage_progress
from kosim.experiments.cli.search import ranked_table
from kosim.experiments.study.notation import many
from kosim.index.build import build_index
from kosim.index.corpus_index import CorpusIndex
from kosim.index.mining import check_hard, mine

_TOP = 100


@click.command("mine")
@click.argument("source", metavar="INDEX|CORPUS")
@encoder_option(help="Bi-encoder for a corpus, or for an index whose encoder was moved.")
@reranker_option()
@option(
    "-k",
    "--top-k",
    "top",
    type=int,
    aliases=("--top",),
    help="Number of pairs.",
    shown_default="100, or with --min-score all that reach it, up to 100,000",
)
@min_score_option
@option(
    "--candidates",
    type=int,
    help="Number of pairs that are retrieved and then reranked.",
    shown_default="10 times --top-k, at least 1,000; 10,000 without --top-k",
)
@option(
    "--hard",
    is_flag=True,
    help="Find hard negatives: pairs that the bi-encoder scores highest above --reranker.",
)
@corpus_options
@compute_options
@json_option
def mine_command(
    source: str,
    encoder: Path | None,
    reranker: Path | None,
    top: int | None,
    min_score: float | None,
    candidates: int | None,
    hard: bool,
    compute: ComputeOptions,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the most similar pairs inside INDEX or CORPUS, each pair once, best first.

    \b
    Examples:
      kosim mine corpus.index --reranker mini-cross -k 20
      kosim mine sentences.txt --encoder mini-bi --min-score 4
      kosim mine sentences.txt --encoder mini-bi --reranker mini-cross --hard
    """
    if hard and reranker is None:
        raise ConfigError("--hard compares two encoders; give --reranker MODEL, a cross-encoder")
    for name, value in (("--top-k", top), ("--candidates", candidates)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}; ask for at least 1 pair")
    if top is None and min_score is None:
        top = _TOP
    second = open_reranker(reranker, compute)
    with (
        stage_progress() as report,
        _opened(source, encoder, compute, report, options, second if hard else None) as opened,
    ):
        index, model = opened
        calibrated = (second or model).calibrated
        pairs = mine(
            index,
            encoder=model,
            top=top,
            min_score=min_score,
            reranker=second,
            candidates=candidates,
            hard=hard,
            progress=report,
        )
    if as_json:
        for pair in pairs:
            said = {name: value for name, value in asdict(pair).items() if hard or name != "gap"}
            print_json_line({**said, "calibrated": calibrated})
    else:
        columns = (score_name(calibrated=calibrated), "texts", "ids")
        shown = ranked_table(
            pairs,
            columns,
            lambda one: (f"{one.text1}\n{one.text2}", f"{one.id1}\n{one.id2}"),
            gap=(lambda one: one.gap or 0.0) if hard else None,
        )
        output.print(shown)
        output.print(f"  {many(len(pairs), 'pair')}", style="dim")


@contextmanager
def _opened(
    source: str,
    encoder: Path | None,
    compute: ComputeOptions,
    report: Any,
    options: dict[str, Any],
    below: PairEncoder | None,
) -> Iterator[tuple[CorpusIndex, BiEncoder]]:
    """Open an index, or make one of a corpus for the time being.

    Where pairs are hard that a reranker scores ``below`` the bi-encoder, both are checked before
    anything is encoded.
    """
    if Path(source).is_dir():
        index = CorpusIndex.open(source)
        yield index, open_index_encoder(index, encoder, compute)
        return
    if encoder is None:
        raise ConfigError(
            f"{source} is not an index, and a corpus needs --encoder MODEL, a bi-encoder"
        )
    corpus = Corpus(source, **options)
    total = corpus.count()
    model = open_bi_encoder(encoder, compute)
    if below is not None:
        check_hard(model, below)
    with tempfile.TemporaryDirectory(prefix="kosim-") as scratch:
        yield (
            build_index(
                corpus.documents(),
                model,
                Path(scratch) / "index",
                progress=lambda done: report("encoding", done.documents, total),
            ),
            model,
        )
        corpus.note_skipped()
