"""How waiting items become passes: fair, sorted, and little padded."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from kosim.serving.passes import Waiting, into_passes, take


def waiting(*lengths: int) -> Waiting[str]:
    return Waiting(
        [f"{length}/{n}" for n, length in enumerate(lengths)], np.array(lengths), arrived=0.0
    )


def test_a_request_is_taken_longest_first() -> None:
    taken = take(deque([waiting(3, 9, 5)]), 100)
    assert [one.item for one in taken] == ["9/1", "5/2", "3/0"]


def test_requests_take_turns_so_that_a_small_one_overtakes_a_large_one() -> None:
    large, small = waiting(*[10] * 50), waiting(10)
    queue = deque([large, small])
    taken = take(queue, 40)
    assert [one.request for one in taken] == [large, small, large, large]
    assert list(queue) == [large]
    assert large.tokens_left == 10 * 47


def test_one_item_is_taken_even_if_it_is_larger_than_a_batch() -> None:
    assert len(take(deque([waiting(500, 400)]), 100)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_passes_hold_everything_once_sorted_and_within_the_budget(seed: int) -> None:
    random = np.random.default_rng(seed)
    queue = deque(waiting(*random.integers(1, 120, random.integers(1, 30))) for _ in range(6))
    everything = sorted(item for request in queue for item in request.items)
    taken = take(deque(queue), 10**6)
    passes = into_passes(taken, 512)
    assert sorted(one.item for some in passes for one in some) == everything
    lengths = [one.length for some in passes for one in some]
    assert lengths == sorted(lengths, reverse=True)
    for some in passes:
        assert len(some) == 1 or len(some) * some[0].length <= 512


def test_much_shorter_items_get_a_pass_of_their_own() -> None:
    lengths = [100] * 8 + [40] * 20
    passes = into_passes(take(deque([waiting(*lengths)]), 10**6), 10**6)
    assert [len(some) for some in passes] == [8, 20]
    few = into_passes(take(deque([waiting(100, 40)]), 10**6), 10**6)
    assert [len(some) for some in few] == [2]
