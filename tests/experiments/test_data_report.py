"""The data report: its figures against counts by hand and the published facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kosim.encoders.records import LabelledPairs
from kosim.experiments.data.cleaning import check_test, clean_training
from kosim.experiments.data.data_report import data_report, describe_part, token_lengths
from kosim.experiments.data.pairs import RawPairs, load_pairs

TRAIN = """sentence1,sentence2,score,source
가나,다,5,x
가나,다,5,x
다,가나,4.5,x
가,,1,x
라,라,3,y
마,바,0,y
마,바,4,y
사아자차카,타,0.5,
하,파,9,
"""
TEST = """sentence1,sentence2,score,source
라,거,2.5,x
너,더,3,x
더,너,3,x
"""


def _load(folder: Path, name: str, text: str) -> RawPairs:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_pairs(path, scale="0:5")


@pytest.fixture
def train(tmp_path: Path) -> RawPairs:
    return _load(tmp_path, "train.csv", TRAIN)


@pytest.fixture
def test(tmp_path: Path) -> RawPairs:
    return _load(tmp_path, "test.csv", TEST)


def test_removed_rows_are_counted_by_reason(train: RawPairs, test: RawPairs) -> None:
    _, removed = clean_training(train, test)
    report = data_report(train, test, removed=removed)["train"]
    assert (report["read"], report["kept"]) == (9, 3)
    assert {reason: found for reason, found in report["removed"].items() if found["n"]} == {
        "missing_sentence": {"n": 1, "rows": [4]},
        "label_out_of_scale": {"n": 1, "rows": [9]},
        "conflicting_labels": {"n": 2, "rows": [6, 7]},
        "duplicate": {"n": 1, "rows": [2]},
        "swapped_duplicate": {"n": 1, "rows": [3]},
    }


def test_oddities_are_noted_on_the_rows_as_read(train: RawPairs, test: RawPairs) -> None:
    _, removed = clean_training(train, test)
    report = data_report(train, test, removed=removed)
    assert report["train"]["noted"] == {
        "identical_sentences": {"n": 1, "rows": [5]},
        "repeated_rows": {"n": 1, "rows": [2]},
        "repeated_pairs": {"n": 2, "rows": [2, 7]},
        "swapped_pairs": {"n": 1, "rows": [3]},
        "conflicting_labels": {"n": 2, "rows": [6, 7]},
    }
    assert report["test"]["noted"]["swapped_pairs"] == {"n": 1, "rows": [3]}
    assert report["test"]["removed"] == {}


def test_labels_and_lengths_are_those_of_the_kept_rows(train: RawPairs) -> None:
    _, removed = clean_training(train)
    report = data_report(train, removed=removed)["train"]
    assert report["labels"] == {
        "mean": pytest.approx((5 + 3 + 0.5) / 3),
        "minimum": 0.5,
        "maximum": 5,
        "positive_share": pytest.approx(2 / 3),
        "mix": {
            "0 to 1": pytest.approx(1 / 3),
            "1 to 2": 0,
            "2 to 3": 0,
            "3 to 4": pytest.approx(1 / 3),
            "4 to 5": pytest.approx(1 / 3),
        },
        "histogram": {
            "edges": [i / 2 for i in range(11)],
            "counts": [0, 1, 0, 0, 0, 0, 1, 0, 0, 1],
        },
    }
    lengths = [2, 1, 1, 1, 5, 1]
    assert report["characters"] == {
        "mean": pytest.approx(np.mean(lengths)),
        "p50": 1,
        "p95": pytest.approx(np.percentile(lengths, 95)),
        "maximum": 5,
    }


def test_copies_are_counted_once(train: RawPairs, test: RawPairs) -> None:
    report = data_report(train, test, removed=clean_training(train, test)[1])
    assert [report[split]["distinct_pairs"] for split in ("train", "test")] == [3, 2]
    assert report["test"]["kept"] == 3
    part = describe_part(check_test(test), "validation")
    assert part == {name: {**report["test"], "name": "validation"}[name] for name in part}


def test_sources_are_told_apart(train: RawPairs) -> None:
    _, removed = clean_training(train)
    assert data_report(train, removed=removed)["train"]["by_source"] == {
        "x": {"n": 1, "mean_label": 5, "positive_share": 1},
        "y": {"n": 1, "mean_label": 3, "positive_share": 1},
    }


def test_leakage_between_the_splits(train: RawPairs, test: RawPairs) -> None:
    assert data_report(train, test, removed=clean_training(train, test)[1])["leakage"] == {
        "pairs": {"n": 0, "rows": []},
        "sentences": {"distinct": 1, "n": 1, "rows": [5]},
    }


def test_missing_sentences_leak_nothing(train: RawPairs, tmp_path: Path) -> None:
    others = _load(tmp_path, "other.csv", "sentence1,sentence2,score\n기,니,1\n")
    assert data_report(train, others, removed=clean_training(train)[1])["leakage"] == {
        "pairs": {"n": 0, "rows": []},
        "sentences": {"distinct": 0, "n": 0, "rows": []},
    }


def test_examples_are_at_most_five(tmp_path: Path) -> None:
    raw = _load(tmp_path, "a.csv", "sentence1,sentence2,score\n" + "가,나,1\n" * 9)
    report = data_report(raw, removed=clean_training(raw)[1])["train"]
    assert report["removed"]["duplicate"] == {"n": 8, "rows": [2, 3, 4, 5, 6]}


def test_report_is_json(train: RawPairs, test: RawPairs) -> None:
    report = data_report(train, test, removed=clean_training(train, test)[1])
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_token_lengths_over_all_and_by_source() -> None:
    pairs = LabelledPairs.from_lists(
        [("가" * n, "나") for n in (1, 2, 3, 9)], [0, 1, 2, 3], ["x", "x", "x", "y"]
    )

    def characters(first: Sequence[str], second: Sequence[str]) -> npt.NDArray[np.integer]:
        return np.array([len(a) + len(b) for a, b in zip(first, second, strict=True)])

    report = token_lengths(pairs, characters, 4)
    assert report["limit"] == 4
    assert (report["n"], report["mean"], report["maximum"]) == (4, 4.75, 10)
    assert report["p95"] == pytest.approx(np.percentile([2, 3, 4, 10], 95))
    assert report["cut_share"] == 0.25
    assert report["by_source"]["x"]["cut_share"] == 0
    assert report["by_source"]["y"] == {
        "n": 1, "mean": 10, "p95": 10, "maximum": 10, "cut_share": 1
    }  # fmt: skip
    assert json.dumps(report, allow_nan=False)


@pytest.mark.shared
def test_real_klue_has_its_published_facts(shared: Path) -> None:
    train = load_pairs(shared / "data/klue-sts/train.csv")
    test = load_pairs(shared / "data/klue-sts/klue-sts-v1.1_dev.json")
    report = data_report(train, test, removed={})
    noted = {name: found["n"] for name, found in report["train"]["noted"].items()}
    assert (noted["repeated_rows"], noted["repeated_pairs"]) == (5, 7)
    assert noted["identical_sentences"] == 15
    assert round(report["train"]["labels"]["mean"], 2) == 2.22
    assert round(report["train"]["labels"]["positive_share"], 3) == 0.480
    assert round(report["test"]["labels"]["mean"], 2) == 2.48
    assert round(report["test"]["labels"]["positive_share"], 3) == 0.424
    assert report["leakage"]["pairs"]["n"] == 0
    assert report["leakage"]["sentences"]["distinct"] == 2
