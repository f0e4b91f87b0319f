"""``kosim evaluate-retrieval``: how well each way to search finds what is relevant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.compute_options import ComputeOptions, compute_options
from kosim.experiments.cli.console import notes, output, print_json, table
from kosim.experiments.cli.opened import open_bi_encoder, open_reranker
from kosim.experiments.cli.options import SAVED_ENCODER
from kosim.experiments.cli.stages import stage_progress
from kosim.experiments.retrieval.evaluation import RetrievalSettings
from kosim.experiments.retrieval.report import NAMES, write_report
from kosim.experiments.retrieval.run import (
    RetrievalSource,
    check_folder,
    held_out_sentences,
    run_retrieval,
)
from kosim.experiments.study.notation import decimal, duration, estimate
from kosim.experiments.study.run_folder import default_folder


@click.command("evaluate-retrieval")
@click.option(
    "--groups",
    type=click.Path(),
    help="Sentences in groups that mean the same: ParaKQC's .txt, or a table with group and text.",
)
@click.option("--held-out", type=int, help="Ask only this many groups, drawn by --seed.")
@click.option("--queries-per-group", "per_group", type=int, help="All by default.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is drawn.")
@click.option("--list-held-out", is_flag=True, help="Print the sentences to exclude; then stop.")
@click.option("--corpus", type=click.Path(), help="Documents: one a line, or a table.")
@click.option("--queries", type=click.Path(), help="A table with query_id and text.")
@click.option(
    "--relevance", type=click.Path(), help="A table with query_id, document_id[, relevance]."
)
@click.option("--text-column", help="Of the corpus.")
@click.option("--id-column", help="Of the corpus.")
@click.option(
    "--index", type=click.Path(), help="Search this index; else one is built and removed."
)
@click.option("--encoder", "bi", type=SAVED_ENCODER, help="The bi-encoder.")
@click.option("--reranker", "cross", type=SAVED_ENCODER, help="The cross-encoder.")
@click.option("--depths", default="10,50,100", show_default=True, help="Hits that are reranked.")
@click.option("--latency-queries", type=int, default=30, show_default=True)
@click.option("--resamples", type=int, default=10_000, show_default=True, hidden=True)
@compute_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder; runs/retrieval by default.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier report.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json to standard output.")
def evaluate_retrieval_command(
    bi: Path | None,
    cross: Path | None,
    depths: str,
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
    """
    source = RetrievalSource(**options)
    if list_held_out:
        for sentence in held_out_sentences(source):
            output.print(sentence, markup=False, highlight=False, soft_wrap=True)
        return
    if bi is None:
        raise ConfigError("--encoder is missing; give the folder of a bi-encoder")
    settings = RetrievalSettings(
        depths=numbers("--depths", depths),
        latency_queries=latency_queries,
        resamples=resamples,
        seed=source.seed,
    )
    folder = out or default_folder("retrieval", again=overwrite)
    check_folder(folder, overwrite=overwrite)
    encoder = open_bi_encoder(bi, compute)
    reranker = open_reranker(cross, compute)
    with stage_progress() as progress:
        results = run_retrieval(
            source,
            encoder,
            reranker,
            settings,
            name=folder.name,
            models={"encoder": str(bi), **({"reranker": str(cross)} if cross else {})},
            progress=progress,
        )
    write_report(results, folder)
    if as_json:
        print_json(results)
        notes.print(f"Report: {folder / 'report.html'}", highlight=False, soft_wrap=True)
    else:
        _print_summary(results, folder)


def numbers(option: str, given: str) -> tuple[int, ...]:
    """Return comma-separated whole numbers.

    Raises:
        ConfigError: something else was given.
    """
    try:
        return tuple(int(number) for number in given.split(","))
    except ValueError:
        raise ConfigError(
            f"{option} is {given!r}; give whole numbers separated by commas, such as 10,50,100"
        ) from None


def _print_summary(results: dict[str, Any], folder: Path) -> None:
    finding = results["finding"]
    for language in ("ko", "en"):
        output.print(finding[language]["headline"], style="bold", highlight=False, markup=False)
        for sentence in [*finding[language]["sentences"], *finding[language]["warnings"]]:
            output.print(f"  {sentence}", highlight=False, markup=False)
        output.print()
    shown = table("", *NAMES.values(), "a query")
    for row in results["rows"]:
        cells = [
            estimate(figure) if metric == results["primary"] else decimal(figure["value"])
            for metric in NAMES
            for figure in [row["metrics"][metric]]
        ]
        shown.add_row(row["name"], *cells, duration(row["latency_ms"]["p50"] / 1000))
    output.print(shown)
    output.print(f"\nReport: {folder / 'report.html'}", highlight=False, soft_wrap=True)
