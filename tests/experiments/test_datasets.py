"""Pair data sets: flexible columns, KLUE's nesting, the hub, the sample."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.experiments.data.datasets import KLUE_REVISION, load_dataset, load_klue_sts
from kosim.experiments.data.pairs import load_pairs, load_train_and_test

KLUE_RECORDS: list[dict[str, Any]] = [
    {
        "guid": f"made-up-{i}",
        "source": source,
        "sentence1": f"첫째 문장 {i}",
        "sentence2": f"둘째 문장 {i}",
        "labels": {"label": round(mean, 1), "real-label": mean, "binary-label": int(mean >= 3)},
        "annotations": {"agreement": "", "annotators": ["1", "2", "3"], "annotations": marks},
    }
    for i, (source, mean, marks) in enumerate([("a", 11 / 3, [4, 4, 3]), ("b", 1 / 3, [0, 0, 1])])
]


def _json(folder: Path, records: list[dict[str, Any]]) -> Path:
    path = folder / "pairs.json"
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def _csv(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "header", ["sentence1,sentence2,score", "text1,text2,label", "sentence_a,sentence_b,real-label"]
)
def test_known_column_names(tmp_path: Path, header: str) -> None:
    frame = load_pairs(_csv(tmp_path, f"{header}\n가,나,4\n")).frame
    assert frame.to_dict("records") == [
        {"row": 1, "sentence1": "가", "sentence2": "나", "given": 4, "label": 4, "source": ""}
    ]


@pytest.mark.parametrize(
    "header, label", [("label,score,real-label", 3), ("label,score,x", 2), ("label,x,y", 1)]
)
def test_the_finest_label_column_wins(tmp_path: Path, header: str, label: int) -> None:
    path = _csv(tmp_path, f"sentence1,sentence2,{header}\n가,나,1,2,3\n")
    assert load_pairs(path).frame["label"].tolist() == [label]


@pytest.mark.parametrize(
    "columns",
    [
        "q,d,gold,where",
        " Q , D , gold,where",
        ["q", "d", "gold", "where"],
        ("q", "d", "gold", "where"),
        {"sentence1": "q", "sentence2": "d", "label": "gold", "source": "where"},
        "source=where, label=gold, sentence1=q, sentence2=d",
        "1,2,3,5",
    ],
)
def test_columns_can_be_named(tmp_path: Path, columns: Any) -> None:
    path = _csv(tmp_path, "q,d,gold,score,where\n가,나,0.5,9,x\n")
    row = load_pairs(path, scale="0:1", columns=columns).frame.iloc[0]
    assert (row["sentence1"], row["sentence2"]) == ("가", "나")
    assert (row["given"], row["label"], row["source"]) == (0.5, 2.5, "x")


def test_missing_values_are_kept_for_cleaning(tmp_path: Path) -> None:
    raw = load_pairs(_csv(tmp_path, "sentence1,sentence2,score,source\n,나,4,\n가,다,,x\n"))
    assert raw.frame["sentence1"].tolist() == [None, "가"]
    assert raw.frame["label"].isna().tolist() == [False, True]
    assert raw.frame["source"].tolist() == ["", "x"]


def test_labels_out_of_scale_are_kept_for_cleaning(tmp_path: Path) -> None:
    raw = load_pairs(_csv(tmp_path, "sentence1,sentence2,score\n가,나,7\n"), scale="0:5")
    assert raw.frame["given"].tolist() == [7]


def test_rows_are_counted_without_header_and_blank_lines(tmp_path: Path) -> None:
    path = _csv(tmp_path, "sentence1,sentence2,score\n가,나,1\n\n가,다,높음\n")
    with pytest.raises(DataError, match=r"pairs\.csv: row 2: score '높음' is not a number"):
        load_pairs(path)


def test_number_in_place_of_a_sentence(tmp_path: Path) -> None:
    path = _json(tmp_path, [{"sentence1": 12, "sentence2": "나", "score": 1}])
    with pytest.raises(DataError, match="row 1: sentence1 12 is no text"):
        load_pairs(path)


def test_half_a_character_is_no_text(tmp_path: Path) -> None:
    path = _json(tmp_path, [{"sentence1": "가\ud83d", "sentence2": "나", "score": 1}])
    with pytest.raises(DataError, match=r"row 1: sentence1 .* is no text"):
        load_pairs(path)


@pytest.mark.parametrize(
    "header, columns, part",
    [
        ("a,b,score", None, "no sentence columns such as sentence1 and sentence2"),
        ("sentence1,b,score", None, "its columns are sentence1, b, score"),
        ("sentence1,b,score", None, "--columns SENTENCE1,SENTENCE2,LABEL"),
        ("sentence1,sentence2,c", None, "no label column such as score, label or 유사도"),
        ("sentence1,sentence2,score", "label=gold", "no label column gold"),
        ("sentence1,sentence2,score", {"source": "s"}, "no source column s"),
        ("sentence1,sentence2,score", ("a", "b"), "no sentence columns a and b"),
        ("Sentence 1,sentence_1,score", None, "'Sentence 1' and 'sentence_1' are both called"),
    ],
)
def test_wrong_column(tmp_path: Path, header: str, columns: Any, part: str) -> None:
    with pytest.raises(DataError, match=part):
        load_pairs(_csv(tmp_path, f"{header}\n가,나,1\n"), columns=columns)


@pytest.mark.parametrize(
    "columns, part",
    [
        ("a", "give two sentences"),
        ("a,b,c,d,e", "give two sentences"),
        ("a,a", "a name of its own"),
        ("a,,b", "a name of its own"),
        ("score=a", "'score'; what can be named is sentence1, sentence2, label, source"),
        ("label=a,label=b", "twice"),
        ("sentence1=a", "name both"),
        ("", "give two sentences"),
    ],
)
def test_columns_that_are_named_wrongly(tmp_path: Path, columns: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        load_pairs(tmp_path / "none.csv", columns=columns)


@pytest.mark.parametrize(
    "header",
    [
        "문장1,문장2,유사도",
        " 문장 1 , 문장 2 ,점수",
        "\ufeff문장A,문장B,정답",
        "질문,답변,라벨",
        "질문1,질문2,유사 여부",
        "SENTENCE1,Sentence2,Label",
        "text_a,text_b,similarity",
        "premise,hypothesis,gold_label",
        "문장1,문장2,유사도",  # decomposed, as macOS writes
    ],
)
def test_names_in_korean_and_in_other_spellings(tmp_path: Path, header: str) -> None:
    frame = load_pairs(_csv(tmp_path, f"{header}\n가,나,4\n")).frame
    assert frame[["sentence1", "sentence2", "given"]].to_numpy().tolist() == [["가", "나", 4]]


def test_a_source_in_korean(tmp_path: Path) -> None:
    path = _csv(tmp_path, "문장1,문장2,유사도,출처\n가,나,4,뉴스\n")
    assert load_pairs(path).frame["source"].tolist() == ["뉴스"]


@pytest.mark.parametrize(
    "text", ["방이 넓다,창이 크다,3.5\n가,나,1\n", "3.5,방이 넓다,창이 크다\n1,가,나\n"]
)
def test_a_file_without_names_of_columns(tmp_path: Path, text: str) -> None:
    raw = load_pairs(_csv(tmp_path, text))
    assert raw.frame["sentence1"].tolist() == ["방이 넓다", "가"]
    assert raw.frame["sentence2"].tolist() == ["창이 크다", "나"]
    assert raw.frame["given"].tolist() == [3.5, 1]
    assert any("two sentences and a label" in notice for notice in raw.notices)


def test_a_file_without_names_that_could_be_read_in_two_ways(tmp_path: Path) -> None:
    path = _csv(tmp_path, "1,방이 넓다,창이 크다,3.5\n2,가,나,1\n")
    with pytest.raises(DataError, match="its 4 columns have no names: choose by number, --columns"):
        load_pairs(path)
    raw = load_pairs(path, columns="2,3,4")
    assert raw.frame["given"].tolist() == [3.5, 1]


@pytest.mark.parametrize("truth", ["true,false", "True,False", "TRUE, FALSE"])
def test_true_and_false_are_labels(tmp_path: Path, truth: str) -> None:
    yes, no = truth.split(",")
    path = _csv(tmp_path, f"sentence1,sentence2,label\n가,나,{yes}\n가,다,{no}\n")
    assert load_pairs(path, scale="binary").frame["label"].tolist() == [5, 0]
    records = [{"sentence1": "가", "sentence2": "나", "label": value} for value in (True, False)]
    raw = load_pairs(_json(tmp_path, records), scale="binary")
    assert raw.frame["label"].tolist() == [5, 0]


@pytest.mark.parametrize("label", ["1_0", "3,5", "80%", "[1]"])
def test_what_is_no_number(tmp_path: Path, label: str) -> None:
    path = _csv(tmp_path, f'sentence1,sentence2,label\n가,나,"{label}"\n')
    with pytest.raises(DataError, match="is not a number"):
        load_pairs(path)


@pytest.mark.parametrize("name, expected", [("v1.1_dev.csv", "v1.1_dev"), ("a.tsv.gz", "a")])
def test_name_is_the_file_without_its_suffix(tmp_path: Path, name: str, expected: str) -> None:
    path = tmp_path / name
    separator = "\t" if ".tsv" in name else ","
    text = "\n".join(separator.join(x) for x in (["sentence1", "sentence2", "score"], "가나1"))
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    assert load_pairs(path).name == expected


def test_official_klue_json(tmp_path: Path) -> None:
    frame = load_pairs(_json(tmp_path, KLUE_RECORDS)).frame
    assert frame["label"].tolist() == [11 / 3, 1 / 3]
    assert frame["source"].tolist() == ["a", "b"]
    assert frame["annotations"].tolist() == [(4, 4, 3), (0, 0, 1)]


def test_nested_binary_label_can_be_chosen(tmp_path: Path) -> None:
    raw = load_pairs(_json(tmp_path, KLUE_RECORDS), columns="label=binary-label", scale="binary")
    assert raw.frame["label"].tolist() == [5, 0]


def test_annotations_are_mapped_as_the_labels_are(tmp_path: Path) -> None:
    record = {"sentence1": "가", "sentence2": "나", "score": 3, "annotations": [1, 5]}
    frame = load_pairs(_json(tmp_path, [record]), scale="1:5").frame
    assert frame["annotations"].tolist() == [(0, 5)]


def test_annotation_that_is_no_number(tmp_path: Path) -> None:
    record = {"sentence1": "가", "sentence2": "나", "score": 3, "annotations": [1, "x"]}
    with pytest.raises(DataError, match="row 1: annotation 'x' is not a number"):
        load_pairs(_json(tmp_path, [record]))


def test_columns_that_only_share_klues_names(tmp_path: Path) -> None:
    path = _csv(tmp_path, "sentence1,sentence2,labels,annotations\n가,나,2,메모\n")
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
    assert "--label-scale binary" in raw.notices[0]
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
        assert sum("label-scale" in notice for notice in raw.notices) == (str(raw.scale) != "0:5")


def test_train_and_test_can_be_told_their_own_scales_and_columns(tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    train.write_text("a,b,c\n가,나,1\n다,라,5\n", encoding="utf-8")
    test = _labelled(tmp_path, "test.csv", [0, 100])
    raws = load_train_and_test(train, test, scales=("1:5", "auto"), columns=("a,b,c", None))
    assert [raw.frame["label"].tolist() for raw in raws] == [[0, 5], [0, 5]]
