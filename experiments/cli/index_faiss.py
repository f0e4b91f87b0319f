"""``kosim index import`` and ``export``: vectors and texts from FAISS files, and into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.storage import check_output
from kosim.experiments.cli.console import output
from kosim.experiments.cli.corpus_options import (
    INDEX_TYPES,
    Corpus,
    corpus_options,
    dimensions_option,
    note_untrained,
    vectors_option,
)
from kosim.experiments.cli.encoder_options import (
    ComputeOptions,
    compute_options,
    encoder_option,
    open_bi_encoder,
)
from kosim.experiments.cli.options import option, out_option, overwrite_option
from kosim.experiments.cli.progress import stage_progress
from kosim.index.corpus_index import CorpusIndex


@click.command("import")
@option(
    "--faiss",
    "faiss",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="FAISS index of unit vectors, compared by inner product.",
)
@option("--texts", metavar="CORPUS", required=True, help="Text of each vector, in its order.")
@encoder_option(required=True, help="Bi-encoder that made the vectors: a folder, or mini-bi.")
@out_option(required=True)
@option("--type", "index_type", type=INDEX_TYPES, default="auto", help="Type of the index.")
@vectors_option
@dimensions_option
@corpus_options
@overwrite_option("an index that is there")
@compute_options
def import_command(
    faiss: Path,
    texts: str,
    encoder: Path,
    out: Path,
    index_type: Any,
    vectors: Any,
    dimensions: int | None,
    overwrite: bool,
    compute: ComputeOptions,
    **options: Any,
) -> None:
    """Make an index of the vectors in a FAISS file, without encoding them again.

    \b
    Example:
      kosim index import --faiss vectors.faiss --texts texts.jsonl --encoder mini-bi --out a.index
    """
    from kosim.index.faiss_files import import_faiss

    check_output(out, overwrite=overwrite)
    source = Corpus(texts, **options)
    model = open_bi_encoder(encoder, compute)
    note_untrained(model, dimensions)
    with stage_progress() as report:
        index = import_faiss(
            faiss,
            source.documents(),
            model,
            out,
            type=index_type,
            vectors=vectors,
            dimensions=dimensions,
            name=str(encoder.resolve()),
            overwrite=overwrite,
            progress=lambda done: report("imported", done.documents),
        )
    source.note_skipped()
    output.print(f"{out} has {len(index):,} documents", soft_wrap=True)


@click.command("export")
@click.argument("folder", metavar="INDEX", type=click.Path(path_type=Path))
@option(
    "--faiss",
    "vectors",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="FAISS file to write: a flat index, compared by inner product.",
)
@option(
    "--texts",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="Lines of JSON to write (.jsonl): id, text and the rest of each document.",
)
@overwrite_option("files that are there")
def export_command(folder: Path, vectors: Path, texts: Path, overwrite: bool) -> None:
    """Write the vectors of INDEX as a FAISS file, and its documents as lines of JSON.

    Row n of the FAISS index is the vector of line n.

    \b
    Example:
      kosim index export a.index --faiss vectors.faiss --texts texts.jsonl
    """
    from kosim.index.faiss_files import export_faiss

    count = export_faiss(CorpusIndex.open(folder), vectors, texts, overwrite=overwrite)
    output.print(f"{vectors} and {texts} have {count:,} documents", soft_wrap=True)
