"""The shared records: labelled pairs are clean or are refused."""

from __future__ import annotations

import numpy as np
import pytest

from kosim.encoders.errors import DataError
from kosim.encoders.records import LabelledPairs

PAIRS = LabelledPairs.from_lists(
    [("가", "나"), ("다", "라"), ("마", "바")], [0, 2.5, 5], ["후기", "뉴스", "후기"]
)


def test_pairs_are_given_back_in_order() -> None:
    assert PAIRS.pairs == [("가", "나"), ("다", "라"), ("마", "바")]
    assert len(PAIRS) == 3


def test_labels_are_float64() -> None:
    assert PAIRS.labels.dtype == np.float64


def test_sources_are_empty_where_there_are_none() -> None:
    assert LabelledPairs.from_lists([("가", "나")], [1]).sources == ("",)


def test_take_gives_the_rows_in_the_asked_order() -> None:
    taken = PAIRS.take(np.array([2, 0]))
    assert taken.pairs == [("마", "바"), ("가", "나")]
    assert taken.labels.tolist() == [5, 0]
    assert taken.sources == ("후기", "후기")


def test_no_pairs_are_a_record_too() -> None:
    assert len(LabelledPairs.from_lists([], [])) == 0


@pytest.mark.parametrize("label", [-0.1, 5.1, float("nan"), float("inf")])
def test_label_off_the_scale_is_named_with_its_pair(label: float) -> None:
    with pytest.raises(DataError, match=rf"label {label} of pair 1 .*label scale"):
        LabelledPairs.from_lists([("가", "나"), ("다", "라")], [1, label])


@pytest.mark.parametrize(
    ("labels", "sources"), [([1.0], None), ([1.0, 2.0], ["후기"])], ids=["labels", "sources"]
)
def test_lists_of_other_lengths_are_refused(labels: list[float], sources: list[str] | None) -> None:
    with pytest.raises(DataError, match="differ in number"):
        LabelledPairs.from_lists([("가", "나"), ("다", "라")], labels, sources)
