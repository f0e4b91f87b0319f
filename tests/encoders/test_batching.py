"""Batches grouped by length: complete, reproducible, and little padded."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.batching import LengthGroupedBatchSampler

LENGTHS = np.random.default_rng(0).integers(4, 120, size=1_003)


def sampler(
    *, batch_size: int = 4, seed: int = 0, epoch: int = 0, drop_last: bool = False
) -> LengthGroupedBatchSampler:
    made = LengthGroupedBatchSampler(LENGTHS, batch_size=batch_size, drop_last=drop_last, seed=seed)
    made.set_epoch(epoch)
    return made


def padding_share(batches: list[list[int]]) -> float:
    padded = sum(LENGTHS[batch].max() * len(batch) for batch in batches)
    return float(1 - LENGTHS.sum() / padded)


@pytest.mark.parametrize("batch_size", [1, 4, 7, 2_000])
def test_an_epoch_holds_every_index_once(batch_size: int) -> None:
    batches = list(sampler(batch_size=batch_size))
    assert sorted(index for batch in batches for index in batch) == list(range(len(LENGTHS)))


def test_batches_are_full_but_for_the_last_of_the_data() -> None:
    sizes = sorted(len(batch) for batch in sampler(batch_size=4))
    assert sizes == [3] + [4] * 250


@pytest.mark.parametrize("batch_size", [1, 4, 7, 16, 2_000])
@pytest.mark.parametrize("drop_last", [False, True])
def test_len_is_the_number_of_batches(batch_size: int, drop_last: bool) -> None:
    made = sampler(batch_size=batch_size, drop_last=drop_last)
    assert len(made) == len(list(made))


def test_drop_last_leaves_only_full_batches() -> None:
    assert {len(batch) for batch in sampler(batch_size=4, drop_last=True)} == {4}


def test_same_seed_and_epoch_give_the_same_batches() -> None:
    assert list(sampler(seed=3, epoch=2)) == list(sampler(seed=3, epoch=2))


def test_iterating_twice_gives_the_same_batches() -> None:
    made = sampler()
    assert list(made) == list(made)


def test_epochs_differ() -> None:
    assert list(sampler(epoch=0)) != list(sampler(epoch=1))


def test_epochs_group_other_examples_together() -> None:
    one, other = ({frozenset(batch) for batch in sampler(epoch=epoch)} for epoch in (0, 1))
    assert len(one & other) < len(one) / 10


def test_seeds_differ() -> None:
    assert list(sampler(seed=0)) != list(sampler(seed=1))


def test_batches_do_not_depend_on_the_global_random_state() -> None:
    np.random.seed(1)
    first = list(sampler())
    np.random.seed(2)
    assert list(sampler()) == first


def test_padding_is_a_fraction_of_that_of_random_batches() -> None:
    order = np.random.default_rng(0).permutation(len(LENGTHS))
    random = [order[at : at + 4].tolist() for at in range(0, len(order), 4)]
    assert padding_share(list(sampler())) < padding_share(random) / 5


def test_batches_do_not_come_in_order_of_length() -> None:
    means = [LENGTHS[batch].mean() for batch in sampler()]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3
