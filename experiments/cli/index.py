"""``kosim index``: build an index of a corpus, and look after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click

from kosim.encoders.errors import ConfigError
from kosim.encoders.storage import check_output
from kosim.experiments.cli.console import notes, output, print_json, table, working
from kosim.experiments.cli.corpus_options import (
    INDEX_TYPES,
    Corpus,
    corpus_options,
    dimensions_option,
    lexical_option,
    note_untrained,
    ray_option,
    timeout_option,
    vectors_option,
)
from kosim.experiments.cli.encoder_options import (
    ComputeOptions,
    compute_options,
    encoder_option,
    open_bi_encoder,
    open_index_encoder,
)
from kosim.experiments.cli.group import keep_on_interrupt
from kosim.experiments.cli.index_faiss import export_command, import_command
from kosim.experiments.cli.index_shard import shard_command
from kosim.experiments.cli.options import (
    json_option,
    option,
    out_option,
    overwrite_option,
)
from kosim.experiments.cli.progress import stage_progress
from kosim.index.corpus_index import CorpusIndex
from kosim.index.measured_recall import measured_recall
from kosim.index.sharding.folder import shard_problems
from kosim.index.store.manifest import MANIFEST, SEGMENTS, SHARDS
from kosim.index.store.verification import problems
from kosim.index.vectors.stored import VectorType

if TYPE_CHECKING:
    from kosim.index.build import BuildProgress

_index = click.argument("folder", metavar="INDEX", type=click.Path(path_type=Path))


@click.group("index")
def index_command() -> None:
    """Build and maintain the index of a corpus."""


@index_command.command("build")
@click.argument("corpus")
@encoder_option(required=True, help="Bi-encoder that encodes: a folder, hub id, or mini-bi.")
@out_option(required=True)
@option("--type", "index_type", type=INDEX_TYPES, default="auto", help="Type of the index.")
@vectors_option
@dimensions_option
@corpus_options
@lexical_option
@overwrite_option("an index that is there")
@ray_option
@option(
    "--ray-workers",
    type=click.IntRange(min=1),
    help="Maximum number of workers on the cluster.",
    shown_default="one per CPU",
)
@compute_options
def build(
    corpus: str,
    encoder: Path,
    out: Path,
    index_type: Any,
    vectors: Any,
    dimensions: int | None,
    lexical: bool,
    overwrite: bool,
    ray: str | None,
    ray_workers: int | None,
    compute: ComputeOptions,
    **options: Any,
) -> None:
    """Encode the sentences of CORPUS and write their index.

    CORPUS is text with one sentence a line, CSV, TSV, JSONL or Parquet, each also with .gz, or -
    for standard input; or a folder or a quoted pattern of several such files. A killed build
    continues when the same command is given again.

    \b
    Example:
      kosim index build sentences.txt --encoder mini-bi --out corpus.index
    """
    if ray_workers and not ray:
        raise ConfigError(f"--ray-workers is {ray_workers}, and there is no cluster: give --ray")
    check_output(out, overwrite=overwrite)
    source = Corpus(corpus, **options)
    total = source.count()
    keep_on_interrupt(
        f"What was encoded is kept beside {out}.", out.with_name(f"{out.name}.building")
    )
    with stage_progress() as report:
        resumed = _Resumed(report, total)
        common = {"type": index_type, "vectors": vectors, "dimensions": dimensions}
        common |= {"overwrite": overwrite, "progress": resumed}
        if ray:
            index = _built_on_cluster(source, encoder, out, ray, ray_workers, compute, common)
        else:
            index = _built_here(source, encoder, out, compute, common)
        if lexical:
            index.lexical.prepare(
                index.snapshot, progress=lambda done: report("BM25", done, len(index))
            )
    resumed.note()
    source.note_skipped()
    _say_made(index)


@index_command.command("add")
@_index
@click.argument("corpus")
@corpus_options
@option(
    "--on-duplicate",
    type=click.Choice(["refuse", "replace"]),
    default="refuse",
    help="What to do about an id that INDEX has already, or that comes twice: the last one stays.",
)
@encoder_option(help="Bi-encoder of INDEX, if it was moved.")
@timeout_option
@compute_options
def add(
    folder: Path,
    corpus: str,
    on_duplicate: Any,
    encoder: Path | None,
    timeout: float,
    compute: ComputeOptions,
    **options: Any,
) -> None:
    """Encode the sentences of CORPUS and add them to INDEX.

    \b
    Example:
      kosim index add corpus.index more.csv --on-duplicate replace
    """
    from kosim.index.build import extend_index

    index = CorpusIndex.open(folder)
    before = len(index)
    source = Corpus(corpus, **options)
    total = source.count()
    model = open_index_encoder(index, encoder, compute)
    keep_on_interrupt(
        f"What was encoded is kept beside {folder}.",
        index.folder.with_name(f"{index.folder.name}.adding"),
    )
    with stage_progress() as report:
        count = extend_index(
            index,
            source.documents(),
            model,
            on_duplicate=on_duplicate,
            progress=_Resumed(report, total),
            timeout=timeout,
        )
    source.note_skipped()
    new = count if on_duplicate == "refuse" else len(index) - before
    others = f", {count - new:,} in place of others with their id" if new < count else ""
    output.print(f"Added {new:,}{others}; {folder} has {len(index):,} documents")


@index_command.command("remove")
@_index
@option("--id", "ids", metavar="ID", multiple=True, help="Id of a document; can be repeated.")
@click.argument("more_ids", nargs=-1, metavar="[ID]...")
@timeout_option
def remove(folder: Path, ids: tuple[str, ...], more_ids: tuple[str, ...], timeout: float) -> None:
    """Remove documents from INDEX by id: all of them, or none if one is missing.

    \b
    Example:
      kosim index remove corpus.index --id a17 --id a18
    """
    wanted = [*ids, *more_ids]
    if not wanted:
        raise ConfigError("no id is given; say which documents to remove with --id ID...")
    index = CorpusIndex.open(folder)
    before = len(index)
    index.remove(wanted, timeout=timeout)
    removed = before - len(index)
    output.print(f"Removed {removed:,}; {folder} has {len(index):,} documents")


@index_command.command("info")
@_index
@option(
    "--sample",
    type=int,
    default=200,
    help="Documents whose neighbours are searched exactly too, to measure recall; 0 for none.",
)
@json_option
def info(folder: Path, sample: int, as_json: bool) -> None:
    """Say what INDEX holds, and measure how much of an exact search it finds.

    \b
    Example:
      kosim index info corpus.index --sample 0
    """
    if sample < 0:
        raise ConfigError(f"--sample is {sample}; give a number of documents, or 0")
    index = CorpusIndex.open(folder)
    facts = index.info()
    recall = measured_recall(index, sample) if sample else None
    facts["recall@10"] = {"value": recall, "sample": min(sample, len(index))}
    if as_json:
        print_json(facts)
        return
    _print_info(facts)


@index_command.command("verify")
@_index
@json_option
@click.pass_context
def verify(context: click.Context, folder: Path, as_json: bool) -> None:
    """Read every file of INDEX and compare it with its checksum; exit code 2 if one is wrong.

    INDEX may be a folder of shards, of which each is read.

    \b
    Example:
      kosim index verify corpus.index
    """
    if not any((folder / name).exists() for name in (SHARDS, MANIFEST, SEGMENTS)):
        CorpusIndex.open(folder)  # says what it is instead of an index
    found = shard_problems(folder) if (folder / SHARDS).is_file() else problems(folder)
    if as_json:
        print_json({"index": str(folder), "sound": not found, "problems": found})
    elif not found:
        output.print(f"{folder} is sound", soft_wrap=True)
    else:
        for problem in found:
            output.print(problem, soft_wrap=True)
        notes.print(f"Error: {folder} is damaged; restore or rebuild it", soft_wrap=True)
    if found:
        context.exit(2)


@index_command.command("compact")
@_index
@option(
    "--type", "index_type", type=INDEX_TYPES, help="Type of the index.", shown_default="as before"
)
@option(
    "--vectors",
    type=click.Choice(get_args(VectorType)),
    help="How vectors are stored, in no more bytes than now.",
    shown_default="as before",
)
@timeout_option
def compact(folder: Path, index_type: Any, vectors: Any, timeout: float) -> None:
    """Merge what was added and removed into INDEX; searches go on meanwhile.

    \b
    Example:
      kosim index compact corpus.index
    """
    index = CorpusIndex.open(folder)
    with working("merging"):
        index.compact(type=index_type, vectors=vectors, timeout=timeout)
    _say_made(index)


for command in (shard_command, import_command, export_command):
    index_command.add_command(command)


def _built_here(
    source: Corpus, encoder: Path, out: Path, compute: ComputeOptions, common: dict[str, Any]
) -> CorpusIndex:
    from kosim.index.build import build_index

    model = open_bi_encoder(encoder, compute)
    note_untrained(model, common["dimensions"])
    return build_index(source.documents(), model, out, **common)


def _built_on_cluster(
    source: Corpus,
    encoder: Path,
    out: Path,
    address: str,
    workers: int | None,
    compute: ComputeOptions,
    common: dict[str, Any],
) -> CorpusIndex:
    from kosim.index.distributed.build import ClusterOptions, build_index_on_cluster

    if common["dimensions"] is not None:
        note_untrained(open_bi_encoder(encoder, compute), common["dimensions"])
    return build_index_on_cluster(
        source.files,
        encoder,
        out,
        cluster=ClusterOptions(address, workers),
        backend=compute.backend,
        precision=compute.precision,
        device=compute.device,
        **common,
    )


class _Resumed:
    """Moves the bar of an encoding and remembers how much of it an earlier run had done."""

    def __init__(self, report: Any, total: int | None) -> None:
        self._report = report
        self._total = total
        self._resumed = 0

    def __call__(self, progress: BuildProgress) -> None:
        self._resumed = progress.resumed
        self._report("encoding", progress.documents, self._total)

    def note(self) -> None:
        """Say how much was resumed, if anything."""
        if self._resumed:
            notes.print(f"{self._resumed:,} documents were encoded before", style="dim")


def _say_made(index: CorpusIndex) -> None:
    facts = index.info()
    _print_reasons(facts)
    output.print(
        f"{index.folder} has {facts['documents']:,} documents and {facts['bytes']:,} bytes",
        soft_wrap=True,
    )


def _print_reasons(facts: dict[str, Any]) -> None:
    reasons = dict.fromkeys((segment["type"], segment["why"]) for segment in facts["segments"])
    for kind, why in reasons:
        output.print(f"{kind}: {why}", soft_wrap=True)


def _print_info(facts: dict[str, Any]) -> None:
    shown = table("", "")
    shown.show_header = False
    shown.columns[1].justify = "left"
    recall = cast(dict[str, Any], facts["recall@10"])
    for name in ("documents", "removed", "generation", "bytes"):
        shown.add_row(name, f"{facts[name]:,}")
    shown.add_row("type", facts["type"])
    shown.add_row("vectors", f"{facts['vectors']}, {facts['dimensions']:,} dimensions")
    shown.add_row("encoder", f"{facts['encoder']['name']} ({facts['encoder']['fingerprint'][:12]})")
    shown.add_row("log", f"{facts['log']['documents']:,} documents")
    if recall["value"] is not None:
        shown.add_row("recall@10", f"{recall['value']:.4f} of {recall['sample']:,} exact searches")
    output.print(shown)
    segments = table("segment", "documents", "removed", "type", "bytes")
    for segment in facts["segments"]:
        numbers = (f"{segment[name]:,}" for name in ("rows", "removed"))
        segments.add_row(segment["name"], *numbers, segment["type"], f"{segment['bytes']:,}")
    output.print(segments)
    _print_reasons(facts)
