"""``kosim index shard``: the shards of an index, for a cluster to serve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.console import output, working
from kosim.experiments.cli.corpus_options import INDEX_TYPES, lexical_option, timeout_option
from kosim.experiments.cli.options import option, out_option, overwrite_option
from kosim.experiments.cli.progress import StageReport, stage_progress
from kosim.index.corpus_index import CorpusIndex


@click.command("shard")
@click.argument("folders", metavar="INDEX...", nargs=-1, type=click.Path(path_type=Path))
@option("--shards", type=int, help="Number of shards to cut one INDEX into.")
@out_option(required=True)
@option(
    "--type",
    "index_type",
    type=INDEX_TYPES,
    help="Type of the shards.",
    shown_default="that of INDEX",
)
@lexical_option
@overwrite_option("shards that are there")
@timeout_option
def shard_command(
    folders: tuple[Path, ...],
    shards: int | None,
    out: Path,
    index_type: Any,
    lexical: bool,
    overwrite: bool,
    timeout: float,
) -> None:
    """Cut INDEX into shards for kosim serve --ray, or make several INDEX the shards of one.

    It writes copies. Indexes that were built separately must have the same encoder, and no id may
    occur in two of them.

    \b
    Example:
      kosim index shard corpus.index --shards 4 --out shards.index
    """
    from kosim.index.sharding.split import assemble_shards, split_index

    if (len(folders) == 1) != (shards is not None) or (index_type and shards is None):
        raise ConfigError(
            "give one INDEX and --shards to cut it, or several INDEX, without --shards and --type, "
            "that are to be the shards"
        )
    opened = [CorpusIndex.open(folder) for folder in folders]
    with working("writing"):
        if shards is None:
            made = assemble_shards(opened, out, overwrite=overwrite, timeout=timeout)
        else:
            made = split_index(opened[0], out, shards=shards, type=index_type, overwrite=overwrite)
    if lexical:
        with stage_progress() as report:
            for name, index in made.indexes.items():
                _prepare(name, index, report)
    for name, index in made.indexes.items():
        output.print(f"{name}: {len(index):,} documents")
    output.print(
        f"{out} has {len(made):,} documents in {len(made.indexes):,} shards",
        soft_wrap=True,
    )


def _prepare(name: str, index: CorpusIndex, report: StageReport) -> None:
    index.lexical.prepare(
        index.snapshot, progress=lambda done: report(f"BM25 of {name}", done, len(index))
    )
