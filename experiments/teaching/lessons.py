"""What students learn besides silver pairs, what chooses among them, and what they never see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.records import Kind, LabelledPairs
from kosim.experiments.data.cleaning import check_test, clean_training
from kosim.experiments.data.partition import load_raw, load_training
from kosim.experiments.data.splits import MINIMUM_PART, stratified_split
from kosim.experiments.teaching.kept_out import KeptOut, pair_key, read_sentences_of
from kosim.experiments.teaching.minimal_pairs import minimal_pairs
from kosim.experiments.teaching.settings import TeachSettings
from kosim.experiments.teaching.silver import Corpus, Silver, read_labelled
from kosim.experiments.teaching.student import Stage, joined

SILVER_EPOCHS: dict[Kind, int] = {"bi": 5, "cross": 2}
"""Passes over the silver pairs at most: a cross-encoder overfits its teacher soon (Liu et al. 2022,
"Trans-Encoder")."""

SILVER_SPLIT_SEED = 42


@dataclass(frozen=True)
class Lessons:
    """The labelled pairs of a run that no teacher labelled; None where there are none.

    ``gold`` are learnt, ``validation`` choose the epoch, ``test`` measure; ``extra`` are learnt as
    silver pairs are. ``kept_out`` is what no silver pair may hold.
    """

    gold: LabelledPairs | None
    validation: LabelledPairs | None
    test: LabelledPairs | None
    extra: LabelledPairs | None
    kept_out: KeptOut


def read_lessons(settings: TeachSettings) -> Lessons:
    """Read the gold pairs, split as `kosim train` does, and all that is to be kept out.

    Raises:
        DataError: a file cannot be read, or has nothing left when that is kept out.
    """
    kept_out = KeptOut()
    for path in settings.exclude:
        kept_out.add_sentences(read_sentences_of(path))
    gold = validation = test = None
    if settings.data is not None:
        raw_train, raw_test = load_raw(settings.data)
        if raw_test is not None:
            test = check_test(raw_test)
            kept_out.add_sentences([*test.sentence1, *test.sentence2])
        if raw_train is not None:
            training = load_training(settings.data)
            gold = _allowed(training.train, kept_out, "training")
            validation = _allowed(training.validation, kept_out, "validation")
            kept_out.add_pairs(gold)
            kept_out.add_sentences([*validation.sentence1, *validation.sentence2])
    extra = [
        _allowed(clean_training(read_labelled(path))[0], kept_out, f"extra ({path})")
        for path in settings.extra
    ]
    return Lessons(gold, validation, test, joined(*extra) if extra else None, kept_out)


def with_minimal_pairs(lessons: Lessons, settings: TeachSettings, corpus: Corpus | None) -> Lessons:
    """Return the lessons with the minimal pairs that are asked for among the extra ones.

    Raises:
        ConfigError: there is no corpus to make them of.
    """
    if not settings.minimal_pairs:
        return lessons
    if corpus is None:
        raise ConfigError("minimal pairs are made of corpus sentences; give --corpus FILE")
    minimal = minimal_pairs(corpus.sentences, settings.minimal_pairs, settings.sample_seed)
    allowed = lessons.kept_out.without(minimal)
    extra = allowed if lessons.extra is None else joined(lessons.extra, allowed)
    return replace(lessons, extra=extra)


def _allowed(pairs: LabelledPairs, kept_out: KeptOut, what: str) -> LabelledPairs:
    left = kept_out.without(pairs)
    if not len(left):
        raise DataError(
            f"every {what} pair has a sentence that is to be kept out; give other pairs, or keep "
            "less out"
        )
    return left


def check_enough(lessons: Lessons, silver: int, labelled: Path | None = None) -> None:
    """Refuse silver pairs that are too few to choose an epoch on a tenth of them.

    Args:
        lessons: of the run.
        silver: the number of silver pairs.
        labelled: the file from which no more of them could be drawn.

    Raises:
        DataError: there are no gold pairs, and fewer silver pairs than that takes.
    """
    least = 10 * (MINIMUM_PART - 1) + 1
    if lessons.validation is not None or silver >= least:
        return
    remedy = f"give at least {least} (--pairs)"
    if labelled is not None:
        remedy = (
            f"no more of the wanted mix were labelled: draw {least} or more by another --mix of "
            f"--silver {labelled}, with another --out"
        )
    raise DataError(
        f"{silver} silver pairs are too few to choose the epoch on a tenth of them; {remedy}, or "
        "give gold pairs (--train)"
    )


def _others(pairs: LabelledPairs, held_out: LabelledPairs) -> LabelledPairs:
    """Return the pairs that are none of those held out, in either order."""
    keys = {pair_key(*pair) for pair in held_out.pairs}
    rows = [row for row, pair in enumerate(pairs.pairs) if pair_key(*pair) not in keys]
    return pairs.take(np.array(rows, dtype=np.int64))


def plan_stages(
    kind: Kind, settings: TeachSettings, silver: Silver, lessons: Lessons
) -> tuple[list[Stage], LabelledPairs]:
    """Return what a student learns, in order, and the pairs that it is validated on.

    Without gold pairs a tenth of the silver pairs is for validation, and no extra pair is one of
    them.
    """
    training = settings.students[kind].training
    pairs, validation, extra = silver.pairs, lessons.validation, lessons.extra
    if validation is None:
        rows, held_out = stratified_split(pairs, seed=SILVER_SPLIT_SEED)
        pairs, validation = pairs.take(rows), pairs.take(held_out)
        extra = extra and _others(extra, validation)
    if extra is not None:
        pairs = joined(pairs, extra)
    if lessons.gold is not None and settings.order == "mixed":
        return [Stage("mixed", joined(pairs, lessons.gold), training)], validation
    epochs = settings.silver_epochs or SILVER_EPOCHS[kind]
    stages = [Stage("silver", pairs, training.model_copy(update={"epochs": epochs}))]
    if lessons.gold is not None:
        stages.append(Stage("gold", lessons.gold, training))
    return stages, validation
