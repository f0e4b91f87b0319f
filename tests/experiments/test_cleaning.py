"""Cleaning of training pairs and the check of a test set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kosim.encoders.errors import DataError
from kosim.experiments.data.cleaning import check_test, clean_training, read_whole
from kosim.experiments.data.label_scale import LabelScale
from kosim.experiments.data.pairs import RawPairs, load_pairs

Row = tuple[str | None, str | None, float]

OTHER: Row = ("바다", "산", 1.0)


def _raw(rows: Sequence[Row], *, scale: str = "0:5") -> RawPairs:
    labels = np.array([row[2] for row in rows], dtype=np.float64)
    parsed = LabelScale.parse(scale)
    frame = pd.DataFrame(
        {
            "row": np.arange(1, len(rows) + 1),
            "sentence1": pd.Series([row[0] for row in rows], dtype=object),
            "sentence2": pd.Series([row[1] for row in rows], dtype=object),
            "given": labels,
            "label": parsed.to_labels(labels),
            "source": "",
        }
    )
    return RawPairs(name="made up", frame=frame, scale=parsed, origin="made-up.csv")


def _removed(
    rows: Sequence[Row],
    test: Sequence[Row] | None = None,
    *,
    scale: str = "0:5",
    remove_sentence_leakage: bool = False,
) -> dict[str, list[int]]:
    pairs, removed = clean_training(
        _raw([*rows, OTHER], scale=scale),
        _raw(test) if test is not None else None,
        remove_sentence_leakage=remove_sentence_leakage,
    )
    assert len(pairs) + sum(map(len, removed.values())) == len(rows) + 1
    return {reason: found for reason, found in removed.items() if found}


def test_usable_rows_are_all_kept_as_they_are() -> None:
    rows: list[Row] = [("가  나", "다", 1.5), ("라", "마 ", 5.0)]
    pairs, removed = clean_training(_raw(rows))
    assert pairs.pairs == [("가  나", "다"), ("라", "마 ")]
    assert pairs.labels.tolist() == [1.5, 5.0]
    assert not any(removed.values())


@pytest.mark.parametrize("nothing", [None, "", " \t\u3000"])
def test_missing_or_blank_sentence(nothing: str | None) -> None:
    assert _removed([(nothing, "나", 1), ("가", nothing, 1)]) == {"missing_sentence": [1, 2]}


def test_missing_label() -> None:
    assert _removed([("가", "나", np.nan)]) == {"missing_label": [1]}


@pytest.mark.parametrize(
    "scale, label", [("0:5", 5.1), ("0:5", -1), ("binary", 0.5), ("0:1", 2), ("0:5", np.inf)]
)
def test_label_out_of_scale(scale: str, label: float) -> None:
    assert _removed([("가", "나", label)], scale=scale) == {"label_out_of_scale": [1]}


def test_duplicate_keeps_the_first_row() -> None:
    rows: list[Row] = [("가", "나", 4.0), ("가", "나", 4.5), ("가", "나", 4.0)]
    assert _removed(rows) == {"duplicate": [2, 3]}
    pairs, _ = clean_training(_raw(rows))
    assert pairs.labels.tolist() == [4.0]


def test_swapped_duplicate() -> None:
    assert _removed([("가", "나", 4), ("나", "가", 4)]) == {"swapped_duplicate": [2]}


def test_composed_and_decomposed_hangul_are_the_same_text() -> None:
    assert _removed([("각", "나", 4), ("\u1100\u1161\u11a8", "나", 4)]) == {"duplicate": [2]}


def test_white_space_does_not_make_another_text() -> None:
    assert _removed([("가 나", "다", 4), (" 가\u00a0 나", "다\n", 4)]) == {"duplicate": [2]}


def test_conflicting_labels_remove_every_copy() -> None:
    rows: list[Row] = [("가", "나", 4.5), ("나", "가", 3.4), ("가", "나", 4.0)]
    assert _removed(rows) == {"conflicting_labels": [1, 2, 3]}


def test_labels_within_the_tolerance_do_not_conflict() -> None:
    assert _removed([("가", "나", 4.0), ("가", "나", 3.0)]) == {"duplicate": [2]}


def test_conflicts_are_measured_on_the_common_scale() -> None:
    rows: list[Row] = [("가", "나", 0.0), ("가", "나", 1.0)]
    assert _removed(rows, scale="binary") == {"conflicting_labels": [1, 2]}


def test_label_out_of_scale_makes_no_conflict() -> None:
    assert _removed([("가", "나", 4), ("가", "나", 50)]) == {"label_out_of_scale": [2]}


def test_identical_sentences_are_kept() -> None:
    assert _removed([("가", "가", 5)]) == {}


def test_pairs_of_the_test_set_in_either_order() -> None:
    rows: list[Row] = [("가", "나", 1), ("나 ", "가", 1), ("가", "다", 1)]
    assert _removed(rows, [("가", "나", 3)]) == {"pair_in_test": [1, 2]}


def test_sentences_of_the_test_set_are_removed_only_on_request() -> None:
    rows: list[Row] = [("가", "나", 1), ("다", "가 ", 1), ("다", "라", 1)]
    test: list[Row] = [("가", "나", 3)]
    assert _removed(rows, test) == {"pair_in_test": [1]}
    assert _removed(rows, test, remove_sentence_leakage=True) == {
        "pair_in_test": [1],
        "sentence_in_test": [2],
    }


def test_nothing_left() -> None:
    with pytest.raises(DataError, match=r"no training pair is left .*1 for missing label"):
        clean_training(_raw([("가", "나", np.nan)]))


def test_test_set_is_never_thinned() -> None:
    rows: list[Row] = [("가", "나", 1), ("나", "가", 1), ("가", "나", 5), ("다", "다", 0)]
    pairs = check_test(_raw(rows))
    assert pairs.pairs == [(row[0], row[1]) for row in rows]
    assert pairs.labels.tolist() == [1, 1, 5, 0]


@pytest.mark.parametrize(
    "bad, scale, part",
    [
        (("", "나", 1.0), "0:1", "row 2: a sentence is missing"),
        (("가", None, 1.0), "0:1", "row 2: a sentence is missing"),
        (("가", "나", np.nan), "0:1", "row 2: the label is missing"),
        (("가", "나", 7.0), "0:5", "row 2: label 7 is outside the scale 0:5"),
        (("가", "나", 0.5), "binary", "row 2: label 0.5 is outside the scale binary"),
    ],
)
def test_unusable_test_row_is_an_error(bad: Row, scale: str, part: str) -> None:
    with pytest.raises(DataError, match=part):
        check_test(_raw([OTHER, bad], scale=scale))


def test_a_command_with_one_file_names_its_own_option(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("sentence1,sentence2,label\n가,나,1\n다,라,7\n", encoding="utf-8")
    assert read_whole(file, label_scale="1:7").labels.tolist() == [0, 5]
    with pytest.raises(DataError, match=r"row 2: label 7 is outside .* scale \(--label-scale\)"):
        read_whole(file, label_scale="0:5")


def test_further_unusable_test_rows_are_counted() -> None:
    with pytest.raises(DataError, match=r"row 1: label 6 .* \(2 more such rows\)"):
        check_test(_raw([("가", "나", 6), OTHER, ("다", "", 1), ("라", "마", -1)]))


@pytest.mark.shared
def test_real_klue(shared: Path) -> None:
    train = load_pairs(shared / "data/klue-sts/train.csv")
    test = load_pairs(shared / "data/klue-sts/klue-sts-v1.1_dev.json")
    pairs, removed = clean_training(train, test)
    assert {reason: len(rows) for reason, rows in removed.items() if rows} == {"duplicate": 7}
    assert len(pairs) == 11_661
    assert len(check_test(test)) == 519


def test_pairs_with_an_excluded_sentence_are_removed() -> None:
    rows: list[Row] = [("가 나", "다", 1.0), ("라", "가  나", 2.0), ("마", "바", 3.0)]
    pairs, removed = clean_training(_raw(rows), exclude=["가 나 ", "없는 문장"])
    assert pairs.pairs == [("마", "바")]
    assert removed["excluded_sentence"] == [1, 2]


def test_without_excluded_sentences_the_reason_is_not_listed() -> None:
    assert "excluded_sentence" not in clean_training(_raw([OTHER]))[1]


def test_excluding_everything_leaves_nothing_to_learn_from() -> None:
    with pytest.raises(DataError):
        clean_training(_raw([("가", "나", 1.0)]), exclude=["가"])
