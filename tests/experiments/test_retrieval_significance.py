"""Intervals and tests of means over queries whose groups are resampled."""

from __future__ import annotations

import numpy as np
import pytest

from kosim.encoders.errors import DataError, UndefinedMetricError
from kosim.experiments.retrieval.significance import (
    GroupedQueries,
    compare_rows,
    ratio_estimate,
    ratio_of_sums,
)
from kosim.experiments.statistics.significance import holm


def test_the_value_is_the_plain_mean_over_queries() -> None:
    values = np.array([1.0, 0.0, 1.0, 0.5, 0.25])
    found = GroupedQueries([7, 7, 7, 2, 3], resamples=400).estimate(values)
    assert found.value == pytest.approx(values.mean())
    assert found.low <= found.value <= found.high


def test_influences_are_the_derivative_of_the_ratio() -> None:
    random = np.random.default_rng(1)
    parts, wholes = random.random(6), random.integers(1, 5, 6).astype(float)
    evaluate, weights = ratio_of_sums(parts, wholes), np.ones((1, 6))
    _, influences = evaluate(weights)
    step = 1e-6
    for unit in range(6):
        # Mass moves to the unit, and evenly away from all.
        moved = weights * (1 - step)
        moved[0, unit] += 6 * step
        slope = (evaluate(moved)[0][0] - evaluate(weights)[0][0]) / step
        assert slope == pytest.approx(influences[0, unit], rel=1e-4)


def test_queries_of_one_group_count_as_little_more_than_one() -> None:
    random = np.random.default_rng(2)
    of_group = random.random(60)
    repeated = np.repeat(of_group, 10)
    apart = GroupedQueries(np.arange(600), resamples=1000).estimate(repeated)
    together = GroupedQueries(np.repeat(np.arange(60), 10), resamples=1000).estimate(repeated)
    alone = GroupedQueries(np.arange(60), resamples=1000).estimate(of_group)
    assert together.high - together.low == pytest.approx(alone.high - alone.low)
    assert together.high - together.low > 2.5 * (apart.high - apart.low)


def test_intervals_of_grouped_queries_cover_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(8)
    covered = 0
    trials = 200
    for trial in range(trials):
        sizes = random.integers(1, 6, 40)
        levels = random.beta(3, 2, 40)
        groups = np.repeat(np.arange(40), sizes)
        values = (random.random(len(groups)) < levels[groups]).astype(float)
        found = GroupedQueries(groups, resamples=400, seed=trial).estimate(values)
        covered += found.low <= 0.6 <= found.high
    assert 0.90 <= covered / trials <= 0.99


def test_all_right_still_leaves_room_for_doubt() -> None:
    found = GroupedQueries(np.arange(50), resamples=400).estimate(np.ones(50))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 50))


def test_units_without_a_whole_say_nothing() -> None:
    parts, wholes = np.array([3.0, 1.0, 2.0]), np.array([4.0, 2.0, 2.0])
    alone = ratio_estimate(parts, wholes, resamples=400, seed=0)
    zeros = np.zeros(40)
    among = ratio_estimate(
        np.concatenate([parts, zeros]), np.concatenate([wholes, zeros]), resamples=400, seed=0
    )
    assert among == alone
    assert alone.value == 6 / 8


@pytest.mark.parametrize(
    ("part", "expected"), [(1.0, (0.25, 0.0, 1.0)), (4.0, (1.0, 0.025, 1.0)), (0.0, (0, 0, 0.975))]
)
def test_one_unit_tells_little_of_others(part: float, expected: tuple[float, ...]) -> None:
    parts, wholes = np.array([0.0, part]), np.array([0.0, 4.0])
    found = ratio_estimate(parts, wholes, resamples=400, seed=0)
    assert (found.value, found.low, found.high) == pytest.approx(expected)


def test_a_share_of_nothing_is_undefined() -> None:
    with pytest.raises(UndefinedMetricError, match="nothing to take a share of"):
        ratio_estimate(np.zeros(3), np.zeros(3), resamples=400, seed=0)


def test_rows_that_are_equal_do_not_differ() -> None:
    values = np.random.default_rng(0).random(30)
    found = GroupedQueries(np.arange(30), resamples=400).difference(values, values)
    assert (found.value, found.p_value) == (0.0, 1.0)


def test_pairs_of_rows_are_tested_and_adjusted_by_metric() -> None:
    random = np.random.default_rng(4)
    queries = GroupedQueries(np.repeat(np.arange(40), 2), resamples=999)
    base = random.random(80) / 2
    values = {
        "low": {"m": base, "n": base},
        "high": {"m": base + 0.3, "n": base + random.normal(0, 0.1, 80)},
        "same": {"m": base + random.normal(0, 0.01, 80), "n": base},
    }
    found = compare_rows(queries, values)
    assert [(each.first, each.second) for each in found] == [
        ("low", "high"),
        ("low", "same"),
        ("high", "same"),
    ]
    for metric in ("m", "n"):
        raw = [each.difference(metric).p_value for each in found]
        assert [each.difference(metric).p_adjusted for each in found] == holm(raw)
    assert found[0].difference("m").value == pytest.approx(-0.3)
    assert found[0].difference("m").p_adjusted < 0.05


def test_one_group_cannot_be_resampled() -> None:
    with pytest.raises(DataError, match="at least 2 groups"):
        GroupedQueries([3, 3, 3])
