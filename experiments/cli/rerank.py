"""``kosim rerank``: the lines of a file by similarity to a query."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from kosim.encoders.errors import DataError
from kosim.encoders.tables import read_lines
from kosim.experiments.cli.compute_options import ComputeOptions, compute_options
from kosim.experiments.cli.console import output, print_json, table
from kosim.experiments.cli.options import SAVED_ENCODER


@click.command("rerank")
@click.option("--encoder", "model", type=SAVED_ENCODER, required=True)
@click.option("--query", required=True, help="The sentence to compare with.")
@click.argument("file", default="-")
@click.option("-k", "--top-k", type=int, help="How many hits to show; all by default.")
@compute_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")
def rerank_command(
    model: Path, query: str, file: str, top_k: int | None, compute: ComputeOptions, as_json: bool
) -> None:
    """Rank the lines of FILE (or standard input) by similarity to a query, best first."""
    documents = [line for line in read_lines(file) if line.strip()]
    if not documents:
        raise DataError(f"{file} has no sentences; give one a line")
    hits = compute.load(model).rank(query, documents, top_k=top_k)
    if as_json:
        print_json(
            {
                "query": query,
                "hits": [
                    {
                        "rank": rank,
                        "line": hit.position + 1,
                        "text": hit.text,
                        "score": hit.score,
                        "raw": hit.raw,
                    }
                    for rank, hit in enumerate(hits, start=1)
                ],
            }
        )
        return
    shown = table("sentence", "score")
    for hit in hits:
        shown.add_row(Text(hit.text), f"{hit.score:.2f}")
    output.print(shown)
