"""What a file does not state but shows: format, encoding, separators, names of columns."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.language import Line
from kosim.encoders.table_formats import cells
from kosim.encoders.tables import read_lines, read_records, read_table
from tests.encoders.table_files import (
    FORMATS,
    HEADER,
    PAIRS,
    RECORD,
    read_rows,
    refused,
    write_file,
)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    marked = PAIRS if encoding in ("utf-16", "utf-32", "utf-8-sig") else f"\ufeff{PAIRS}"
    found, notices = read_rows(write_file(tmp_path, "a.csv", marked.encode(encoding)))
    assert found == [RECORD]
    assert notices == []


def test_a_byte_order_mark_wins_over_the_encoding_that_is_named(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.csv", PAIRS.encode("utf-16"))
    assert read_rows(path, encoding="cp949")[0] == [RECORD]


@pytest.mark.parametrize("encoding", ["cp949", "euc-kr", "utf-16-le", "johab"])
def test_the_encoding_can_be_named(tmp_path: Path, encoding: str) -> None:
    found, notices = read_rows(
        write_file(tmp_path, "a.csv", PAIRS.encode(encoding)), encoding=encoding
    )
    assert found == [RECORD]
    assert notices == []


@pytest.mark.parametrize("header", [HEADER, "문장1,문장2,유사도"])
@pytest.mark.parametrize("packed", [False, True])
def test_cp949_is_recognised_and_said(tmp_path: Path, header: str, packed: bool) -> None:
    text = PAIRS.replace(HEADER, header).encode("cp949")
    path = write_file(tmp_path, "a.csv", gzip.compress(text) if packed else text)
    found, notices = read_rows(path)
    assert list(found[0].values()) == list(RECORD.values())
    assert len(notices) == 1
    assert "cp949" in notices[0]


@pytest.mark.parametrize("text", ["café,naïve,3", "日本,中国,3"])
def test_other_encodings_are_not_taken_for_cp949(tmp_path: Path, text: str) -> None:
    encoding = "latin-1" if text.startswith("c") else "shift-jis"
    path = write_file(tmp_path, "a.csv", f"{HEADER}\n{text}\n".encode(encoding))
    assert "is not UTF-8; name the encoding" in refused(path)


def test_utf_16_without_a_mark_is_named(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.txt", "one two three".encode("utf-16-le"))
    assert "utf-16-le" in refused(path)


def test_damaged_utf_16_is_named(tmp_path: Path) -> None:
    assert "this is not utf-16" in refused(
        write_file(tmp_path, "a.csv", PAIRS.encode("utf-16")[:-1])
    )


@pytest.mark.parametrize("encoding", ["klingon", "hex", "rot13", ""])
def test_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ConfigError, match="encoding"):
        read_table(write_file(tmp_path, "a.csv", PAIRS), encoding=encoding)


@pytest.mark.parametrize("name", ["a", "a.txt", "a.v2"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_without_a_known_suffix_is_looked_at(tmp_path: Path, kind: str, name: str) -> None:
    found, notices = read_rows(write_file(tmp_path, name, FORMATS[kind]))
    assert found == [RECORD, RECORD]
    assert len(notices) == 1
    assert "was read so" in notices[0]


@pytest.mark.parametrize("kind", FORMATS)
def test_where_text_is_meant_otherwise_it_is_looked_at_too(tmp_path: Path, kind: str) -> None:
    notices: list[Line] = []
    path = write_file(tmp_path, "corpus", FORMATS[kind])
    found = [row.record for row in read_records(path, otherwise="text", notice=notices.append)]
    assert found == [RECORD, RECORD]
    assert len(notices) == 1


@pytest.mark.parametrize(
    "text",
    [
        "방이, 넓다\n창이, 크다\n",
        "질문, 답변\n방이 넓다\n",
        "{방이} 넓다\n[창이] 크다\n",
        "1\t2\t3\n4\t5\t6\n",
        '{"a": 1}\n방이 넓다\n',
    ],
)
def test_text_stays_text(tmp_path: Path, text: str) -> None:
    path = write_file(tmp_path, "corpus", text)
    found = [row.record["text"] for row in read_records(path, otherwise="text")]
    assert found == text.splitlines()


def test_the_format_that_is_named_is_not_doubted(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.txt", FORMATS["one object a line"])
    texts = [row.record["text"] for row in read_records(path, format="text")]
    assert texts == FORMATS["one object a line"].decode().splitlines()


@pytest.mark.parametrize("kind", ["excel", "one object a line", "a list"])
@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ndjson", ".csv"])
def test_a_suffix_that_is_wrong(tmp_path: Path, kind: str, suffix: str) -> None:
    """An Excel file is known by its bytes, and JSON by its beginning where JSON is stated."""
    if kind != "excel" and suffix == ".csv":
        return
    assert read_rows(write_file(tmp_path, f"a{suffix}", FORMATS[kind]))[0] == [RECORD, RECORD]


@pytest.mark.parametrize(
    "document",
    [
        {"version": "1", "data": [RECORD]},
        {name: [value] for name, value in RECORD.items()},
        {name: {"0": value} for name, value in RECORD.items()},
        RECORD,
    ],
    ids=["list inside", "columns", "pandas", "one object"],
)
def test_json_documents_of_other_shapes(tmp_path: Path, document: Any) -> None:
    path = write_file(tmp_path, "a.json", json.dumps(document))
    assert read_rows(path)[0] == [RECORD]


@pytest.mark.parametrize(
    "magic, part",
    [
        (b"BZh9", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xd0\xcf\x11\xe0", ".xls"),
        (b"%PDF", "PDF"),
        (b"SQLite format 3", "SQLite"),
        (b"\x93NUMPY", "NumPy"),
    ],
)
def test_what_is_no_table_is_called_what_it_is(tmp_path: Path, magic: bytes, part: str) -> None:
    assert part in refused(write_file(tmp_path, "a.csv", magic + bytes(100)))


def test_a_zip_archive_is_no_excel_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", PAIRS)
    assert "ZIP archive" in refused(path)


@pytest.mark.parametrize(
    "separator, word", [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical")]
)
def test_csv_with_other_separators(tmp_path: Path, separator: str, word: str) -> None:
    found, notices = read_rows(write_file(tmp_path, "a.csv", PAIRS.replace(",", separator)))
    assert found == [RECORD]
    assert word in notices[0]


def test_tsv_with_commas(tmp_path: Path) -> None:
    found, notices = read_rows(write_file(tmp_path, "a.tsv", PAIRS))
    assert found == [RECORD]
    assert "commas, not by tabs" in notices[0]


def test_tsv_whose_cells_all_stand_in_quotes(tmp_path: Path) -> None:
    text = '"sentence1"\t"sentence2"\n"그는 ""네""라고 했다"\t"x"\n'
    found, notices = read_rows(write_file(tmp_path, "a.tsv", text))
    assert found == [{"sentence1": '그는 "네"라고 했다', "sentence2": "x"}]
    assert "quotes" in notices[0]


@pytest.mark.parametrize(
    "text",
    ["방이 넓다,창이 크다,3\n가,나,4\n", "3.5,방이 넓다,창이 크다\n4,가,나\n"],
)
def test_a_first_line_that_is_data_names_no_columns(tmp_path: Path, text: str) -> None:
    found, notices = read_rows(write_file(tmp_path, "a.csv", text))
    assert list(found[0]) == ["1", "2", "3"]
    assert [",".join(row.values()) for row in found] == text.splitlines()
    assert len(notices) == 1
    assert "line 1" in notices[0] and "numbers, 1 to 3" in notices[0]


@pytest.mark.parametrize(
    "header", ["0,1,2", "가,나,다", "text,2023,2024", "No.,이름,값", "x,문장 1,3"]
)
def test_a_first_line_that_names_columns(tmp_path: Path, header: str) -> None:
    found, notices = read_rows(write_file(tmp_path, "a.csv", f"{header}\na,b,c\n"))
    assert found == [dict(zip(header.split(","), "abc", strict=True))]
    assert notices == []


def test_columns_that_are_wanted_by_number_have_no_names(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.csv", "가,나,유사\n다,라,비유사\n")
    assert [row["3"] for row in read_rows(path, columns=["1", "2", "3"])[0]] == ["유사", "비유사"]


def test_a_wanted_name_makes_the_first_line_names(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.csv", "1,gold\n가,2\n")
    assert read_rows(path, columns=["gold"])[0] == [{"1": "가", "gold": "2"}]


def test_trailing_columns_without_a_name_are_dropped_if_empty(tmp_path: Path) -> None:
    path = write_file(
        tmp_path, "a.csv", f"{HEADER},,\n방이 넓다,창이 크다,3,,\n,,,,\n가,나,4,메모,\n"
    )
    assert read_rows(path)[0] == [
        RECORD,
        {"sentence1": "가", "sentence2": "나", "label": "4", "column 4": "메모"},
    ]


def test_an_unnamed_column_is_called_by_its_number(tmp_path: Path) -> None:
    assert read_rows(write_file(tmp_path, "a.csv", ",text\n0,가\n"))[0] == [
        {"column 1": "0", "text": "가"}
    ]


def test_empty_cells_at_the_end_of_a_row_are_no_cells(tmp_path: Path) -> None:
    assert read_rows(write_file(tmp_path, "a.csv", PAIRS.replace(",3\n", ",3,,\n")))[0] == [RECORD]


def test_a_cell_beyond_pythons_usual_limit(tmp_path: Path) -> None:
    long = "가" * 140_000
    assert read_rows(write_file(tmp_path, "a.csv", f"text,x\n{long},1\n"))[0] == [
        {"text": long, "x": "1"}
    ]


def test_an_open_quote_does_not_swallow_a_large_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "LONGEST_CELL", 1 << 18)
    import csv

    before = csv.field_size_limit(1 << 10)
    try:
        path = write_file(tmp_path, "a.csv", 'text,x\n"가,1\n' + "나,2\n" * 100_000)
        assert "is a quote left open" in refused(path)
    finally:
        csv.field_size_limit(before)


def test_old_line_ends_of_macs_are_named(tmp_path: Path) -> None:
    assert "line ends of Windows or Unix" in refused(
        write_file(tmp_path, "a.csv", PAIRS.replace("\n", "\r"))
    )


def test_lines_in_korean_of_windows(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.txt", "방이 넓다\n".encode("cp949"))
    assert list(read_lines(path)) == ["방이 넓다"]
    assert list(read_lines(path, encoding="cp949")) == ["방이 넓다"]


def test_gzip_is_known_by_its_bytes(tmp_path: Path) -> None:
    assert read_rows(write_file(tmp_path, "a.csv", gzip.compress(PAIRS.encode())))[0] == [RECORD]


def test_half_a_character_at_the_end_is_no_korean(tmp_path: Path) -> None:
    for text in (b"text\n\x80", "text\n방이 넓다\n창".encode("cp949")[:-1]):
        path = write_file(tmp_path, "a.csv", text)
        with pytest.raises(DataError, match="is not"):
            read_table(path)
