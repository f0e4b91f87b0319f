"""Batches grouped by length: complete, reproducible, and little padded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kosim.encoders.training.batching import LengthGroupedBatchSampler, deal

LENGTHS = np.random.default_rng(0).integers(4, 120, size=1_003)


def sampler(
    *, batch_size: int = 4, seed: int = 0, epoch: int = 0, **options: Any
) -> LengthGroupedBatchSampler:
    made = LengthGroupedBatchSampler(LENGTHS, batch_size=batch_size, seed=seed, **options)
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


def test_the_incomplete_batch_comes_last() -> None:
    sizes = [len(batch) for batch in sampler(batch_size=4)]
    assert sizes == [4] * 250 + [3]


def test_ungrouped_batches_of_any_size_are_cuts_of_one_order() -> None:
    small, large = (
        [index for batch in sampler(batch_size=size, grouped=False) for index in batch]
        for size in (4, 16)
    )
    assert small == large
    assert sorted(small) == list(range(len(LENGTHS)))


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("hands", [2, 3, 4])
@pytest.mark.parametrize("epoch", [0, 5])
def test_shares_of_all_ranks_are_together_the_batches_of_one_process(
    grouped: bool, hands: int, epoch: int
) -> None:
    same = {"batch_size": 12, "seed": 3, "epoch": epoch, "grouped": grouped}
    whole = list(sampler(**same))
    dealt = [list(sampler(**same, hand=hand, hands=hands)) for hand in range(hands)]
    assert len(whole[-1]) == 1_003 % 12
    for batch, *shares in zip(whole[:-1], *dealt, strict=False):
        assert [len(share) for share in shares] == [12 // hands] * hands
        assert sorted(index for share in shares for index in share) == sorted(batch)
    assert [len(batches) for batches in dealt] == [len(whole)] * hands


def test_every_rank_gets_the_incomplete_batch_whole() -> None:
    whole = list(sampler(batch_size=4))[-1]
    assert [list(sampler(batch_size=4, hand=hand, hands=2))[-1] for hand in (0, 1)] == [whole] * 2


@pytest.mark.parametrize("hands", [2, 4, 8])
def test_shares_are_about_equally_long(hands: int) -> None:
    """Shares dealt there and back differ by less than the longest and shortest example do."""
    batch = list(range(64))
    shares = deal(batch, LENGTHS, hands)
    totals = [LENGTHS[share].sum() for share in shares]
    assert max(totals) - min(totals) <= np.ptp(LENGTHS[batch])
    longest = [LENGTHS[share].max() for share in shares]
    assert min(longest) >= np.sort(LENGTHS[batch])[-2 * hands]


def test_one_rank_keeps_the_order_of_a_batch() -> None:
    assert deal([3, 1, 2], LENGTHS, 1) == [[3, 1, 2]]
