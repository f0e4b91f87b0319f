"""``kosim depth``: how many candidates the cross-encoder must rerank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.bundle import name_of
from kosim.experiments.cli.console import chosen_language
from kosim.experiments.cli.encoder_options import (
    ComputeOptions,
    compute_options,
    encoder_option,
    open_index_encoder,
    open_reranker,
    reranker_option,
)
from kosim.experiments.cli.group import keep_on_interrupt
from kosim.experiments.cli.options import (
    json_option,
    language_option,
    option,
    out_option,
    overwrite_option,
    seed_option,
    top_k_option,
    whole_numbers,
)
from kosim.experiments.cli.progress import stage_progress
from kosim.experiments.cli.summary import show
from kosim.experiments.retrieval.depth.plan import (
    DEFAULT_DEPTHS,
    DEFAULT_FIT_QUERIES,
    DepthSettings,
    default_depths,
)
from kosim.experiments.retrieval.depth.report import DEPTH
from kosim.experiments.retrieval.depth.run import read_queries, run_depth
from kosim.index.corpus_index import CorpusIndex
from kosim.index.searcher import Searcher

_DEPTHS = ",".join(map(str, DEFAULT_DEPTHS))


@click.command("depth")
@click.argument("index", type=click.Path(path_type=Path))
@reranker_option(required=True)
@option("--queries", required=True, metavar="FILE", help="Queries: one a line, or a table.")
@encoder_option(help="Bi-encoder of INDEX, if it was moved.")
@option("--limit-queries", type=int, metavar="N", help="Use only the first N queries.")
@option(
    "--exhaustive-sample",
    "draws",
    type=int,
    help="Documents beyond the retrieved ones to score for each query; 0 for all.",
    shown_default="all up to 2,000,000 pairs, else 1,000",
)
@option(
    "--sample-top",
    "top",
    type=int,
    help="Retrieved documents that are always scored.",
    shown_default="the largest of --candidates",
)
@option(
    "--candidates",
    metavar="N,N,...",
    aliases=("--depths",),
    help="Numbers of candidates to measure.",
    shown_default=f"{_DEPTHS}, up to --sample-top",
)
@top_k_option
@option("--keep", type=float, default=0.99, help="Share of the hits that must survive.")
@option(
    "--fit-queries",
    type=int,
    help="Corpus sentences on which --candidates auto of kosim search is fitted; 0 for no fit.",
    shown_default=f"{DEFAULT_FIT_QUERIES}, 0 with --interpolation",
)
@option(
    "--fit-candidates",
    "fit_depth",
    type=int,
    default=200,
    aliases=("--fit-depth",),
    help="Candidates of each of these sentences.",
)
@option(
    "--interpolation",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SHARE",
    help="Share of the bi-encoder's score in the score of a hit, as in kosim search; without a "
    "fit of --candidates auto.",
)
@option("--latency-queries", type=int, default=10, help="Queries to measure latency with.")
@option("--resamples", type=int, default=10_000, hidden=True, help="Resamples of the bootstrap.")
@seed_option("all random draws")
@compute_options
@out_option(
    default="runs/depth", help="Folder of the report; the same call continues an interrupted one."
)
@overwrite_option("scores of other settings in the folder")
@language_option
@json_option
def depth_command(
    index: Path,
    reranker: Path,
    queries: str,
    encoder: Path | None,
    limit_queries: int | None,
    candidates: str | None,
    compute: ComputeOptions,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure what reranking N candidates loses against scoring all of INDEX, and fit the policy.

    Recommends the smallest depth that keeps 99% of the hits, and fits --candidates auto.

    \b
    Example:
      kosim depth corpus.index --reranker mini-cross --queries queries.txt
    """
    out = out or Path("runs/depth")
    if candidates:
        chosen = whole_numbers("--candidates", candidates)
    else:
        chosen = default_depths(options["top"])
    if options["fit_queries"] is None:
        options["fit_queries"] = 0 if options["interpolation"] else DEFAULT_FIT_QUERIES
    settings = DepthSettings(depths=chosen, **options)
    asked = read_queries(queries, limit=limit_queries)
    opened = CorpusIndex.open(index)
    model = open_index_encoder(opened, encoder, compute)
    searcher = Searcher(opened, model, open_reranker(reranker, compute))
    keep_on_interrupt(f"Scores are kept in {out}.", out)
    with stage_progress() as progress:
        results = DEPTH.run(
            out,
            lambda: run_depth(
                searcher,
                asked,
                settings,
                out,
                models={
                    "encoder": name_of(encoder or opened.encoder.name),
                    "reranker": name_of(reranker),
                },
                overwrite=overwrite,
                progress=progress,
            ),
            resume=True,
            language=chosen_language(),
        )
    show(DEPTH, results, out, as_json=as_json)
