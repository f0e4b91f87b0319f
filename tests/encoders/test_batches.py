"""Batches by tokens: every input once, none over the budget, and equal shares of a few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kosim.encoders.compute.batches import batches_by_tokens, shared_batches

LENGTHS = st.lists(st.integers(1, 120), min_size=1, max_size=300).map(np.array)


def padded(lengths: np.ndarray, batches: list[np.ndarray]) -> list[int]:
    return [len(rows) * int(lengths[rows].max()) for rows in batches]


@given(LENGTHS, st.integers(1, 4), st.sampled_from([None, 1, 7]))
def test_every_input_is_in_one_batch_within_the_budget(
    lengths: np.ndarray, at_once: int, most: int | None
) -> None:
    batches = shared_batches(lengths, 256, at_once, most=most)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for rows, tokens in zip(batches, padded(lengths, batches), strict=True):
        assert tokens <= 256 or len(rows) == 1
        assert most is None or len(rows) <= most


@given(LENGTHS)
def test_one_at_a_time_is_the_budget_alone(lengths: np.ndarray) -> None:
    one = [rows.tolist() for rows in shared_batches(lengths, 256, 1)]
    assert one == [rows.tolist() for rows in batches_by_tokens(lengths, 256)]


@given(LENGTHS)
def test_sharing_makes_no_more_batches_than_fill_the_threads(lengths: np.ndarray) -> None:
    alone = len(list(batches_by_tokens(lengths, 256)))
    assert alone <= len(shared_batches(lengths, 256, 3)) < alone + 3 or alone > 24


@pytest.mark.parametrize("n", [20, 100, 150])
def test_a_few_batches_are_about_equal(n: int) -> None:
    lengths = np.random.default_rng(n).integers(8, 40, n)
    tokens = padded(lengths, shared_batches(lengths, 2_048, 2))
    assert len(tokens) % 2 == 0
    assert min(tokens) > 0.75 * max(tokens)


def test_little_work_is_not_divided() -> None:
    assert len(shared_batches(np.array([9, 8, 7]), 1_024, 2)) == 1
