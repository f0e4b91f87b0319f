"""``kosim search``: find similar sentences in an index."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

import click
from rich.table import Table
from rich.text import Text

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.tables import STANDARD_INPUT, Format
from kosim.experiments.cli.console import notes, output, print_json_line, table
from kosim.experiments.cli.corpus_options import format_option, text_column_option
from kosim.experiments.cli.encoder_options import (
    ComputeOptions,
    compute_options,
    encoder_option,
    open_index_encoder,
    open_reranker,
    reranker_option,
    score_name,
)
from kosim.experiments.cli.options import (
    json_option,
    min_score_option,
    option,
    symmetric_option,
    top_k_option,
)
from kosim.experiments.cli.terminal import visible
from kosim.index.corpus import read_corpus
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import SearchHit, SearchResult, result_json
from kosim.index.measured_recall import kept_recall
from kosim.index.mining import MinedPair
from kosim.index.searcher import Mode, Searcher

_TOGETHER = 64
"""Queries that are searched in one call."""

_Search = Callable[[Sequence[str]], list[SearchResult]]
Ranked = TypeVar("Ranked", SearchHit, MinedPair)


@click.command("search")
@click.argument("folder", metavar="INDEX", type=click.Path(path_type=Path))
@click.argument("queries", nargs=-1, metavar="[QUERY... | -]")
@option("--queries", "file", metavar="FILE", help="File of queries: one a line, or a table.")
@text_column_option
@format_option
@reranker_option()
@top_k_option
@option(
    "--candidates",
    default="100",
    metavar="N|auto",
    help="Documents that are retrieved and then reranked; auto: as many as each query needs (see "
    "kosim depth).",
)
@option(
    "--chance",
    type=float,
    default=0.05,
    help="Share of queries that may lose a hit by --candidates auto.",
)
@option(
    "--mode",
    type=click.Choice(get_args(Mode)),
    default="dense",
    help="Retrieval by vectors (dense), by words (lexical), or by both (hybrid).",
)
@encoder_option(help="Bi-encoder of INDEX, if it was moved.")
@option(
    "--refine",
    is_flag=True,
    help="With a lower precision: encode queries, and decide which candidates around the last hit "
    "are hits, in full precision.",
)
@option(
    "--interpolation",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SHARE",
    help="Share of the bi-encoder's score in the score of a reranked hit: 0 is the reranker's "
    "alone, 0.5 the mean of both.",
)
@min_score_option
@symmetric_option
@compute_options
@json_option
def search_command(
    folder: Path,
    queries: tuple[str, ...],
    file: str | None,
    text_column: str | None,
    format: str | None,
    reranker: Path | None,
    k: int,
    candidates: str,
    chance: float,
    mode: str,
    encoder: Path | None,
    refine: bool,
    interpolation: float,
    min_score: float | None,
    symmetric: bool,
    compute: ComputeOptions,
    as_json: bool,
) -> None:
    """Find the sentences of INDEX that are most similar to each QUERY.

    Queries are arguments, the lines of a file, or with - those of standard input; without any,
    a prompt asks for them.

    \b
    Examples:
      kosim search corpus.index "불 꺼 줘"
      kosim search corpus.index "불 꺼 줘" --reranker mini-cross --min-score 2.5
    """
    if k < 1:
        raise ConfigError(f"-k is {k}; ask for at least 1 hit")
    depth = _candidates(candidates)
    if file is not None and queries:
        raise ConfigError(f"queries are given twice: {queries[0]!r} and --queries {file}")
    for number, query in enumerate(queries, 1):
        if not query.strip():
            raise DataError(f"query {number} is empty; give a sentence")
    if symmetric and reranker is None:
        raise ConfigError("--symmetric is about reranking, which needs a --reranker")
    if refine and reranker is None:
        raise ConfigError("--refine scores candidates again, which needs a --reranker")
    if interpolation and reranker is None:
        raise ConfigError("--interpolation mixes in a reranker's scores, which needs a --reranker")
    index = CorpusIndex.open(folder)
    full = compute.in_full_precision()
    searcher = Searcher(
        index,
        open_index_encoder(index, encoder, full if refine else compute),
        open_reranker(reranker, compute),
        refiner=open_reranker(reranker, full) if refine else None,
    )
    if searcher.encoder.precision != "fp32":
        _note_recall(searcher)

    def search(some: Sequence[str]) -> list[SearchResult]:
        return searcher.search(
            some,
            k=k,
            candidates=depth,
            mode=cast(Mode, mode),
            chance=chance,
            min_score=min_score,
            symmetric=symmetric,
            interpolation=interpolation,
        )

    if queries and queries != (STANDARD_INPUT,):
        _answer(queries, search, as_json)
    elif file is None and not queries and _is_terminal():
        _converse(search, as_json)
    else:
        read = read_corpus(
            file or STANDARD_INPUT,
            text_column=text_column,
            format=cast(Format | None, format),
        )
        _answer((document.text for document in read), search, as_json)


def _note_recall(searcher: Searcher) -> None:
    """Say what the lower precision loses, which is measured at the first search with it."""
    recall = kept_recall(searcher.index, searcher.encoder)
    if recall is not None:
        notes.print(
            f"{searcher.encoder.precision} finds {recall:.1%} of the 10 nearest by full vectors",
            style="dim",
        )


def _candidates(given: str) -> int | Literal["auto"]:
    if given == "auto":
        return "auto"
    try:
        count = int(given)
    except ValueError:
        count = 0
    if count < 1:
        raise ConfigError(f"--candidates is {given!r}; give a number of at least 1, or auto")
    return count


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _converse(search: _Search, as_json: bool) -> None:
    """Answer what is typed, until an empty line or the end of the input."""
    while query := _asked():
        _answer([query], search, as_json)


def _asked() -> str:
    try:
        return click.prompt("query", default="", show_default=False, err=True).strip()
    except click.Abort:
        return ""


def _answer(queries: Iterable[str], search: _Search, as_json: bool) -> None:
    for some in _batches(queries):
        for result in search(some):
            if as_json:
                print_json_line(result_json(result))
            else:
                _print_hits(result)


def _batches(queries: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(queries)
    while some := list(islice(rest, _TOGETHER)):
        yield some


def _print_hits(result: SearchResult) -> None:
    output.print(result.query, style="bold")
    columns = (score_name(calibrated=result.calibrated), "text", "id")
    output.print(ranked_table(result.hits, columns, lambda hit: (_text(hit), hit.id)))
    candidates = f"{len(result.hits)} hits of {result.candidates} candidates"
    rerank = f", {result.reranked} reranked" if result.reranked else ""
    output.print(f"  {candidates}{rerank}, {1000 * result.seconds:.0f} ms\n", style="dim")


def ranked_table(
    found: Sequence[Ranked],
    columns: tuple[str, str, str],
    cells: Callable[[Ranked], tuple[str | Text, str]],
    *,
    gap: Callable[[Ranked], float] | None = None,
) -> Table:
    """Return a table of hits or pairs: rank and scores beside what ``cells`` shows of each.

    ``columns`` names the score and both cells; with ``gap`` a last column shows it.
    """
    reranked = any(one.rerank_score is not None for one in found)
    shown = table("rank", *columns, "retrieval", *(["rerank"] if reranked else []))
    if gap is not None:
        shown.add_column("gap", justify="right")
    shown.columns[0].justify = "right"
    shown.columns[2].justify = "left"
    shown.columns[2].overflow = "fold"
    for one in found:
        reranking = [] if one.rerank_score is None else [f"{one.rerank_score:.4f}"]
        retrieval = f"{one.retrieval_score:.4f}"
        last = [] if gap is None else [f"{gap(one):.2f}"]
        shown.add_row(str(one.rank), f"{one.score:.2f}", *cells(one), retrieval, *reranking, *last)
    return shown


def _text(hit: SearchHit) -> Text:
    extra = _described(hit.extra)
    text = visible(hit.text)
    return Text.assemble(text, (f"\n{visible(extra)}", "dim")) if extra else Text(text)


def _described(extra: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in extra.items() if value is not None)
