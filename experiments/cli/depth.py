"""``kosim depth``: how many candidates the cross-encoder must rerank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.experiments.cli.compute_options import ComputeOptions, compute_options
from kosim.experiments.cli.console import notes, output, print_json, table
from kosim.experiments.cli.evaluate_retrieval import numbers
from kosim.experiments.cli.opened import open_index_encoder, open_reranker
from kosim.experiments.cli.options import SAVED_ENCODER
from kosim.experiments.cli.stages import stage_progress
from kosim.experiments.depth.plan import DEFAULT_DEPTHS, DepthSettings, default_depths
from kosim.experiments.depth.report import write_report
from kosim.experiments.depth.run import read_queries, run_depth
from kosim.experiments.study.notation import count, duration, estimate
from kosim.index.corpus_index import CorpusIndex
from kosim.index.searcher import Searcher

_DEPTHS = ",".join(map(str, DEFAULT_DEPTHS))


@click.command("depth")
@click.argument("index", type=click.Path(path_type=Path))
@click.option("--reranker", "cross", type=SAVED_ENCODER, required=True, help="A cross-encoder.")
@click.option("--queries", required=True, help="Sentences: one a line, or a table.")
@click.option("--encoder", "bi", type=SAVED_ENCODER, help="The index's bi-encoder, if it moved.")
@click.option("--limit-queries", type=int, help="Take only the first ones.")
@click.option(
    "--exhaustive-sample",
    "draws",
    type=int,
    help="Documents beyond the retrieved to score for each query; 0 for all. By default all where "
    "that is at most 2,000,000 pairs, else 1,000.",
)
@click.option("--sample-top", "top", type=int, help="Retrieved documents that are always scored.")
@click.option("--depths", help=f"{_DEPTHS} by default, up to --sample-top.")
@click.option("-k", "k", type=int, default=10, show_default=True, help="Hits that are wanted.")
@click.option("--keep", type=float, default=0.99, show_default=True, help="Share to survive.")
@click.option(
    "--fit-queries",
    type=int,
    default=200,
    show_default=True,
    help="Corpus sentences on which --candidates auto is fitted; 0 fits nothing.",
)
@click.option("--fit-depth", type=int, default=200, show_default=True)
@click.option("--latency-queries", type=int, default=10, show_default=True)
@click.option("--resamples", type=int, default=10_000, show_default=True, hidden=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all that is drawn.")
@compute_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/depth"),
    show_default=True,
    help="Folder; the same call goes on where a killed one stopped.",
)
@click.option("--overwrite", is_flag=True, help="Replace scores of other settings there.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json to standard output.")
def depth_command(
    index: Path,
    cross: Path,
    queries: str,
    bi: Path | None,
    limit_queries: int | None,
    depths: str | None,
    compute: ComputeOptions,
    out: Path,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure what reranking N candidates loses against scoring all of INDEX, and fit the policy.

    Recommends the smallest depth that keeps 99% of the hits, and fits --candidates auto.
    """
    chosen = numbers("--depths", depths) if depths else default_depths(options["top"])
    settings = DepthSettings(depths=chosen, **options)
    asked = read_queries(queries, limit=limit_queries)
    opened = CorpusIndex.open(index)
    encoder = open_index_encoder(opened, bi, compute)
    searcher = Searcher(opened, encoder, open_reranker(cross, compute))
    with stage_progress() as progress:
        results = run_depth(
            searcher,
            asked,
            settings,
            out,
            models={"encoder": str(bi or opened.encoder.name), "reranker": str(cross)},
            overwrite=overwrite,
            progress=progress,
        )
    write_report(results, out)
    if as_json:
        print_json(results)
        notes.print(f"Report: {out / 'report.html'}", highlight=False, soft_wrap=True)
    else:
        _print_summary(results, out)


def _print_summary(results: dict[str, Any], out: Path) -> None:
    finding = results["finding"]
    for language in ("ko", "en"):
        output.print(finding[language]["headline"], style="bold", highlight=False, markup=False)
        for sentence in [*finding[language]["sentences"], *finding[language]["warnings"]]:
            output.print(f"  {sentence}", highlight=False, markup=False)
        output.print()
    shown = table("depth", "survival", "regret", f"nDCG@{results['settings']['k']}", "a query")
    for row in results["depths"]:
        shown.add_row(
            count(row["depth"]),
            *(estimate(row[figure]) for figure in ("survival", "regret", "ndcg")),
            duration(row["latency_ms"]["p50"] / 1000),
        )
    output.print(shown)
    output.print(f"\nReport: {out / 'report.html'}", highlight=False, soft_wrap=True)
