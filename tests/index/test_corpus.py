"""Reading a corpus: every format, which column is what, and every line that is no sentence."""

from __future__ import annotations

import datetime
import decimal
import gzip
import io
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.index.corpus import BadLines, read_corpus
from kosim.index.documents import LONGEST_TEXT, Document, check_document
from tests.encoders.workbooks import workbook

TEXTS = ["숙소가 깨끗해요", "위치는 조금 멀어요", "주인이 친절했다"]
TABLES = {
    ".csv": "id,text,stars\n" + "".join(f"r{i},{text},{i}\n" for i, text in enumerate(TEXTS)),
    ".tsv": "id\ttext\tstars\n" + "".join(f"r{i}\t{t}\t{i}\n" for i, t in enumerate(TEXTS)),
    ".jsonl": "".join(
        json.dumps({"id": f"r{i}", "text": text, "stars": str(i)}) + "\n"
        for i, text in enumerate(TEXTS)
    ),
}


def _parquet() -> bytes:
    columns: dict[str, Any] = {
        "id": [f"r{i}" for i in range(3)],
        "text": TEXTS,
        "stars": ["0", "1", "2"],
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


CONTENTS = {**{suffix: text.encode() for suffix, text in TABLES.items()}, ".parquet": _parquet()}
WANTED = [Document(f"r{i}", text, {"stars": str(i)}) for i, text in enumerate(TEXTS)]


def _file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _refused(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        list(read_corpus(path, **options))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", CONTENTS)
def test_tables_give_ids_texts_and_the_rest(tmp_path: Path, suffix: str, packed: bool) -> None:
    content = gzip.compress(CONTENTS[suffix]) if packed else CONTENTS[suffix]
    path = _file(tmp_path, f"corpus{suffix}{'.gz' if packed else ''}", content)
    assert list(read_corpus(path)) == WANTED


@pytest.mark.parametrize("name", ["a.txt", "a", "a.v2", "a.txt.gz"])
def test_text_has_one_sentence_a_line(tmp_path: Path, name: str) -> None:
    content = ("\ufeff" + "\r\n".join(TEXTS)).encode()
    path = _file(tmp_path, name, gzip.compress(content) if name.endswith(".gz") else content)
    assert list(read_corpus(path)) == [
        Document(str(number), text) for number, text in enumerate(TEXTS, 1)
    ]


@pytest.mark.parametrize("suffix", CONTENTS)
def test_tables_from_standard_input(monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(CONTENTS[suffix])))
    assert list(read_corpus("-", format=suffix[1:])) == WANTED  # type: ignore[arg-type]


def test_standard_input_is_text_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("하나, 둘\n".encode())))
    assert list(read_corpus("-")) == [Document("1", "하나, 둘")]


@pytest.mark.parametrize(
    "header, options, wanted",
    [
        ("text,sentence", {}, Document("1", "a", {"sentence": "b"})),
        ("other,sentence", {}, Document("1", "b", {"other": "a"})),
        ("other,text", {"text_column": "other"}, Document("1", "a", {"text": "b"})),
        ("key,text", {"id_column": "key"}, Document("a", "b")),
        ("id,text", {"text_column": "id"}, Document("1", "a", {"text": "b"})),
    ],
)
def test_columns_are_found_or_named(
    tmp_path: Path, header: str, options: dict[str, str], wanted: Document
) -> None:
    path = _file(tmp_path, "a.csv", f"{header}\na,b\n")
    assert list(read_corpus(path, **options)) == [wanted]  # type: ignore[arg-type]


def test_only_column_is_the_text(tmp_path: Path) -> None:
    assert list(read_corpus(_file(tmp_path, "a.csv", "review\n좋다\n"))) == [Document("1", "좋다")]


@pytest.mark.parametrize(
    "options, part",
    [
        ({}, "no column text or sentence; its columns are a, b"),
        ({"text_column": "body"}, "no column 'body'; its columns are a, b"),
        ({"text_column": "a", "id_column": "key"}, "no column 'key'; its columns are a, b"),
    ],
)
def test_missing_column_lists_what_there_is(
    tmp_path: Path, options: dict[str, str], part: str
) -> None:
    path = _file(tmp_path, "a.csv", "a,b\n1,2\n")
    assert part in _refused(path, **options)
    assert part in _refused(path, bad_lines="skip", **options)


