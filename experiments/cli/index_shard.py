"""``kosim index shard``: the shards of an index, for a cluster to serve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.console import notes, output
from kosim.experiments.cli.index_options import INDEX_TYPES, timeout_option
from kosim.index.corpus_index import CorpusIndex


@click.command("shard")
@click.argument("folders", metavar="INDEX...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--shards", type=int, help="Into how many to cut one INDEX.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--type", "index_type", type=INDEX_TYPES, help="Of the shards; as INDEX by default.")
@click.option(
    "--lexical/--no-lexical", help="Prepare BM25 now rather than at the first search by words."
)
@click.option("--overwrite", is_flag=True, help="Replace shards that are there.")
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

    What is written are copies. Indexes that were built apart must be of one encoder, and no id may
    stand in two of them.
    """
    from kosim.experiments.cli.stages import stage_progress
    from kosim.index.sharding.split import assemble_shards, split_index

    if (len(folders) == 1) != (shards is not None) or (index_type and shards is None):
        raise ConfigError(
            "give one INDEX and --shards to cut it, or several INDEX, without --shards and --type, "
            "that are to be the shards"
        )
    opened = [CorpusIndex.open(folder) for folder in folders]
    with notes.status("writing"):
        if shards is None:
            made = assemble_shards(opened, out, overwrite=overwrite, timeout=timeout)
        else:
            made = split_index(opened[0], out, shards=shards, type=index_type, overwrite=overwrite)
    if lexical:
        with stage_progress() as report:
            for name, index in made.indexes.items():
                _prepare(name, index, report)
    for name, index in made.indexes.items():
        output.print(f"{name}: {len(index):,} documents", highlight=False)
    output.print(
        f"{out} has {len(made):,} documents in {len(made.indexes):,} shards",
        highlight=False,
        soft_wrap=True,
    )


def _prepare(name: str, index: CorpusIndex, report: Callable[[str, int, int], None]) -> None:
    index.lexical.prepare(
        index.snapshot, progress=lambda done: report(f"BM25 of {name}", done, len(index))
    )
