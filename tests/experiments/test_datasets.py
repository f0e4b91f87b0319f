"""Pair data sets: flexible columns, KLUE's nesting, the hub, the sample."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.experiments.data.datasets import KLUE_REVISION, load_dataset, load_klue_sts
from kosim.experiments.data.pairs import load_pairs, load_train_and_test
from tests.experiments.pair_files import KLUE_RECORDS, write_csv, write_records


def test_official_klue_json(tmp_path: Path) -> None:
    frame = load_pairs(write_records(tmp_path, KLUE_RECORDS)).frame
    assert frame["label"].tolist() == [11 / 3, 1 / 3]
    assert frame["source"].tolist() == ["a", "b"]
    assert frame["annotations"].tolist() == [(4, 4, 3), (0, 0, 1)]


def test_nested_binary_label_can_be_chosen(tmp_path: Path) -> None:
    raw = load_pairs(
        write_records(tmp_path, KLUE_RECORDS), columns="label=binary-label", scale="binary"
    )
    assert raw.frame["label"].tolist() == [5, 0]


def test_annotations_are_mapped_as_the_labels_are(tmp_path: Path) -> None:
    record = {"sentence1": "가", "sentence2": "나", "score": 3, "annotations": [1, 5]}
    frame = load_pairs(write_records(tmp_path, [record]), scale="1:5").frame
    assert frame["annotations"].tolist() == [(0, 5)]


def test_annotation_that_is_no_number(tmp_path: Path) -> None:
    record = {"sentence1": "가", "sentence2": "나", "score": 3, "annotations": [1, "x"]}
    with pytest.raises(DataError, match="row 1: annotation 'x' is not a number"):
        load_pairs(write_records(tmp_path, [record]))


def test_columns_that_only_share_klues_names(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "sentence1,sentence2,labels,annotations\n가,나,2,메모\n")
    frame = load_pairs(path, columns="label=labels").frame
    assert frame["label"].tolist() == [2]
    assert "annotations" not in frame


@pytest.fixture
def hub_cache(tmp_path: Path) -> Path:
    """Give a hub cache that holds both KLUE-STS files, with rows of our own."""
    repository = tmp_path / "datasets--klue--klue"
    folder = repository / "snapshots" / KLUE_REVISION / "sts"
    folder.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(KLUE_REVISION)
    records = [{k: v for k, v in record.items() if k != "annotations"} for record in KLUE_RECORDS]
    pd.DataFrame(records).to_parquet(folder / "train-00000-of-00001.parquet")
    pd.DataFrame(records[:1]).to_parquet(folder / "validation-00000-of-00001.parquet")
    return tmp_path


def test_klue_sts_from_the_hub_cache(hub_cache: Path) -> None:
    raw = load_klue_sts("train", cache_dir=hub_cache)
    assert raw.frame["label"].tolist() == [11 / 3, 1 / 3]
    assert raw.frame["source"].tolist() == ["a", "b"]
    assert raw.origin == f"hub:klue/klue@{KLUE_REVISION}/sts/train-00000-of-00001.parquet"


def test_klue_sts_by_name(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub_cache))
    train, test = load_dataset("klue-sts")
    assert (len(train.frame), len(test.frame)) == (2, 1)


def test_klue_sts_without_hub_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--train FILE --test FILE"):
        load_klue_sts("train", cache_dir=tmp_path)


def test_unknown_data_set() -> None:
    with pytest.raises(ConfigError, match="'glue'; known are klue-sts and sample"):
        load_dataset("glue")


def test_bundled_sample() -> None:
    train, test = load_dataset("sample")
    assert len(train.frame) >= 1_500
    assert len(test.frame) >= 300
    assert train.origin == "bundled:experiments/sample/train.tsv"
    assert test.frame["source"].nunique() == 3


@pytest.mark.shared
def test_real_klue_dev(shared: Path) -> None:
    frame = load_pairs(shared / "data/klue-sts/klue-sts-v1.1_dev.json").frame
    assert frame["source"].nunique() == 6
    means = [np.mean(marks) for marks in frame["annotations"]]
    np.testing.assert_allclose(means, frame["label"], atol=1e-12)


@pytest.mark.shared
def test_real_korsts_takes_genre_as_source(shared: Path) -> None:
    frame = load_pairs(shared / "data/korsts/sts-dev.tsv").frame
    assert set(frame["source"]) == {"main-captions", "main-forums", "main-news"}
    assert frame["label"].between(0, 5).all()


def _labelled(folder: Path, name: str, labels: list[Any]) -> Path:
    path = folder / name
    rows = "".join(f"문장 {n},글 {n},{label}\n" for n, label in enumerate(labels))
    path.write_text(f"sentence1,sentence2,label\n{rows}", encoding="utf-8")
    return path


def test_the_scale_that_the_labels_show_is_taken_and_said(tmp_path: Path) -> None:
    raw = load_pairs(_labelled(tmp_path, "a.csv", [0, 1, 1]))
    assert raw.frame["label"].tolist() == [0, 5, 5]
    assert str(raw.scale) == "binary"
    assert "--label-scale binary" in raw.notices[0].en
    assert load_pairs(_labelled(tmp_path, "b.csv", ["true", "false"])).frame["label"][0] == 5


def test_words_are_refused_with_the_option_that_says_what_they_mean(tmp_path: Path) -> None:
    path = _labelled(tmp_path, "a.csv", ["유사", "비유사", "애매"])
    option = '--label-scale "유사=5,비유사=0,애매=?"'
    with pytest.raises(DataError, match=re.escape(option)):
        load_pairs(path)
    raw = load_pairs(path, scale="유사=5,비유사=0,애매=2")
    assert raw.frame["label"].tolist() == [5, 0, 2]
    with pytest.raises(DataError, match="row 3: label '애매' is none of the words"):
        load_pairs(path, scale="유사=5,비유사=0")


@pytest.mark.parametrize(
    "words", [["Yes", "no"], ["O", "X"], ["예", "아니오"], ["similar", "Different"]]
)
def test_known_words_get_their_labels_suggested(tmp_path: Path, words: list[str]) -> None:
    path = _labelled(tmp_path, "a.csv", words * 3)
    with pytest.raises(DataError) as caught:
        load_pairs(path)
    option = str(caught.value).partition('--label-scale "')[2].rstrip('"')
    assert load_pairs(path, scale=option).frame["label"].tolist() == [5, 0] * 3


LIKERT = [1 + n % 5 for n in range(30)]


@pytest.mark.parametrize(
    "train, test, scales",
    [
        ([0, 1] * 10, [0, 2.5, 5], ("binary", "0:5")),
        (LIKERT, [0.2, 0.9], ("1:5", "0:1")),
        # Whether 1 is the lowest is told by both files together.
        (LIKERT, [1, 2, 5], ("1:5", "1:5")),
        ([0, *LIKERT], LIKERT, ("0:5", "0:5")),
        (LIKERT, [0, *LIKERT], ("0:5", "0:5")),
    ],
)
def test_train_and_test_have_their_own_scales(
    tmp_path: Path, train: list[Any], test: list[Any], scales: tuple[str, str]
) -> None:
    raws = load_train_and_test(
        _labelled(tmp_path, "train.csv", train), _labelled(tmp_path, "test.csv", test)
    )
    assert tuple(str(raw.scale) for raw in raws) == scales
    for raw in raws:
        expected = raw.scale.to_labels(raw.frame["given"].to_numpy())
        assert raw.frame["label"].tolist() == expected.tolist()
        assert sum("label-scale" in notice.ko for notice in raw.notices) == (
            str(raw.scale) != "0:5"
        )


def test_train_and_test_can_be_told_their_own_scales_and_columns(tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    train.write_text("a,b,c\n가,나,1\n다,라,5\n", encoding="utf-8")
    test = _labelled(tmp_path, "test.csv", [0, 100])
    raws = load_train_and_test(train, test, scales=("1:5", "auto"), columns=("a,b,c", None))
    assert [raw.frame["label"].tolist() for raw in raws] == [[0, 5], [0, 5]]
