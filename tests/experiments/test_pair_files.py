"""Files of labelled pairs: which columns are taken, and what is kept for cleaning."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.experiments.data.pairs import load_pairs
from tests.experiments.pair_files import write_csv, write_records


@pytest.mark.parametrize(
    "header", ["sentence1,sentence2,score", "text1,text2,label", "sentence_a,sentence_b,real-label"]
)
def test_known_column_names(tmp_path: Path, header: str) -> None:
    frame = load_pairs(write_csv(tmp_path, f"{header}\n가,나,4\n")).frame
    assert frame.to_dict("records") == [
        {"row": 1, "sentence1": "가", "sentence2": "나", "given": 4, "label": 4, "source": ""}
    ]


@pytest.mark.parametrize(
    "header, label", [("label,score,real-label", 3), ("label,score,x", 2), ("label,x,y", 1)]
)
def test_the_finest_label_column_wins(tmp_path: Path, header: str, label: int) -> None:
    path = write_csv(tmp_path, f"sentence1,sentence2,{header}\n가,나,1,2,3\n")
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
    path = write_csv(tmp_path, "q,d,gold,score,where\n가,나,0.5,9,x\n")
    row = load_pairs(path, scale="0:1", columns=columns).frame.iloc[0]
    assert (row["sentence1"], row["sentence2"]) == ("가", "나")
    assert (row["given"], row["label"], row["source"]) == (0.5, 2.5, "x")


def test_missing_values_are_kept_for_cleaning(tmp_path: Path) -> None:
    raw = load_pairs(write_csv(tmp_path, "sentence1,sentence2,score,source\n,나,4,\n가,다,,x\n"))
    assert raw.frame["sentence1"].tolist() == [None, "가"]
    assert raw.frame["label"].isna().tolist() == [False, True]
    assert raw.frame["source"].tolist() == ["", "x"]


def test_labels_out_of_scale_are_kept_for_cleaning(tmp_path: Path) -> None:
    raw = load_pairs(write_csv(tmp_path, "sentence1,sentence2,score\n가,나,7\n"), scale="0:5")
    assert raw.frame["given"].tolist() == [7]


def test_rows_are_counted_without_header_and_blank_lines(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "sentence1,sentence2,score\n가,나,1\n\n가,다,높음\n")
    with pytest.raises(DataError, match=r"pairs\.csv: row 2: score '높음' is not a number"):
        load_pairs(path)


def test_number_in_place_of_a_sentence(tmp_path: Path) -> None:
    path = write_records(tmp_path, [{"sentence1": 12, "sentence2": "나", "score": 1}])
    with pytest.raises(DataError, match="row 1: sentence1 12 is not text"):
        load_pairs(path)


def test_half_a_character_is_no_text(tmp_path: Path) -> None:
    path = write_records(tmp_path, [{"sentence1": "가\ud83d", "sentence2": "나", "score": 1}])
    with pytest.raises(DataError, match=r"row 1: sentence1 .* is not text"):
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
        load_pairs(write_csv(tmp_path, f"{header}\n가,나,1\n"), columns=columns)


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
    frame = load_pairs(write_csv(tmp_path, f"{header}\n가,나,4\n")).frame
    assert frame[["sentence1", "sentence2", "given"]].to_numpy().tolist() == [["가", "나", 4]]


def test_a_source_in_korean(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "문장1,문장2,유사도,출처\n가,나,4,뉴스\n")
    assert load_pairs(path).frame["source"].tolist() == ["뉴스"]


@pytest.mark.parametrize(
    "text", ["방이 넓다,창이 크다,3.5\n가,나,1\n", "3.5,방이 넓다,창이 크다\n1,가,나\n"]
)
def test_a_file_without_names_of_columns(tmp_path: Path, text: str) -> None:
    raw = load_pairs(write_csv(tmp_path, text))
    assert raw.frame["sentence1"].tolist() == ["방이 넓다", "가"]
    assert raw.frame["sentence2"].tolist() == ["창이 크다", "나"]
    assert raw.frame["given"].tolist() == [3.5, 1]
    assert any("two sentences and a label" in notice.en for notice in raw.notices)


def test_a_file_without_names_that_could_be_read_in_two_ways(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "1,방이 넓다,창이 크다,3.5\n2,가,나,1\n")
    with pytest.raises(DataError, match="its 4 columns have no names: choose by number, --columns"):
        load_pairs(path)
    raw = load_pairs(path, columns="2,3,4")
    assert raw.frame["given"].tolist() == [3.5, 1]


@pytest.mark.parametrize("truth", ["true,false", "True,False", "TRUE, FALSE"])
def test_true_and_false_are_labels(tmp_path: Path, truth: str) -> None:
    yes, no = truth.split(",")
    path = write_csv(tmp_path, f"sentence1,sentence2,label\n가,나,{yes}\n가,다,{no}\n")
    assert load_pairs(path, scale="binary").frame["label"].tolist() == [5, 0]
    records = [{"sentence1": "가", "sentence2": "나", "label": value} for value in (True, False)]
    raw = load_pairs(write_records(tmp_path, records), scale="binary")
    assert raw.frame["label"].tolist() == [5, 0]


@pytest.mark.parametrize("label", ["1_0", "3,5", "80%", "[1]"])
def test_what_is_no_number(tmp_path: Path, label: str) -> None:
    path = write_csv(tmp_path, f'sentence1,sentence2,label\n가,나,"{label}"\n')
    with pytest.raises(DataError, match="is not a number"):
        load_pairs(path)


@pytest.mark.parametrize("name, expected", [("v1.1_dev.csv", "v1.1_dev"), ("a.tsv.gz", "a")])
def test_name_is_the_file_without_its_suffix(tmp_path: Path, name: str, expected: str) -> None:
    path = tmp_path / name
    separator = "\t" if ".tsv" in name else ","
    text = "\n".join(separator.join(x) for x in (["sentence1", "sentence2", "score"], "가나1"))
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    assert load_pairs(path).name == expected
