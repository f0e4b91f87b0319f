"""Corpora of many files: which belong to them, in which order, and what their rows are called."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import datasets
import pandas as pd
import pytest

from kosim.encoders.errors import DataError
from kosim.index.corpus import BadLines
from kosim.index.corpus_files import CorpusFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.txt").write_text("하나\n둘\n", encoding="utf-8")
    (tmp_path / "b" / "c.csv").write_text("id,text\nx,셋\n", encoding="utf-8")
    (tmp_path / "b" / "d.txt").write_text("넷\n\n다섯\n", encoding="utf-8")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".hidden").write_text("여섯\n", encoding="utf-8")
    return tmp_path


def test_a_folder_is_read_in_the_order_of_its_paths(folder: Path) -> None:
    skipped = BadLines()
    source = CorpusFiles.find(folder, bad_lines="skip")
    found = [(one.id, one.text) for one in source.documents(skipped)]
    assert found == [
        ("a.txt:1", "하나"),
        ("a.txt:2", "둘"),
        ("x", "셋"),
        ("b/d.txt:1", "넷"),
        ("b/d.txt:3", "다섯"),
    ]
    assert skipped.count == 1


def test_a_pattern_names_rows_from_the_folder_that_is_fixed(folder: Path) -> None:
    source = CorpusFiles.find(f"{folder}/b/*.txt", bad_lines="skip")
    assert [one.id for one in source.documents()] == ["1", "3"]
    every = CorpusFiles.find(f"{folder}/**/*.txt", bad_lines="skip")
    assert [one.id for one in every.documents()][:3] == ["a.txt:1", "a.txt:2", "b/d.txt:1"]


def test_a_single_file_numbers_its_rows_alone(folder: Path) -> None:
    assert [one.id for one in CorpusFiles.find(folder / "a.txt").documents()] == ["1", "2"]


def test_a_parquet_data_set_is_a_corpus(tmp_path: Path) -> None:
    place = tmp_path / "data"
    for year in (2020, 2021):
        part = place / f"year={year}"
        part.mkdir(parents=True)
        pd.DataFrame({"text": [f"{year}년"], "n": [year]}).to_parquet(part / "part-0.parquet")
    found = list(CorpusFiles.find(place).documents())
    assert [one.id for one in found] == [
        "year=2020/part-0.parquet:1",
        "year=2021/part-0.parquet:1",
    ]
    assert found[1].extra == {"n": 2021}


def test_it_reads_alike_in_another_process(folder: Path) -> None:
    source = CorpusFiles.find(folder, bad_lines="skip")
    sent = pickle.loads(pickle.dumps(source))
    assert list(sent.documents()) == list(source.documents())


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file is called .*\*\.txt"):
        CorpusFiles.find(f"{tmp_path}/*.txt")
    with pytest.raises(DataError, match="folder without files"):
        CorpusFiles.find(tmp_path)
    with pytest.raises(DataError, match=r"gone\.txt"):
        list(CorpusFiles.find(tmp_path / "gone.txt").documents())


def test_standard_input_can_be_read_once() -> None:
    assert not CorpusFiles.find("-").rereadable


@pytest.mark.parametrize("pattern", ["", "**/*.txt", "*/*.txt"])
def test_a_folder_that_cannot_be_read_is_named(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.txt").write_text("문장\n", encoding="utf-8")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.txt").write_text("문장\n", encoding="utf-8")
    scan = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("a"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"cannot read the folder .*a: Permission denied"):
        CorpusFiles.find(f"{tmp_path}/{pattern}")


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("문장\n", encoding="utf-8")
    assert CorpusFiles.find(tmp_path / "a.txt").rereadable
    os.mkfifo(tmp_path / "pipe")
    assert not CorpusFiles.find(tmp_path / "pipe").rereadable
    assert not CorpusFiles.find("-").rereadable


def test_a_folder_in_beirs_layout_is_its_corpus(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "x"}\n')
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "title": "t", "text": "x"}\n')
    assert [(one.id, one.text) for one in CorpusFiles.find(tmp_path).documents()] == [("a", "t x")]


def test_a_folder_of_hugging_face_is_a_corpus(tmp_path: Path) -> None:
    rows = [{"id": f"{n}", "text": f"문장 {n}"} for n in range(5)]
    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "saved", num_shards=2)
    source = CorpusFiles.find(tmp_path / "saved")
    assert [one.id for one in source.documents()] == ["0", "1", "2", "3", "4"]


def test_a_pipe_can_be_read_once() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    try:
        assert not CorpusFiles.find(f"/dev/fd/{reading}").rereadable
    finally:
        os.close(reading)


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    for name in ("가" * 300, "a\0b"):
        with pytest.raises(DataError, match="cannot read"):
            list(CorpusFiles.find(tmp_path / name).documents())
