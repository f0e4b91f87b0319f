"""Stratified parts: exhaustive, balanced, reproducible."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.records import LabelledPairs
from kosim.experiments.data.splits import limit, stratified_split


def _pairs(labels: npt.ArrayLike) -> LabelledPairs:
    values = np.asarray(labels, dtype=np.float64)
    return LabelledPairs.from_lists([(f"가{i}", f"나{i}") for i in range(len(values))], values)


@pytest.fixture
def pairs() -> LabelledPairs:
    return _pairs(np.random.default_rng(0).beta(0.5, 0.7, 1_003) * 5)


def test_parts_are_sorted_disjoint_and_exhaustive(pairs: LabelledPairs) -> None:
    train, validation = stratified_split(pairs, seed=1)
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    assert sorted([*train, *validation]) == list(range(1_003))


@pytest.mark.parametrize("n, share, size", [(1_000, 0.1, 100), (1_003, 0.1, 101), (70, 0.1, 7)])
def test_validation_holds_its_share_rounded_up(n: int, share: float, size: int) -> None:
    _, validation = stratified_split(_pairs(np.arange(n) % 6), validation_share=share, seed=1)
    assert len(validation) == size


def test_every_stratum_is_divided_in_proportion() -> None:
    labels = np.repeat(np.arange(6.0), [300, 50, 100, 150, 200, 200])
    _, validation = stratified_split(_pairs(labels), validation_share=0.1, seed=3)
    assert np.bincount(labels[validation].astype(int)).tolist() == [30, 5, 10, 15, 20, 20]


def test_seed_reproduces_and_changes_the_split(pairs: LabelledPairs) -> None:
    first, again, other = (stratified_split(pairs, seed=seed)[1] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize("rare", [0.0, 2.0, 5.0])
def test_rare_labels_join_a_neighbour(rare: float) -> None:
    labels = np.array([1.0] * 60 + [3.0] * 60 + [rare])
    train, validation = stratified_split(_pairs(labels), seed=1)
    assert len(train) + len(validation) == 121
    assert abs((labels[validation] == 1).mean() - 0.5) < 0.1


def test_constant_labels_are_split() -> None:
    train, validation = stratified_split(_pairs(np.full(50, 3.0)), seed=1)
    assert (len(train), len(validation)) == (45, 5)


def test_large_validation_share(pairs: LabelledPairs) -> None:
    train, validation = stratified_split(pairs, validation_share=0.9, seed=1)
    assert (len(train), len(validation)) == (100, 903)


def test_too_few_pairs_says_how_many_are_needed() -> None:
    with pytest.raises(DataError, match=r"^40 pairs .* give at least 41 pairs$"):
        stratified_split(_pairs(np.zeros(40)), seed=1)
    assert len(stratified_split(_pairs(np.zeros(41)), seed=1)[1]) == 5


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_impossible_share(pairs: LabelledPairs, share: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        stratified_split(pairs, validation_share=share, seed=1)


def test_limit_keeps_order_and_the_mix_of_labels(pairs: LabelledPairs) -> None:
    some = limit(pairs, 200, seed=1)
    positions = [int(text[1:]) for text in some.sentence1]
    assert len(some) == 200
    assert positions == sorted(positions)
    assert abs((some.labels >= 2.5).mean() - (pairs.labels >= 2.5).mean()) < 0.01


@pytest.mark.parametrize("n", [1, 2, 3, 5, 1_001, 1_002])
def test_limit_of_any_size(pairs: LabelledPairs, n: int) -> None:
    assert len(limit(pairs, n, seed=1)) == n


def test_limit_above_the_number_of_pairs_keeps_all(pairs: LabelledPairs) -> None:
    assert limit(pairs, 2_000, seed=1) is pairs


def test_limit_below_one(pairs: LabelledPairs) -> None:
    with pytest.raises(ConfigError, match="limit is 0"):
        limit(pairs, 0, seed=1)
