"""Label scales: parsing, membership, and the map to 0-5."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.experiments.data.label_scale import LabelScale, recognised_scale


def test_scale_maps_its_ends_exactly() -> None:
    scale = LabelScale.parse("0.1:0.7")
    assert scale.to_labels(np.array([0.1, 0.4, 0.7])).tolist() == pytest.approx([0, 2.5, 5])
    assert scale.to_labels(np.array([0.1, 0.7])).tolist() == [0.0, 5.0]


def test_binary_scale_has_two_values() -> None:
    scale = LabelScale.parse("binary")
    assert scale.contains(np.array([0, 1, 0.5, 2, np.nan])).tolist() == [True, True] + [False] * 3
    assert scale.to_labels(np.array([0.0, 1.0])).tolist() == [0.0, 5.0]


def test_scale_contains_its_ends_and_nothing_beyond() -> None:
    values = np.array([1, 5, 0.99, 5.01, np.nan, np.inf])
    assert LabelScale.parse("1:5").contains(values).tolist() == [True, True] + [False] * 4


@pytest.mark.parametrize("text", ["5", "5:0", "1:1", "a:b", "0:inf", "nan:5", "0:1:2", ""])
def test_impossible_scale(text: str) -> None:
    with pytest.raises(ConfigError, match="label scale"):
        LabelScale.parse(text)


@pytest.mark.parametrize("text", ["0:5", "1:5", "-1:1", "binary"])
def test_scale_is_shown_as_it_was_stated(text: str) -> None:
    assert str(LabelScale.parse(text)) == text


def test_a_scale_of_words() -> None:
    scale = LabelScale.parse("유사=5, 비유사 = 0,Not Sure=2.5")
    assert scale.words == {"유사": 5, "비유사": 0, "not sure": 2.5}
    assert str(LabelScale.parse(str(scale))) == str(scale)
    assert scale.to_labels(np.array([5.0, 0.0])).tolist() == [5, 0]


@pytest.mark.parametrize("text", ["유사=", "=5", "유사=6", "유사=5,유사=0", "유사=?", "a=nan"])
def test_impossible_words(text: str) -> None:
    with pytest.raises(ConfigError, match="not a word with a label of its own"):
        LabelScale.parse(text)


MANY = [1 + n % 5 for n in range(20)]


@pytest.mark.parametrize(
    "labels, scale",
    [
        ([0, 1, 1, 0], "binary"),
        ([0.1, 0.9, 0.4], "0:1"),
        ([0, 0.5, 1], "0:1"),
        ([-0.8, 0.1, 0.9], "-1:1"),
        (MANY, "1:5"),
        ([1, 5, 3.7] * 7, "1:5"),
        ([0, 50, 100], "0:100"),
        ([3, 88.5, 42], "0:100"),
        ([*range(100), 900], "0:100"),
    ],
)
def test_a_scale_that_the_labels_show_is_taken_and_said(labels: list[float], scale: str) -> None:
    found, said = recognised_scale(np.array(labels, dtype=float), "a.csv")
    assert str(found) == scale
    assert said is not None
    low, high = (f"{end:g}" for end in (min(labels), max(labels)))
    assert said.en.startswith(f"a.csv: its labels go from {low} to {high}")
    assert said.en.endswith(f"--label-scale {scale}")
    assert said.ko.startswith(f"a.csv: 정답은 {low}에서 {high}까지")
    assert f"--label-scale {scale} 기준" in said.ko


@pytest.mark.parametrize(
    "labels, hint",
    [
        ([0, 2.5, 5], None),
        ([0.3, 4.9], None),
        ([4], None),
        ([2, 3, 4] * 20, None),
        ([0] * 40 + [3, 5], None),
        ([0, 1, 2, 3, 4, 5] * 10 + [50], None),
        ([float("nan")], None),
        ([0.1, 0.2], "0:1"),
        ([1, 1], "0:1"),
        ([1, 3, 5], "1:5"),
    ],
)
def test_labels_that_show_no_other_scale_stand_on_0_to_5(
    labels: list[float], hint: str | None
) -> None:
    found, said = recognised_scale(np.array(labels, dtype=float), "a.csv")
    assert str(found) == "0:5"
    assert (said is None) == (hint is None)
    if said is not None:
        assert said.en.endswith(f"? --label-scale {hint}")
        assert said.ko.endswith(f"--label-scale {hint} 옵션을 주십시오")


@pytest.mark.parametrize(
    "labels, option",
    [
        ([0, 7, 10, 3], "--label-scale 0:10"),
        ([1, 2, 7] * 10, "--label-scale 0:7"),
        ([7], "--label-scale 0:7"),
        ([-5, 0, 5, -3], "--label-scale -5:5"),
        ([0, 500, 1000], "--label-scale 0:1000"),
        ([0, 1] * 50 + [2], "--label-scale binary, or --label-scale 0:5"),
        ([0.2, 0.8] * 50 + [2], "--label-scale 0:1, or --label-scale 0:5"),
    ],
)
def test_a_scale_that_cannot_be_told_is_refused_with_the_option(
    labels: list[float], option: str
) -> None:
    with pytest.raises(DataError, match=re.escape(option)):
        recognised_scale(np.array(labels, dtype=float), "a.csv")
