"""What the bundled encoders learn beside KLUE-STS: minimal pairs, intents, and teachers' pairs.

The pairs go to one Parquet file with the columns sentence1, sentence2, label and source, which
`kosim teach --silver` learns. No pair holds a sentence of the files given as ``--exclude``, nor
one of `kosim probe`. What teachers labelled before a kill is not labelled again.

    python -m benchmarks.mini.lessons CORPUS --minimal 8000 --out runs/mini-taught/lessons.parquet
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pandas as pd

from kosim.encoders.compute.runtime import Precision
from kosim.encoders.errors import KosimError
from kosim.encoders.pretraining.corpus import read_sentences
from kosim.encoders.records import LabelledPairs
from kosim.experiments.data.sentence_groups import SentenceGroups, load_groups
from kosim.experiments.probe.items import read_items
from kosim.experiments.teaching.kept_out import KeptOut, read_sentences_of
from kosim.experiments.teaching.minimal_pairs import minimal_pairs
from kosim.experiments.teaching.settings import SilverSettings
from kosim.experiments.teaching.silver import (
    COLUMNS,
    as_table,
    make_silver,
    read_corpus_sentences,
    write_parquet,
)
from kosim.experiments.teaching.teachers import open_teachers

INTENT, OTHER_INTENT = 4.0, 0.5
"""Labels of two wordings of one intent of ParaKQC, and of two intents of one topic."""

NEAR = 10
"""Intents this near in ParaKQC's order are of one topic and act, but at the borders of topics."""


def intent_pairs(groups: SentenceGroups, count: int, seed: int) -> LabelledPairs:
    """Draw wordings that people wrote: half of one intent, half of two near ones.

    Args:
        groups: of ParaKQC, in its order.
        count: pairs to draw; fewer come back where a pair is drawn twice.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups.groups == group) for group in range(groups.count)]
    drawn: dict[tuple[str, str], bool] = {}
    for number in range(count):
        group, same = int(rng.integers(groups.count)), number % 2 == 0
        step = 0 if same else int(rng.integers(1, NEAR + 1)) * int(rng.choice([-1, 1]))
        other = (group + step) % groups.count
        first, second = rng.choice(members[group]), rng.choice(members[other])
        if groups.texts[first] != groups.texts[second]:
            drawn[groups.texts[first], groups.texts[second]] = same
    return LabelledPairs.from_lists(
        list(drawn),
        [INTENT if same else OTHER_INTENT for same in drawn.values()],
        ["intent" if same else "other intent" for same in drawn.values()],
    )


def write_lessons(
    corpus: Path,
    out: Path,
    *,
    minimal: int,
    intents: Path | None,
    intent_count: int,
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
    tables, origin = [], {}
    if minimal:
        sentences = kept_out.clear(read_sentences(str(corpus)))
        ruled = kept_out.without(minimal_pairs(sentences, minimal, seed))
        tables.append(as_table(ruled))
    if intents is not None:
        drawn = intent_pairs(load_groups(intents), intent_count, seed)
        tables.append(as_table(kept_out.without(drawn)))
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
        origin = {name: made.facts[name] for name in ("teachers", "corpus")}
    lessons = pd.concat(tables, ignore_index=True)
    write_parquet(lessons, out, origin)
    return lessons


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path, exists=True))
@click.option("--minimal", default=8_000, show_default=True, help="Minimal pairs to make.")
@click.option(
    "--intents", type=click.Path(path_type=Path, exists=True), help="ParaKQC, to draw pairs from."
)
@click.option(
    "--intent-pairs", "intent_count", default=4_000, show_default=True, help="Pairs to draw of it."
)
@click.option("--silver", default=0, show_default=True, help="Pairs that teachers label.")
@click.option("--teachers", default="", help="Saved encoders, divided by commas.")
@click.option("--precision", default="fp32", show_default=True, help="Of the teachers.")
@click.option("--exclude", multiple=True, type=click.Path(path_type=Path, exists=True))
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(
    corpus: Path,
    minimal: int,
    intents: Path | None,
    intent_count: int,
    silver: int,
    teachers: str,
    precision: Precision,
    exclude: tuple[Path, ...],
    seed: int,
    out: Path,
) -> None:
    """Write the pairs, made of the sentences of CORPUS."""
    if not minimal and not silver and intents is None:
        raise click.ClickException(
            "there is nothing to make; give --minimal, --intents or --silver"
        )
    if silver and not teachers:
        raise click.ClickException("--silver pairs are labelled by --teachers; name them")
    try:
        lessons = write_lessons(
            corpus,
            out,
            minimal=minimal,
            intents=intents,
            intent_count=intent_count,
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