def test_id_may_be_a_whole_number(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.jsonl", '{"id": 7, "text": "좋다"}\n')
    assert list(read_corpus(path)) == [Document("7", "좋다")]


@pytest.mark.parametrize("id", ["null", '""', '" "', "1.5", "[1]", "true", '"\\ud800"'])
def test_id_that_is_none_is_refused(tmp_path: Path, id: str) -> None:
    path = _file(tmp_path, "a.jsonl", f'{{"id": "0", "text": "x"}}\n{{"id": {id}, "text": "x"}}\n')
    assert "line 2: " in _refused(path)


def test_other_columns_become_json_values(tmp_path: Path) -> None:
    moment = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC)
    table = {
        "text": ["좋다"],
        "moment": [moment],
        "day": [datetime.date(2024, 2, 29)],
        "price": [decimal.Decimal("12.50")],
        "whole": [decimal.Decimal("3.00")],
        "nothing": [float("nan")],
        "vector": [np.arange(3, dtype=np.float32)],
        "raw": [b"\x00\xff"],
        "nested": [{"a": [1, None]}],
    }
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(table), path)
    (document,) = read_corpus(path)
    assert document.extra == json.loads(json.dumps(dict(document.extra), allow_nan=False))
    assert document.extra == {
        "moment": "2024-02-29T12:30:00+00:00",
        "day": "2024-02-29",
        "price": 12.5,
        "whole": 3,
        "nothing": None,
        "vector": [0.0, 1.0, 2.0],
        "raw": "AP8=",
        "nested": {"a": [1, None]},
    }


