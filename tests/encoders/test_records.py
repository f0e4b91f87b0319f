"""The shared records: labelled pairs are clean or are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pandas as pd
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


TEXTS = ["가", "나", "다"]


@pytest.mark.parametrize(
    "column",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        lambda values: pd.Series(values, index=range(7, 10)),
        lambda values: datasets.Dataset.from_dict({"a": list(values)})["a"],
        iter,
        lambda values: pd.Series(values, dtype="string"),
    ],
    ids=["list", "tuple", "array", "series", "sliced", "dataset", "iterator", "string dtype"],
)
def test_columns_of_every_kind(column: Callable[[list[str]], Any]) -> None:
    numbers = [0.0, 2.5, 5.0]
    labels = pd.Series(numbers, index=range(7, 10))
    pairs = LabelledPairs(column(TEXTS), column(TEXTS), labels, column(TEXTS))  # type: ignore[arg-type]
    assert pairs.sentence1 == pairs.sentence2 == pairs.sources == ("가", "나", "다")
    assert pairs.labels.tolist() == numbers
    assert pairs.take([1]).pairs == [("나", "나")]


@pytest.mark.parametrize(
    "make",
    [
        lambda columns: pd.DataFrame(columns),
        lambda columns: datasets.Dataset.from_dict(columns),
        lambda columns: columns,
    ],
    ids=["frame", "dataset", "dict"],
)
def test_tables(make: Callable[[dict[str, Any]], Any]) -> None:
    table = make({"문장1": TEXTS, "문장2": TEXTS, "유사도": [0, 1, 5], "출처": ["뉴스"] * 3})
    pairs = LabelledPairs.from_table(table)
    assert pairs.pairs == [("가", "가"), ("나", "나"), ("다", "다")]
    assert pairs.labels.tolist() == [0, 1, 5]
    assert set(pairs.sources) == {"뉴스"}
    swapped = LabelledPairs.from_table(table, "문장2,문장1,유사도")
    assert swapped.pairs == pairs.pairs
    with pytest.raises(DataError, match="no label column gold"):
        LabelledPairs.from_table(table, "label=gold")


def test_pairs_are_lists_or_rows_of_an_array() -> None:
    for pairs in ([["가", "나"]], np.array([["가", "나"]]), (pair for pair in [("가", "나")])):
        assert LabelledPairs.from_lists(pairs, [1]).pairs == [("가", "나")]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "columns, said",
    [
        (("가나다", TEXTS, [1, 2, 3]), "sentence1 is the text '가나다'; give a list of texts"),
        ((TEXTS, pd.DataFrame({"a": TEXTS}), [1, 2, 3]), "sentence2 is a table"),
        ((TEXTS, ["가", None, "다"], [1, 2, 3]), "sentence2 1 is None"),
        ((TEXTS, ["가", 3, "다"], [1, 2, 3]), "sentence2 1 is 3, which is not text"),
        ((TEXTS, ["가", float("nan"), "다"], [1, 2, 3]), "sentence2 1 is nan"),
        ((TEXTS, ["가", "\ud800", "다"], [1, 2, 3]), "sentence2 1 is the text"),
        ((TEXTS, TEXTS, "123"), "labels is the text '123'; give a list of numbers"),
        ((TEXTS, TEXTS, [1, "2", 3]), "label 1 is the text '2', which is not a number"),
        ((TEXTS, TEXTS, [1, None, 3]), "label 1 is None"),
        ((TEXTS, TEXTS, [[1], [2], [3]]), "label 0 is \\[1\\]"),
        ((TEXTS, TEXTS, 3), "labels is 3"),
        ((TEXTS, TEXTS, [1, 2, 3], "뉴스"), "sources is the text"),
        ((b"ab", TEXTS, [1, 2, 3]), "sentence1 is b'ab'"),
    ],
)
def test_what_cannot_be_taken_is_named(columns: tuple[Any, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        LabelledPairs(*columns)


@pytest.mark.parametrize(
    "pairs, said",
    [
        ("가나", "pairs is the text '가나'"),
        (pd.DataFrame({"a": ["가"], "b": ["나"]}), "from_table"),
        ([("가", "나"), "다라"], "pair 1 is the text '다라'"),
        ([("가", "나"), ("다",)], "pair 1 is "),
        ([("가", "나"), 3], "pair 1 is 3"),
    ],
)
def test_pairs_that_are_none_are_named(pairs: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        LabelledPairs.from_lists(pairs, [1, 2])


def test_repr_is_short_and_says_what_there_is() -> None:
    many = LabelledPairs.from_lists([("가" * 50, "나" * 50)] * 5_000, [n % 6 for n in range(5_000)])
    assert repr(many) == "LabelledPairs(5,000 pairs, labels 0 to 5, 0 sources)"
    assert repr(PAIRS) == "LabelledPairs(3 pairs, labels 0 to 5, 2 sources)"
    assert repr(LabelledPairs.from_lists([], [])) == "LabelledPairs(0 pairs)"
