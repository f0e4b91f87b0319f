"""``kosim rerank``: the lines of a file by similarity to a query."""

from __future__ import annotations

from pathlib import Path

import click

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.tables import read_lines
from kosim.experiments.cli.console import output, print_json, table
from kosim.experiments.cli.encoder_options import (
    ComputeOptions,
    compute_options,
    reranker_option,
    score_name,
)
from kosim.experiments.cli.options import json_option, min_score_option, option, symmetric_option


@click.command("rerank")
@reranker_option(
    required=True,
    help="Encoder of either kind: a folder, hub id, mini-cross, or mini-bi.",
    aliases=("--encoder",),
)
@option("--query", required=True, metavar="SENTENCE", help="Sentence to compare with.")
@click.argument("file", default="-")
@option("-k", "--top-k", type=int, help="Number of hits to show.", shown_default="all")
@min_score_option
@symmetric_option
@compute_options
@json_option
def rerank_command(
    reranker: Path,
    query: str,
    file: str,
    top_k: int | None,
    min_score: float | None,
    symmetric: bool,
    compute: ComputeOptions,
    as_json: bool,
) -> None:
    """Rank the lines of FILE (or standard input) by similarity to a query, best first.

    \b
    Example:
      kosim rerank --reranker mini-cross --query "불 꺼 줘" sentences.txt
    """
    if top_k is not None and top_k < 1:
        raise ConfigError(f"-k is {top_k}; ask for at least 1 hit")
    lines = [(n, line) for n, line in enumerate(read_lines(file), 1) if line.strip()]
    if not lines:
        raise DataError(f"{file} has no sentences; give one a line")
    encoder = compute.load(reranker)
    documents = [line for _, line in lines]
    hits = encoder.rank(query, documents, top_k=top_k, min_score=min_score, symmetric=symmetric)
    if as_json:
        print_json(
            {
                "query": query,
                "hits": [
                    {
                        "rank": rank,
                        "line": lines[hit.position][0],
                        "text": hit.text,
                        "score": hit.score,
                        "raw": hit.raw,
                    }
                    for rank, hit in enumerate(hits, start=1)
                ],
                "truncated": encoder.truncated,
                "calibrated": encoder.calibrated,
            }
        )
        return
    shown = table("sentence", score_name(calibrated=encoder.calibrated))
    for hit in hits:
        shown.add_row(hit.text, f"{hit.score:.2f}")
    output.print(shown)
