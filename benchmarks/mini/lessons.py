"""What the bundled encoders learn beside KLUE-STS: minimal pairs, and pairs that teachers label.

The pairs go to one Parquet file with the columns sentence1, sentence2, label and source, which
`kosim teach --silver` learns. No pair holds a sentence of the files given as ``--exclude``, nor
one of `kosim probe`. What teachers labelled before a kill is not labelled again.

    python -m benchmarks.mini.lessons CORPUS --minimal 8000 --out runs/mini-taught/lessons.parquet
"""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

from kosim.encoders.compute.runtime import Precision
from kosim.encoders.errors import KosimError
from kosim.encoders.pretraining.corpus import read_sentences
from kosim.experiments.probe.items import read_items
from kosim.experiments.teaching.kept_out import KeptOut, read_sentences_of
from kosim.experiments.teaching.minimal_pairs import minimal_pairs
from kosim.experiments.teaching.settings import SilverSettings
from kosim.experiments.teaching.silver import make_silver, read_corpus_sentences, write_parquet
from kosim.experiments.teaching.teachers import open_teachers

COLUMNS = ["sentence1", "sentence2", "label", "source"]


def write_lessons(
    corpus: Path,
    out: Path,
    *,
    minimal: int,
    silver: int,
    teachers: list[str],
    precision: Precision,
    exclude: tuple[Path, ...],
    seed: int,
) -> pd.DataFrame:
    """Write the lessons and return them.

    Raises:
        KosimError: of the kind that fits what was wrong.
    """
    kept_out = KeptOut()
    for path in exclude:
        kept_out.add_sentences(read_sentences_of(str(path)))
    for item in read_items():
        kept_out.add_sentences([item.sentence, item.same, item.different])
    tables = []
    if minimal:
        sentences = kept_out.clear(read_sentences(str(corpus)))
        ruled = kept_out.without(minimal_pairs(sentences, minimal, seed))
        columns = (ruled.sentence1, ruled.sentence2, ruled.labels, ruled.sources)
        tables.append(pd.DataFrame(dict(zip(COLUMNS, columns, strict=True))))
    if silver:
        settings = SilverSettings(
            corpus=str(corpus),
            teachers=teachers,
            pairs=silver,
            teacher_precision=precision,
            sample_seed=seed,
        )
        read = read_corpus_sentences(settings, kept_out)
        opened = open_teachers(teachers, precision=precision)
        made = make_silver(settings, read, opened, kept_out, out.with_name("silver"))
        tables.append(made.table[COLUMNS])
    lessons = pd.concat(tables, ignore_index=True)
    write_parquet(lessons, out)
    return lessons


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path, exists=True))
@click.option("--minimal", default=8_000, show_default=True, help="Minimal pairs to make.")
@click.option("--silver", default=0, show_default=True, help="Pairs that teachers label.")
@click.option("--teachers", default="", help="Saved encoders, divided by commas.")
@click.option("--precision", default="fp32", show_default=True, help="Of the teachers.")
@click.option("--exclude", multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(
    corpus: Path,
    minimal: int,
    silver: int,
    teachers: str,
    precision: Precision,
    exclude: tuple[Path, ...],
    seed: int,
    out: Path,
) -> None:
    """Write the pairs, made of the sentences of CORPUS."""
    if not minimal and not silver:
        raise click.ClickException("give --minimal or --silver: there is nothing to make")
    if silver and not teachers:
        raise click.ClickException("--silver pairs are labelled by --teachers; name them")
    try:
        lessons = write_lessons(
            corpus,
            out,
            minimal=minimal,
            silver=silver,
            teachers=teachers.split(",") if teachers else [],
            precision=precision,
            exclude=exclude,
            seed=seed,
        )
    except KosimError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out}: {len(lessons):,} pairs")


if __name__ == "__main__":
    main()
