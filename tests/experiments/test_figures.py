"""Estimates and differences: how they are written, and that a turned one says the same."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kosim.encoders.errors import UndefinedMetricError
from kosim.encoders.language import text
from kosim.encoders.metrics import f1, pearson
from kosim.experiments.study.figures import (
    Comparison,
    Difference,
    Estimate,
    Undefined,
    between,
    written,
)

VALUES = st.floats(-1, 1, allow_nan=False)


@st.composite
def differences(draw: st.DrawFn) -> Difference:
    low, value, high = sorted(draw(st.tuples(VALUES, VALUES, VALUES)))
    return Difference(value, low, high, draw(st.floats(0, 1)), first="a", second="b")


def test_estimates_and_differences_are_written_to_three_digits() -> None:
    assert written(Estimate(0.8812, 0.862, 0.8994)) == "0.881 [0.862, 0.899]"
    assert written(Difference(-0.0194, -0.03, 0.0001, 0.1)) == "−0.019 [−0.030, 0.000]"
    assert written(Difference(-0.0001, -0.03, 0.03, 0.1)).startswith("0.000 ")
    assert written(None) == "–"


def test_a_figure_without_a_value_keeps_only_the_cause() -> None:
    said = Undefined("the labels are constant (all 3), so it is undefined; give other pairs")
    assert text(written(said), "en") == "– (the labels are constant (all 3))"
    assert text(written(said), "ko") == "– (정답이 모두 3)"


@given(differences())
def test_turning_round_turns_value_interval_and_names(gap: Difference) -> None:
    turned = gap.turned()
    assert (turned.first, turned.second) == ("b", "a")
    assert (turned.value, turned.low, turned.high) == (-gap.value, -gap.high, -gap.low)
    assert turned.low <= turned.value <= turned.high
    assert turned.turned() == gap
    assert turned.p == gap.p


@given(differences())
def test_upward_has_the_higher_side_first(gap: Difference) -> None:
    assert gap.upward().value >= 0
    assert gap.upward() in (gap, gap.turned())


def test_the_adjusted_p_value_decides() -> None:
    gap = Difference(0.1, 0.01, 0.19, 0.03)
    assert gap.significant
    assert not Difference(0.1, 0.01, 0.19, 0.03, p_adjusted=0.09).significant


def comparison() -> Comparison:
    return Comparison.model_validate(
        {
            "first": "cross",
            "second": "bi",
            "pearson": {"value": 0.02, "low": 0.01, "high": 0.03, "p_value": 0.01},
            "f1": {"undefined": "no label reaches 3.0"},
            "spearman": None,
        }
    )


def test_a_comparison_is_found_in_either_order() -> None:
    found = comparison()
    for first, second, value in (("cross", "bi", 0.02), ("bi", "cross", -0.02)):
        gap = between([None, found], first, second, "pearson")
        assert gap is not None
        assert (gap.first, gap.second, gap.value) == (first, second, value)
    assert between([found], "cross", "bi", "f1") is None
    assert between([found], "cross", "other", "pearson") is None


def test_a_comparison_is_written_as_it_was_read() -> None:
    dumped = comparison().model_dump(mode="json")
    assert Comparison.model_validate(dumped) == comparison()
    assert dumped["pearson"].keys() == {
        *("value", "low", "high", "p_value", "p_adjusted", "pairs_needed"),
    }
    assert dumped["f1"] == {"undefined": "no label reaches 3.0"}


@pytest.mark.parametrize("unknown", [{"later": 3}, {}])
def test_fields_of_other_versions_do_no_harm(unknown: dict) -> None:
    figure = {"value": 0.02, "low": 0.01, "high": 0.03, "p_value": 0.01, **unknown}
    found = Comparison.model_validate({"first": "a", "second": "b", "pearson": figure})
    assert found.difference("pearson") is not None


def test_the_cause_of_a_missing_value_is_said_in_both_languages() -> None:
    labels = np.array([1.0, 2.0, 2.5, 1.5])
    for metric in (lambda: f1(labels, labels), lambda: pearson(np.ones(4), labels)):
        with pytest.raises(UndefinedMetricError) as raised:
            metric()
        why = Undefined(str(raised.value)).why
        assert re.search("[가-힣]", why.ko)
        assert not re.search("[a-z]{2}", why.ko)
        assert re.findall(r"[\d.]+", why.en) == re.findall(r"[\d.]+", why.ko)
