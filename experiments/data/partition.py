"""The data of a comparison: a whole test set, and cleaned pairs to train and validate on."""

from __future__ import annotations

from dataclasses import dataclass

from kosim.encoders.errors import ConfigError
from kosim.encoders.records import LabelledPairs
from kosim.encoders.tables import read_lines
from kosim.experiments.data.cleaning import Removed, check_test, clean_training
from kosim.experiments.data.datasets import RawPairs, load_dataset, load_pairs
from kosim.experiments.data.splits import limit, stratified_split
from kosim.experiments.settings import DataSettings


@dataclass(frozen=True)
class TestSet:
    """The pairs that nothing is chosen on: as read, and all of them as labelled pairs."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    raw: RawPairs
    pairs: LabelledPairs


@dataclass(frozen=True)
class TrainingSet:
    """The pairs that are learnt from: as read, what cleaning removed, and both parts."""

    raw: RawPairs
    removed: Removed
    train: LabelledPairs
    validation: LabelledPairs


@dataclass(frozen=True)
class Partition:
    """All pairs of a comparison; ``training`` is None where saved encoders are compared."""

    test: TestSet
    training: TrainingSet | None


def load_partition(settings: DataSettings) -> Partition:
    """Load the test pairs whole, and the training pairs cleaned and split, where there are any.

    Raises:
        DataError: a file cannot be read or used.
        ConfigError: there are no test pairs.
    """
    raw_train, raw_test = _load(settings)
    if raw_test is None:
        raise ConfigError("there are no test pairs; give --test FILE or --dataset NAME")
    test = TestSet(raw=raw_test, pairs=check_test(raw_test))
    training = None if raw_train is None else _prepare(raw_train, raw_test, settings)
    return Partition(test=test, training=training)


def load_training(settings: DataSettings) -> TrainingSet:
    """Load, clean and split the training pairs; test pairs, if any, only to keep them out.

    Raises:
        DataError: a file cannot be read or used.
        ConfigError: there are no training pairs.
    """
    raw_train, raw_test = _load(settings)
    if raw_train is None:
        raise ConfigError("there are no training pairs; give --train FILE or --dataset NAME")
    return _prepare(raw_train, raw_test, settings)


def _load(settings: DataSettings) -> tuple[RawPairs | None, RawPairs | None]:
    if settings.dataset is not None:
        return load_dataset(settings.dataset)
    scale = settings.label_scale
    return (
        load_pairs(settings.train, scale=scale) if settings.train else None,
        load_pairs(settings.test, scale=scale) if settings.test else None,
    )


def _prepare(raw: RawPairs, raw_test: RawPairs | None, settings: DataSettings) -> TrainingSet:
    usable, removed = clean_training(
        raw,
        raw_test,
        remove_sentence_leakage=settings.remove_sentence_leakage,
        exclude=list(read_lines(settings.exclude)) if settings.exclude else (),
    )
    if settings.limit is not None:
        usable = limit(usable, settings.limit, seed=settings.split_seed)
    train_rows, validation_rows = stratified_split(
        usable, validation_share=settings.validation_share, seed=settings.split_seed
    )
    return TrainingSet(
        raw=raw,
        removed=removed,
        train=usable.take(train_rows),
        validation=usable.take(validation_rows),
    )
