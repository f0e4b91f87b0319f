"""``kosim evaluate-retrieval``: how well each way to search finds what is relevant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.bundle import name_of
from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.console import chosen_language, output
from kosim.experiments.cli.corpus_options import id_column_option, text_column_option
from kosim.experiments.cli.encoder_options import (
    ComputeOptions,
    compute_options,
    encoder_option,
    open_bi_encoder,
    open_reranker,
    reranker_option,
)
from kosim.experiments.cli.options import (
    file_option,
    option,
    run_options,
    seed_option,
    whole_numbers,
)
from kosim.experiments.cli.progress import stage_progress
from kosim.experiments.cli.summary import show
from kosim.experiments.retrieval.evaluation import RetrievalSettings
from kosim.experiments.retrieval.report import RETRIEVAL
from kosim.experiments.retrieval.run import (
    RetrievalSource,
    held_out_sentences,
    run_retrieval,
)
from kosim.experiments.study.run_folder import choose_folder


@click.command("evaluate-retrieval")
@file_option(
    "--groups",
    help="Sentences in groups that mean the same: ParaKQC's .txt, or a table with group and text.",
)
@option(
    "--held-out-groups",
    "held_out",
    type=int,
    metavar="N",
    aliases=("--held-out",),
    help="Number of groups whose sentences are queries, drawn by --seed.",
    shown_default="all",
)
@option(
    "--queries-per-group",
    "per_group",
    type=int,
    help="Sentences of each group to use as queries.",
    shown_default="all",
)
@seed_option("the groups and queries that are drawn")
@option(
    "--list-held-out",
    is_flag=True,
    help="Print the sentences to exclude from training, and stop.",
)
@file_option("--corpus", help="Documents: one a line, or a table.")
@file_option("--queries", help="Table with query_id and text.")
@file_option(
    "--relevance", help="Table with query_id, document_id and, if judgements are graded, relevance."
)
@text_column_option
@id_column_option
@option(
    "--index",
    type=click.Path(),
    metavar="INDEX",
    help="Index to search.",
    shown_default="a temporary one",
)
@encoder_option()
@reranker_option()
@option(
    "--candidates",
    default="10,50,100",
    metavar="N,N,...",
    aliases=("--depths",),
    help="Numbers of candidates to rerank.",
)
@option(
    "--interpolation",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.5,
    metavar="SHARE",
    help="Share of the bi-encoder's score in a second reranking by both scores; 0 for none.",
)
@option("--latency-queries", type=int, default=30, help="Queries to measure latency with.")
@option("--resamples", type=int, default=10_000, hidden=True, help="Resamples of the bootstrap.")
@compute_options
@run_options("runs/retrieval")
def evaluate_retrieval_command(
    encoder: Path | None,
    reranker: Path | None,
    candidates: str,
    interpolation: float,
    latency_queries: int,
    resamples: int,
    compute: ComputeOptions,
    list_held_out: bool,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Evaluate BM25, hybrid, the bi-encoder, and reranking by the cross-encoder.

    The documents are the sentences of --groups, or of --corpus, or of --index.

    \b
    Example:
      kosim evaluate-retrieval --groups groups.csv --encoder mini-bi --reranker mini-cross
    """
    source = RetrievalSource(**options)
    if list_held_out:
        for sentence in held_out_sentences(source):
            output.print(sentence, soft_wrap=True)
        return
    if encoder is None:
        raise ConfigError("--encoder is missing; give the folder of a bi-encoder")
    settings = RetrievalSettings(
        candidates=whole_numbers("--candidates", candidates),
        interpolation=interpolation,
        latency_queries=latency_queries,
        resamples=resamples,
        seed=source.seed,
    )
    folder = choose_folder("retrieval", out, overwrite=overwrite)
    bi, cross = open_bi_encoder(encoder, compute), open_reranker(reranker, compute)
    with stage_progress() as progress:
        results = RETRIEVAL.run(
            folder,
            lambda: run_retrieval(
                source,
                bi,
                cross,
                settings,
                name=folder.name,
                models={"encoder": name_of(encoder)}
                | ({"reranker": name_of(reranker)} if reranker else {}),
                progress=progress,
            ),
            overwrite=overwrite,
            language=chosen_language(),
        )
    show(RETRIEVAL, results, folder, as_json=as_json)
