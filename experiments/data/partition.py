"""The data of a comparison: a whole test set, and cleaned pairs to train and validate on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kosim.encoders.errors import ConfigError
from kosim.encoders.records import LabelledPairs
from kosim.encoders.tables import read_lines
from kosim.experiments.data.cleaning import Removed, check_test, clean_training
from kosim.experiments.data.corrections import correct
from kosim.experiments.data.datasets import load_dataset
from kosim.experiments.data.held_out_test import split_off_test
from kosim.experiments.data.pairs import RawPairs, load_pairs, load_train_and_test
from kosim.experiments.data.splits import limit, stratified_split
from kosim.experiments.settings import DataSettings


@dataclass(frozen=True)
class TestSet:
    """The pairs that nothing is chosen on: as read, and all of them as labelled pairs.

    ``split_off`` says how they were split off from the training pairs, None where they have a file
    of their own.
    """

    __test__ = False  # not a test case, whatever pytest makes of the name

    raw: RawPairs
    pairs: LabelledPairs
    split_off: Mapping[str, Any] | None = None


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
    raw_train, raw_test, split_off = _load_split(settings)
    if raw_test is None:
        raise ConfigError("there are no test pairs; give --test FILE or --dataset NAME")
    test = TestSet(raw=raw_test, pairs=check_test(raw_test), split_off=split_off)
    training = None if raw_train is None else _prepare(raw_train, raw_test, settings)
    return Partition(test=test, training=training)


def load_training(settings: DataSettings) -> TrainingSet:
    """Load, clean and split the training pairs; test pairs, if any, only to keep them out.

    Where the settings have a ``test_share`` and no test file, the same pairs are kept out that
    `load_partition` splits off as test pairs.

    Raises:
        DataError: a file cannot be read or used.
        ConfigError: there are no training pairs.
    """
    raw_train, raw_test, _ = _load_split(settings)
    if raw_train is None:
        raise ConfigError("there are no training pairs; give --train FILE or --dataset NAME")
    return _prepare(raw_train, raw_test, settings)


def _load_split(
    settings: DataSettings,
) -> tuple[RawPairs | None, RawPairs | None, Mapping[str, Any] | None]:
    """Load training and test pairs; split the test pairs off where the settings ask for it."""
    raw_train, raw_test = load_raw(settings)
    if settings.test_share is None or raw_train is None or raw_test is not None:
        return raw_train, raw_test, None
    return split_off_test(raw_train, share=settings.test_share, seed=settings.split_seed)


def load_raw(settings: DataSettings) -> tuple[RawPairs | None, RawPairs | None]:
    """Load the training and the test pairs as they stand in their files; None where none is named.

    Raises:
        KosimError: as for `load_pairs`.
    """
    train, test = _load_files(settings)
    if settings.corrections is not None:
        if train is None:
            raise ConfigError("there are no training pairs to correct; give --train FILE")
        train = correct(train, settings.corrections)
    return train, test


def _load_files(settings: DataSettings) -> tuple[RawPairs | None, RawPairs | None]:
    if settings.dataset is not None:
        return load_dataset(settings.dataset)
    scales = settings.label_scale, settings.test_label_scale or settings.label_scale
    columns = settings.columns, settings.test_columns or settings.columns
    if settings.train and settings.test:
        return load_train_and_test(
            settings.train,
            settings.test,
            scales=scales,
            columns=columns,
            encoding=settings.encoding,
        )
    train, test = (
        load_pairs(path, scale=scale, columns=choice, encoding=settings.encoding) if path else None
        for path, scale, choice in zip(
            (settings.train, settings.test), scales, columns, strict=True
        )
    )
    return train, test


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