BAD = {
    "blank": ("", "the text is blank"),
    "spaces": (" \t\u3000", "nothing but blanks"),
    "long": ("가" * 100_000, "100,000 characters; the limit is 10,000"),
    "other encoding": ("방".encode("cp949"), "byte 0xb9 at offset 7 is not UTF-8"),
    "NUL": ("a\0b", "NUL character"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_line_of_text_is_named(tmp_path: Path, case: str) -> None:
    line, part = BAD[case]
    raw = line if isinstance(line, bytes) else line.encode()
    path = _file(tmp_path, "a.txt", "하나\n".encode() + raw + "\n둘\n".encode())
    message = _refused(path)
    assert "line 2: " in message
    assert part in message


@pytest.mark.parametrize("case", BAD)
def test_bad_line_is_skipped_and_counted_by_choice(tmp_path: Path, case: str) -> None:
    line, part = BAD[case]
    raw = line if isinstance(line, bytes) else line.encode()
    path = _file(tmp_path, "a.txt", "하나\n".encode() + raw + "\n둘\n".encode())
    skipped = BadLines()
    found = list(read_corpus(path, bad_lines="skip", skipped=skipped))
    assert found == [Document("1", "하나"), Document("3", "둘")]
    assert skipped.count == 1
    assert part in skipped.first[0] and "line 2: " in skipped.first[0]


def test_only_the_first_bad_lines_are_kept(tmp_path: Path) -> None:
    skipped = BadLines()
    path = _file(tmp_path, "a.txt", "하나\n" + "\n" * 100)
    assert len(list(read_corpus(path, bad_lines="skip", skipped=skipped))) == 1
    assert skipped.count == 100
    assert len(skipped.first) == 5


def test_longest_text_is_allowed(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", "가" * LONGEST_TEXT)
    assert len(next(read_corpus(path)).text) == LONGEST_TEXT


@pytest.mark.parametrize(
    "value, part", [("3", "not a string"), ("null", "blank"), ('"\\udc00"', "half")]
)
def test_value_that_is_no_text_is_named(tmp_path: Path, value: str, part: str) -> None:
    message = _refused(_file(tmp_path, "a.jsonl", f'{{"text": "x"}}\n{{"text": {value}}}\n'))
    assert "line 2: " in message
    assert part in message


def test_json_line_without_the_column_is_named(tmp_path: Path) -> None:
    message = _refused(_file(tmp_path, "a.jsonl", '{"text": "x"}\n{"body": "y"}\n'))
    assert "line 2: it has no column 'text', only body" in message


@pytest.mark.parametrize(
    "name, content", [("a.txt", ""), ("a.csv", "text\n"), ("a.jsonl", "\n"), ("a.csv", "")]
)
def test_empty_corpus_is_refused(tmp_path: Path, name: str, content: str) -> None:
    message = _refused(_file(tmp_path, name, content))
    assert "no sentence" in message or "is empty" in message


def test_corpus_of_bad_lines_only_is_refused(tmp_path: Path) -> None:
    assert "no sentence" in _refused(_file(tmp_path, "a.txt", "\n\n"), bad_lines="skip")


@pytest.mark.parametrize("name", ["none.txt", "none.csv", "none.parquet"])
def test_missing_file_is_named(tmp_path: Path, name: str) -> None:
    assert "No such file" in _refused(tmp_path / name)


def test_unknown_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bad_lines is 'drop'"):
        list(read_corpus(tmp_path / "a.txt", bad_lines="drop"))  # type: ignore[arg-type]


def test_documents_before_a_bad_line_are_had(tmp_path: Path) -> None:
    documents = read_corpus(_file(tmp_path, "a.txt", "하나\n\n"))
    assert next(documents) == Document("1", "하나")


@pytest.mark.parametrize(
    "document",
    [Document("", "x"), Document("1", " "), Document(1, "x"), Document("1", None)],  # type: ignore[arg-type]
)
def test_document_that_cannot_be_stored_is_named(document: Document) -> None:
    with pytest.raises(DataError, match="document "):
        check_document(document)


@pytest.mark.shared
@pytest.mark.slow
def test_real_corpus_has_its_published_size(shared: Path) -> None:
    corpus = read_corpus(shared / "data" / "corpus" / "ko-sentences.txt.gz")
    assert sum(1 for _ in corpus) == 799_122


def test_names_in_korean_and_in_other_spellings(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", "문서 번호,본문,별점\n7,좋다,5\n")
    assert list(read_corpus(path)) == [Document("7", "좋다", {"별점": "5"})]
    (chosen,) = read_corpus(path, text_column="별점", id_column="1")
    assert (chosen.id, chosen.text) == ("7", "5")


def test_a_file_of_windows_in_korean(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", "방이 넓다\n창이 크다\n".encode("cp949"))
    assert [one.text for one in read_corpus(path)] == ["방이 넓다", "창이 크다"]
    assert [one.text for one in read_corpus(path, encoding="cp949")] == ["방이 넓다", "창이 크다"]


def test_lines_of_json_are_no_sentences(tmp_path: Path) -> None:
    for name in ("a.ndjson", "a.txt", "corpus"):
        assert list(read_corpus(_file(tmp_path, name, TABLES[".jsonl"]))) == WANTED


@pytest.mark.parametrize("name", ["a.txt", "corpus", "a.md"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(32)) * 9, "is not text"),
        (b"\x01\x02\x03\x04" * 9, "binary data"),
        (b"SQLite format 3\0" + bytes(99), "SQLite"),
        (b"\x93NUMPY\x01\0v\0{'descr': '<f4'}\n", "NumPy"),
        ("<!DOCTYPE html>\n<p>비</p>".encode(), "is HTML"),
        ('\ufeff<?xml version="1.0"?>\n<p>비</p>'.encode(), "is HTML or XML"),
        ('["비가 와요", "눈이 와요"]'.encode(), "lists of JSON"),
        ('["비가 와요"]\n["눈이 와요"]\n'.encode(), "lists of JSON"),
        ((TABLES[".jsonl"] + "글\n").encode(), "line 4: no valid JSON"),
    ],
    ids=["png", "binary", "sqlite", "numpy", "html", "xml", "list", "lists", "a line of text"],
)
def test_what_holds_no_sentences_is_never_read_as_text(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    assert message in _refused(_file(tmp_path, name, content))


@pytest.mark.parametrize("separator", [";", "|"])
def test_a_table_with_other_separators_is_seen(tmp_path: Path, separator: str) -> None:
    text = f"id{separator}text\n1{separator}비가 와요\n"
    (document,) = read_corpus(_file(tmp_path, "a.txt", text))
    assert (document.id, document.text) == ("1", "비가 와요")


def test_utf_16_without_a_mark_is_read_where_it_is_named(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", "a b c\n방이 넓다\n".encode("utf-16-le"))
    assert "utf-16-le" in _refused(path)
    texts = [one.text for one in read_corpus(path, encoding="utf-16-le")]
    assert texts == ["a b c", "방이 넓다"]


def test_lines_of_json_from_standard_input_are_no_sentences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = TABLES[".jsonl"].encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert list(read_corpus("-")) == WANTED


def test_ids_that_are_no_strings(tmp_path: Path) -> None:
    number = uuid.UUID(int=7)
    ids: dict[str, list[Any]] = {
        "uuid": [number, str(number)],
        "date": [datetime.date(2024, 2, 29), "2024-02-29"],
        "time": [datetime.datetime(2024, 2, 29, 12, 30), "2024-02-29T12:30:00"],
        "float": [7.0, "7"],
        "decimal": [decimal.Decimal("7.00"), "7"],
    }
    for kind, (value, text) in ids.items():
        path = tmp_path / f"{kind}.parquet"
        column = pa.array([value.bytes], pa.uuid()) if kind == "uuid" else pa.array([value])
        pq.write_table(pa.table({"id": column, "text": ["좋다"]}), path)
        assert list(read_corpus(path)) == [Document(text, "좋다")]


def test_beirs_ids_and_titles(tmp_path: Path) -> None:
    lines = [
        {"_id": "a", "title": "서울", "text": "한국의 수도", "metadata": {}},
        {"_id": "b", "title": "", "text": "제목 없는 글"},
        {"_id": "c", "title": "제목뿐", "text": ""},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    found = list(read_corpus(_file(tmp_path, "corpus.jsonl", text)))
    assert [(one.id, one.text) for one in found] == [
        ("a", "서울 한국의 수도"),
        ("b", "제목 없는 글"),
        ("c", "제목뿐"),
    ]
    assert found[0].extra == {"title": "서울", "metadata": {}}


def test_a_title_beside_another_id_stays_apart(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", "id,title,text\n1,제목,글\n")
    assert list(read_corpus(path)) == [Document("1", "글", {"title": "제목"})]


def test_an_excel_file_is_a_corpus(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.xlsx", workbook([["번호", "문장"], [1, "좋다"], [2, "싫다"]]))
    assert [one.text for one in read_corpus(path)] == ["좋다", "싫다"]
