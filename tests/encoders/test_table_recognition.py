"""What a file does not state but shows: format, encoding, separators, names of columns."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pytest

from kosim.encoders.errors import ConfigError, DataError, MissingExtraError
from kosim.encoders.table_formats import cells, columnar, json_rows, rows, source
from kosim.encoders.tables import is_rereadable, read_lines, read_records, read_table
from tests.encoders.workbooks import workbook

HEADER = "sentence1,sentence2,label"
PAIRS = f"{HEADER}\n방이 넓다,창이 크다,3\n"
RECORD = {"sentence1": "방이 넓다", "sentence2": "창이 크다", "label": "3"}


def _file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _read(path: Path, **options: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the records and the notices."""
    notices: list[str] = []
    table = read_table(path, notice=notices.append, **options)
    found = [
        {str(key): value for key, value in row.items() if not pd.isna(value)}
        for row in table.to_dict("records")
    ]
    return found, notices


def _refused(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path, notice=lambda message: None, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    marked = PAIRS if encoding in ("utf-16", "utf-32", "utf-8-sig") else f"\ufeff{PAIRS}"
    found, notices = _read(_file(tmp_path, "a.csv", marked.encode(encoding)))
    assert found == [RECORD]
    assert notices == []


def test_a_byte_order_mark_wins_over_the_encoding_that_is_named(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", PAIRS.encode("utf-16"))
    assert _read(path, encoding="cp949")[0] == [RECORD]


@pytest.mark.parametrize("encoding", ["cp949", "euc-kr", "utf-16-le", "johab"])
def test_the_encoding_can_be_named(tmp_path: Path, encoding: str) -> None:
    found, notices = _read(_file(tmp_path, "a.csv", PAIRS.encode(encoding)), encoding=encoding)
    assert found == [RECORD]
    assert notices == []


@pytest.mark.parametrize("header", [HEADER, "문장1,문장2,유사도"])
@pytest.mark.parametrize("packed", [False, True])
def test_cp949_is_recognised_and_said(tmp_path: Path, header: str, packed: bool) -> None:
    text = PAIRS.replace(HEADER, header).encode("cp949")
    path = _file(tmp_path, "a.csv", gzip.compress(text) if packed else text)
    found, notices = _read(path)
    assert list(found[0].values()) == list(RECORD.values())
    assert len(notices) == 1
    assert "cp949" in notices[0]


@pytest.mark.parametrize("text", ["café,naïve,3", "日本,中国,3"])
def test_other_encodings_are_not_taken_for_cp949(tmp_path: Path, text: str) -> None:
    encoding = "latin-1" if text.startswith("c") else "shift-jis"
    path = _file(tmp_path, "a.csv", f"{HEADER}\n{text}\n".encode(encoding))
    assert "is not UTF-8; name the encoding" in _refused(path)


def test_utf_16_without_a_mark_is_named(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", "one two three".encode("utf-16-le"))
    assert "utf-16-le" in _refused(path)


def test_damaged_utf_16_is_named(tmp_path: Path) -> None:
    assert "this is not utf-16" in _refused(_file(tmp_path, "a.csv", PAIRS.encode("utf-16")[:-1]))


@pytest.mark.parametrize("encoding", ["klingon", "hex", "rot13", ""])
def test_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ConfigError, match="encoding"):
        read_table(_file(tmp_path, "a.csv", PAIRS), encoding=encoding)


FORMATS = {
    "one object a line": (json.dumps(RECORD) + "\n" + json.dumps(RECORD) + "\n").encode(),
    "a list": json.dumps([RECORD, RECORD]).encode(),
    "a list over many lines": json.dumps([RECORD, RECORD], indent=1).encode(),
    "commas": (PAIRS + PAIRS.split("\n")[1] + "\n").encode(),
    "tabs": (PAIRS + PAIRS.split("\n")[1] + "\n").replace(",", "\t").encode(),
    "excel": workbook([HEADER.split(","), *[list(RECORD.values())] * 2]),
}


@pytest.mark.parametrize("name", ["a", "a.txt", "a.v2"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_without_a_known_suffix_is_looked_at(tmp_path: Path, kind: str, name: str) -> None:
    found, notices = _read(_file(tmp_path, name, FORMATS[kind]))
    assert found == [RECORD, RECORD]
    assert len(notices) == 1
    assert "was read so" in notices[0]


@pytest.mark.parametrize("kind", FORMATS)
def test_where_text_is_meant_otherwise_it_is_looked_at_too(tmp_path: Path, kind: str) -> None:
    notices: list[str] = []
    path = _file(tmp_path, "corpus", FORMATS[kind])
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
    path = _file(tmp_path, "corpus", text)
    found = [row.record["text"] for row in read_records(path, otherwise="text")]
    assert found == text.splitlines()


def test_the_format_that_is_named_is_not_doubted(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", FORMATS["one object a line"])
    texts = [row.record["text"] for row in read_records(path, format="text")]
    assert texts == FORMATS["one object a line"].decode().splitlines()


@pytest.mark.parametrize("kind", ["excel", "one object a line", "a list"])
@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ndjson", ".csv"])
def test_a_suffix_that_is_wrong(tmp_path: Path, kind: str, suffix: str) -> None:
    """An Excel file is known by its bytes, and JSON by its beginning where JSON is stated."""
    if kind != "excel" and suffix == ".csv":
        return
    assert _read(_file(tmp_path, f"a{suffix}", FORMATS[kind]))[0] == [RECORD, RECORD]


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
    path = _file(tmp_path, "a.json", json.dumps(document))
    assert _read(path)[0] == [RECORD]


@pytest.mark.parametrize(
    "magic, part", [(b"BZh9", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"%PDF", "PDF")]
)
def test_what_is_no_table_is_called_what_it_is(tmp_path: Path, magic: bytes, part: str) -> None:
    assert part in _refused(_file(tmp_path, "a.csv", magic + bytes(100)))


def test_a_zip_archive_is_no_excel_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", PAIRS)
    assert "ZIP archive" in _refused(path)


@pytest.mark.parametrize(
    "separator, word", [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical")]
)
def test_csv_with_other_separators(tmp_path: Path, separator: str, word: str) -> None:
    found, notices = _read(_file(tmp_path, "a.csv", PAIRS.replace(",", separator)))
    assert found == [RECORD]
    assert word in notices[0]


def test_tsv_with_commas(tmp_path: Path) -> None:
    found, notices = _read(_file(tmp_path, "a.tsv", PAIRS))
    assert found == [RECORD]
    assert "commas, not by tabs" in notices[0]


def test_tsv_whose_cells_all_stand_in_quotes(tmp_path: Path) -> None:
    text = '"sentence1"\t"sentence2"\n"그는 ""네""라고 했다"\t"x"\n'
    found, notices = _read(_file(tmp_path, "a.tsv", text))
    assert found == [{"sentence1": '그는 "네"라고 했다', "sentence2": "x"}]
    assert "quotes" in notices[0]


@pytest.mark.parametrize(
    "text",
    ["방이 넓다,창이 크다,3\n가,나,4\n", "3.5,방이 넓다,창이 크다\n4,가,나\n"],
)
def test_a_first_line_that_is_data_names_no_columns(tmp_path: Path, text: str) -> None:
    found, notices = _read(_file(tmp_path, "a.csv", text))
    assert list(found[0]) == ["1", "2", "3"]
    assert [",".join(row.values()) for row in found] == text.splitlines()
    assert len(notices) == 1
    assert "line 1" in notices[0] and "numbers, 1 to 3" in notices[0]


@pytest.mark.parametrize(
    "header", ["0,1,2", "가,나,다", "text,2023,2024", "No.,이름,값", "x,문장 1,3"]
)
def test_a_first_line_that_names_columns(tmp_path: Path, header: str) -> None:
    found, notices = _read(_file(tmp_path, "a.csv", f"{header}\na,b,c\n"))
    assert found == [dict(zip(header.split(","), "abc", strict=True))]
    assert notices == []


def test_columns_that_are_wanted_by_number_have_no_names(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", "가,나,유사\n다,라,비유사\n")
    assert [row["3"] for row in _read(path, columns=["1", "2", "3"])[0]] == ["유사", "비유사"]


def test_a_wanted_name_makes_the_first_line_names(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", "1,gold\n가,2\n")
    assert _read(path, columns=["gold"])[0] == [{"1": "가", "gold": "2"}]


def test_trailing_columns_without_a_name_are_dropped_if_empty(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", f"{HEADER},,\n방이 넓다,창이 크다,3,,\n,,,,\n가,나,4,메모,\n")
    assert _read(path)[0] == [
        RECORD,
        {"sentence1": "가", "sentence2": "나", "label": "4", "column 4": "메모"},
    ]


def test_an_unnamed_column_is_called_by_its_number(tmp_path: Path) -> None:
    assert _read(_file(tmp_path, "a.csv", ",text\n0,가\n"))[0] == [{"column 1": "0", "text": "가"}]


def test_empty_cells_at_the_end_of_a_row_are_no_cells(tmp_path: Path) -> None:
    assert _read(_file(tmp_path, "a.csv", PAIRS.replace(",3\n", ",3,,\n")))[0] == [RECORD]


def test_a_cell_beyond_pythons_usual_limit(tmp_path: Path) -> None:
    long = "가" * 140_000
    assert _read(_file(tmp_path, "a.csv", f"text,x\n{long},1\n"))[0] == [{"text": long, "x": "1"}]


def test_an_open_quote_does_not_swallow_a_large_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "LONGEST_CELL", 1 << 18)
    import csv

    before = csv.field_size_limit(1 << 10)
    try:
        path = _file(tmp_path, "a.csv", 'text,x\n"가,1\n' + "나,2\n" * 100_000)
        assert "is a quote left open" in _refused(path)
    finally:
        csv.field_size_limit(before)


def test_old_line_ends_of_macs_are_named(tmp_path: Path) -> None:
    assert "line ends of Windows or Unix" in _refused(
        _file(tmp_path, "a.csv", PAIRS.replace("\n", "\r"))
    )


def test_excel_shows_the_text_of_its_cells(tmp_path: Path) -> None:
    import datetime

    values = ["가", 3, 2.5, 4.0, True, datetime.datetime(2024, 2, 29), None]
    names = ["sentence1", "n", "f", "w", "b", "d", "e"]
    path = _file(tmp_path, "a.xlsx", workbook([[None], names, values, [None] * 7]))
    found, notices = _read(path)
    shown = ["가", "3", "2.5", "4", "true", "2024-02-29"]
    assert found == [dict(zip(names[:-1], shown, strict=True))]
    assert notices == []


def test_the_first_sheet_of_several_is_read_and_named(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.xlsx", workbook([["text"], ["가"]], sheets=["첫째", "둘째"]))
    found, notices = _read(path)
    assert found == [{"text": "가"}]
    assert "2 sheets" in notices[0] and "첫째" in notices[0]


def test_an_error_in_a_cell_is_no_text(tmp_path: Path) -> None:
    assert "row 2: a cell shows the error #N/A" in _refused(
        _file(tmp_path, "a.xlsx", workbook([["text"], ["#N/A"]]))
    )


def test_excel_without_openpyxl_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kosim\[excel\]"'):
        read_table(_file(tmp_path, "a.xlsx", FORMATS["excel"]))


@pytest.mark.parametrize("content", [b"x", b"PK\x03\x04" + bytes(50), FORMATS["excel"][:-100]])
def test_damaged_excel_file(tmp_path: Path, content: bytes) -> None:
    message = _refused(_file(tmp_path, "a.xlsx", content))
    assert "Excel file" in message


def test_excel_whose_size_is_a_lie(tmp_path: Path) -> None:
    """A sheet that says it has 16,384 columns has as many as its rows hold."""
    packed = io.BytesIO(FORMATS["excel"])
    changed = io.BytesIO()
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.infolist():
            content = old.read(part)
            if part.filename.endswith("sheet1.xml"):
                assert b'ref="A1:C3"' in content
                content = content.replace(b'ref="A1:C3"', b'ref="A1:XFD1048576"')
            new.writestr(part, content)
    assert _read(_file(tmp_path, "a.xlsx", changed.getvalue()))[0] == [RECORD, RECORD]


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_arrow_files_of_both_kinds(tmp_path: Path, kind: str) -> None:
    table = pa.table({"text": ["가", "나"], "n": [1, None]})
    buffer = io.BytesIO()
    opened = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with opened(buffer, table.schema) as writer:
        writer.write_table(table)
    content = buffer.getvalue()
    for name, packed in (("a.arrow", content), ("b.arrow.gz", gzip.compress(content))):
        assert read_table(_file(tmp_path, name, packed)).to_dict("list") == {
            "text": ["가", "나"],
            "n": [1, None],
        }
    assert "Arrow file or is damaged" in _refused(
        _file(tmp_path, "c.arrow", content[: len(content) // 2])
    )


def test_a_folder_of_hugging_face(tmp_path: Path) -> None:
    saved = datasets.Dataset.from_list([{**RECORD, "n": n} for n in range(5)])
    saved.shuffle(seed=0).save_to_disk(tmp_path / "one", num_shards=2)
    assert [row["n"] for row in _read(tmp_path / "one")[0]] == list(saved.shuffle(seed=0)["n"])
    whole = datasets.DatasetDict(train=saved, test=saved)
    whole.save_to_disk(tmp_path / "two")
    message = _refused(tmp_path / "two")
    assert f"give one of them: {tmp_path / 'two' / 'train'}" in message
    assert len(_read(tmp_path / "two" / "test")[0]) == 5
    datasets.DatasetDict(train=saved).save_to_disk(tmp_path / "three")
    assert len(_read(tmp_path / "three")[0]) == 5


@pytest.mark.parametrize(
    "state", ["", "[]", '{"_data_files": [{"filename": "../x.arrow"}]}', '{"_data_files": 3}']
)
def test_a_damaged_folder_of_hugging_face(tmp_path: Path, state: str) -> None:
    (tmp_path / "state.json").write_text(state)
    assert "state.json" in _refused(tmp_path)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    assert "Is a directory" in _refused(tmp_path)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet", "a.xlsx"])
def test_thousands_of_columns_are_refused(tmp_path: Path, name: str) -> None:
    names = [f"c{number}" for number in range(rows.MOST_COLUMNS + 1)]
    record = dict.fromkeys(names, "x")
    buffer = io.BytesIO()
    pa.parquet.write_table(pa.table({name: ["x"] for name in names}), buffer)
    content = {
        "csv": ",".join(names) + "\n",
        "tsv": "\t".join(names) + "\n",
        "jsonl": json.dumps(record) + "\n",
        "json": json.dumps([record]),
        "parquet": buffer.getvalue(),
        "xlsx": workbook([names]),
    }[name.partition(".")[2]]
    assert "1,001 columns; the limit is 1,000" in _refused(_file(tmp_path, name, content))


def test_a_new_column_on_every_line_is_refused(tmp_path: Path) -> None:
    lines = "".join(json.dumps({f"c{number}": 1}) + "\n" for number in range(1_001))
    assert "over 1,000 columns" in _refused(_file(tmp_path, "a.jsonl", lines))


def test_a_small_file_with_gigabytes_inside_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "EXPANSION_ALLOWED", 1 << 20)
    row = "가" * 500 + ",나,3\n"
    path = _file(tmp_path, "a.csv.gz", gzip.compress(f"{HEADER}\n{row * 5_000}".encode()))
    assert path.stat().st_size < 100_000
    assert "unpacks to over 1 MiB and more than 200 times its size" in _refused(path)
    assert "unpacks to over" in _refused(
        _file(tmp_path, "a.parquet.gz", gzip.compress(bytes(1 << 24)))
    )


def test_a_text_that_compresses_well_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "EXPANSION_ALLOWED", 1 << 16)
    text = "".join(
        f"방이 {number}개다,창이 {number}개다,{number % 5}\n" for number in range(20_000)
    )
    path = _file(tmp_path, "a.csv.gz", gzip.compress(f"{HEADER}\n{text}".encode()))
    assert len(_read(path)[0]) == 20_000


def test_a_table_too_large_for_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kosim.encoders import tables

    monkeypatch.setattr(tables, "LARGEST_TABLE", 1 << 20)
    for name, content in (
        ("a.csv", PAIRS + "가,나,1\n" * 200_000),
        ("a.parquet", _repeating(1 << 16)),
    ):
        assert "more than 1 MiB, the limit" in _refused(_file(tmp_path, name, content))
        assert next(read_records(tmp_path / name)).record


def _repeating(times: int) -> bytes:
    """A Parquet file that holds one text once and refers to it many times."""
    buffer = io.BytesIO()
    pa.parquet.write_table(pa.table({"text": ["가나다라" * 100] * times}), buffer)
    return buffer.getvalue()


def test_a_long_text_that_is_repeated_is_cut_into_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columnar, "_BYTES_AT_A_TIME", 1 << 16)
    content = _repeating(3_000)
    assert len(content) < 10_000
    table = read_table(_file(tmp_path, "a.parquet", content))
    assert table["text"].tolist() == ["가나다라" * 100] * 3_000


def test_one_json_document_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "LARGEST_JSON", 1_000)
    path = _file(tmp_path, "a.json", json.dumps([RECORD] * 100, indent=1))
    assert "write one object a line" in _refused(path)


def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pairs.csv")
    assert "named pipe" in _refused(tmp_path / "pairs.csv")
    assert not is_rereadable(tmp_path / "pairs.csv")


def test_a_pipe_of_the_shell_is_read_once(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, PAIRS.encode())
    os.close(writing)
    try:
        assert not is_rereadable(f"/dev/fd/{reading}")
        table = read_table(f"/dev/fd/{reading}", format="csv")
    finally:
        os.close(reading)
    assert table.to_dict("records") == [RECORD]


def test_a_name_of_three_hundred_characters(tmp_path: Path) -> None:
    assert "File name too long" in _refused(tmp_path / ("가" * 300 + ".csv"))


def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xb9\xe6\x1b[2J.csv"))
    message = _refused(path)
    assert "\x1b" not in message
    message.encode("utf-8")
    path.write_text(PAIRS, encoding="utf-8")
    assert _read(path)[0] == [RECORD]


def test_a_name_with_a_nul_character(tmp_path: Path) -> None:
    assert "NUL" in _refused(tmp_path / "a\0b.csv")


def test_lines_in_korean_of_windows(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", "방이 넓다\n".encode("cp949"))
    assert list(read_lines(path)) == ["방이 넓다"]
    assert list(read_lines(path, encoding="cp949")) == ["방이 넓다"]


def test_gzip_is_known_by_its_bytes(tmp_path: Path) -> None:
    assert _read(_file(tmp_path, "a.csv", gzip.compress(PAIRS.encode())))[0] == [RECORD]


def test_half_a_character_at_the_end_is_no_korean(tmp_path: Path) -> None:
    for text in (b"text\n\x80", "text\n방이 넓다\n창".encode("cp949")[:-1]):
        path = _file(tmp_path, "a.csv", text)
        with pytest.raises(DataError, match="is not"):
            read_table(path)
