"""Label scales: parsing, membership, and the map to 0-5."""

from __future__ import annotations

import numpy as np
import pytest

from kosim.encoders.errors import ConfigError
from kosim.experiments.data.label_scale import LabelScale


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
