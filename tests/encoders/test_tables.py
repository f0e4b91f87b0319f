"""The reader of table and text files: every format, and every way a file can be bad."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.table_formats import lines
from kosim.encoders.tables import read_lines, read_records, read_table

Rows = list[dict[str, Any]]

ROWS: Rows = [
    {"id": "007", "text": "방이, 넓다", "note": 'he said "hi"'},
    {"id": "010", "text": "창이 크다", "note": None},
]


def _csv(rows: Rows) -> bytes:
    return pd.DataFrame(rows).to_csv(index=False).encode()


def _tsv(rows: Rows) -> bytes:
    lines = ["\t".join(rows[0]), *("\t".join(v or "" for v in row.values()) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _json(rows: Rows) -> bytes:
    return json.dumps(rows, indent=1).encode()


def _parquet(rows: Rows) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(rows).to_parquet(buffer)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[Rows], bytes]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
    ".json": _json,
    ".parquet": _parquet,
}


def _file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _records(path: Path) -> Rows:
    table = read_table(path)
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def _error(path: str | Path) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_rows_that_were_written(tmp_path: Path, suffix: str) -> None:
    assert _records(_file(tmp_path, f"pairs{suffix}", WRITERS[suffix](ROWS))) == ROWS


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_is_read_from_gzip(tmp_path: Path, suffix: str) -> None:
    packed = gzip.compress(WRITERS[suffix](ROWS))
    assert _records(_file(tmp_path, f"v1.1_pairs{suffix}.GZ", packed)) == ROWS


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json"])
def test_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, suffix: str) -> None:
    marked = b"\xef\xbb\xbf" + WRITERS[suffix](ROWS)
    assert _records(_file(tmp_path, f"pairs{suffix}", marked)) == ROWS


def test_quotes_in_tsv_are_text(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.tsv", 'a\tb\n"열린 따옴표\tx\ny"\t"z"\n')
    assert _records(path) == [{"a": '"열린 따옴표', "b": "x"}, {"a": 'y"', "b": '"z"'}]


def test_quoted_csv_cell_may_hold_line_ends(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.csv", 'a,b\r\n"x\ny",1\r\n')
    assert _records(path) == [{"a": "x\ny", "b": "1"}]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_blank_lines_are_no_rows(tmp_path: Path, name: str) -> None:
    assert _records(_file(tmp_path, name, "a\n\nx\n\n")) == [{"a": "x"}]


def test_words_for_nothing_are_text(tmp_path: Path) -> None:
    assert _records(_file(tmp_path, "a.csv", "a,b\nNA,null\n")) == [{"a": "NA", "b": "null"}]


def test_json_values_keep_their_types(tmp_path: Path) -> None:
    rows = [{"n": 1, "nested": {"x": [1, 2.5]}}, {"n": 2.5, "nested": {"x": []}}]
    table = read_table(_file(tmp_path, "a.json", json.dumps(rows)))
    assert table.to_dict("records") == rows
    assert type(table["n"][0]) is int


def test_parquet_integers_with_nulls_stay_integers(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"n": pd.array([3, None], dtype="Int64")}).to_parquet(path)
    table = read_table(path)
    assert type(table["n"][0]) is int
    assert table["n"][1] is None


def test_missing_file(tmp_path: Path) -> None:
    assert "No such file" in _error(tmp_path / "none.csv")


@pytest.mark.parametrize("name", ["folder.csv", "folder.csv.gz", "folder.parquet"])
def test_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert "Is a directory" in _error(tmp_path / name)


@pytest.mark.parametrize("suffix", WRITERS)
def test_empty_file(tmp_path: Path, suffix: str) -> None:
    message = _error(_file(tmp_path, f"a{suffix}", b""))
    assert "empty" in message or "no rows" in message or "0 bytes" in message


@pytest.mark.parametrize("name, content", [("a.csv", "a,b\n"), ("a.json", "[]")])
def test_table_without_rows(tmp_path: Path, name: str, content: str) -> None:
    assert "holds no rows" in _error(_file(tmp_path, name, content))


@pytest.mark.parametrize("name", ["a", "a.txt", "a.dat"])
def test_unknown_format_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    message = _error(_file(tmp_path, name, b"x"))
    assert all(suffix in message for suffix in (".csv", ".tsv", ".jsonl", ".json", ".parquet"))


def test_other_encoding_is_named_with_line_and_offset(tmp_path: Path) -> None:
    # The first line beyond ASCII is UTF-8, so the file is, and a later line of cp949 is wrong.
    start = "a,b\n창,1\n".encode()
    path = _file(tmp_path, "a.csv", start + "방".encode("cp949") + b",2\n")
    message = _error(path)
    assert f"line 3: byte 0xb9 at offset {len(start)}" in message
    assert "cp949" in message


@pytest.mark.parametrize("name, text", [("a.csv", "a,b\n1,2\n1,2,3\n"), ("a.tsv", "a\tb\n\n1\n")])
def test_ragged_line(tmp_path: Path, name: str, text: str) -> None:
    assert "line 3: " in _error(_file(tmp_path, name, text))


def test_column_named_twice(tmp_path: Path) -> None:
    assert "column 'a' appears twice" in _error(_file(tmp_path, "a.csv", "a,a\n1,2\n"))


def test_unclosed_quote_names_the_line_where_its_row_starts(tmp_path: Path) -> None:
    assert "line 3: " in _error(_file(tmp_path, "a.csv", 'a,b\n1,2\n"x,2\n3,4\n'))


def test_broken_json_line(tmp_path: Path) -> None:
    assert "line 2: no valid JSON at column 6" in _error(_file(tmp_path, "a.jsonl", '{}\n{"a":\n'))


def test_json_line_that_is_no_object(tmp_path: Path) -> None:
    assert "line 2: [1] is not an object" in _error(_file(tmp_path, "a.jsonl", '{"a": 1}\n[1]\n'))


def test_broken_json_file_names_its_line(tmp_path: Path) -> None:
    assert "line 3: no valid JSON" in _error(_file(tmp_path, "a.json", '[{"a": 1},\n{"a": 2},\nx]'))


@pytest.mark.parametrize(
    "text, part",
    [('{"a": {"b": 1}, "c": 2}', "one dict"), ("[{}, 3]", "row 2: 3 is not an object")],
)
def test_json_file_that_is_no_list_of_objects(tmp_path: Path, text: str, part: str) -> None:
    assert part in _error(_file(tmp_path, "a.json", text))


def test_json_nested_beyond_reason(tmp_path: Path) -> None:
    assert "no valid JSON" in _error(_file(tmp_path, "a.json", "[" * 1_000_000))


@pytest.mark.parametrize("keep", [0.5, 0.98])
def test_truncated_gzip(tmp_path: Path, keep: float) -> None:
    packed = gzip.compress(_csv([{"a": str(i * i), "b": "x"} for i in range(5000)]))
    path = _file(tmp_path, "a.csv.gz", packed[: int(len(packed) * keep)])
    assert "damaged" in _error(path)


def test_gzip_by_name_only(tmp_path: Path) -> None:
    assert "not a gzip file" in _error(_file(tmp_path, "a.csv.gz", b"a,b\n1,2\n"))


def test_truncated_parquet(tmp_path: Path) -> None:
    assert "not a Parquet file" in _error(_file(tmp_path, "a.parquet", _parquet(ROWS)[:-20]))


def test_lines_keep_blank_ones_and_inner_space(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", "\ufeff하나\r\n\n 둘\u2028셋 \n넷")
    assert list(read_lines(path)) == ["하나", "", " 둘\u2028셋 ", "넷"]


def test_lines_are_read_from_gzip(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt.gz", gzip.compress("하나\n둘\n".encode()))
    assert list(read_lines(path)) == ["하나", "둘"]


def test_lines_are_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("하나\n둘".encode())))
    assert list(read_lines("-")) == ["하나", "둘"]


def test_lines_before_a_bad_one_are_had(tmp_path: Path) -> None:
    lines = read_lines(_file(tmp_path, "a.txt", "좋다\n".encode() + b"\xff\n"))
    assert next(lines) == "좋다"
    with pytest.raises(DataError, match="line 2: byte 0xff at offset 7"):
        next(lines)


@pytest.mark.parametrize("name", ["a.txt", "none.txt"])
def test_empty_or_missing_text_file(tmp_path: Path, name: str) -> None:
    _file(tmp_path, "a.txt", b"")
    with pytest.raises(DataError, match=name):
        list(read_lines(tmp_path / name))


def test_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match="standard input is empty"):
        list(read_lines("-"))


def _standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_is_read_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    _standard_input(monkeypatch, WRITERS[suffix](ROWS))
    assert [row.record for row in read_records("-", format=suffix[1:])] == ROWS


def test_standard_input_needs_a_format(monkeypatch: pytest.MonkeyPatch) -> None:
    _standard_input(monkeypatch, "하나".encode())
    with pytest.raises(DataError, match="standard input: unknown table format"):
        next(read_records("-"))


def test_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'ods' is unknown; choose from text, csv"):
        read_records(tmp_path / "a.csv", format="ods")  # type: ignore[arg-type]


def test_every_line_of_text_is_a_row(tmp_path: Path) -> None:
    rows = list(read_records(_file(tmp_path, "a.txt", "하나\r\n\n둘, 셋"), format="text"))
    assert [row.record["text"] for row in rows] == ["하나", "", "둘, 셋"]
    assert [row.where for row in rows] == ["line 1", "line 2", "line 3"]


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.csv", b"a,b\n1,x\n\xff,x\n3,x\n"),
        ("a.csv", b"a,b\n1,x\n2\n3,x\n"),
        ("a.csv", b'a,b\n1,x\n"2"2,x\n3,x\n'),
        ("a.tsv", b"a\tb\n1\tx\n2\t\xff\n3\tx\n"),
        ("a.tsv", b"a\tb\n1\tx\n2\n3\tx\n"),
        ("a.jsonl", b'\n{"a": "1", "b": "x"}\n{"a": \n{"a": "3", "b": "x"}\n'),
        ("a.jsonl", b'\n{"a": "1", "b": "x"}\n{"a": "\xff"}\n{"a": "3", "b": "x"}\n'),
        ("a.jsonl", b'\n{"a": "1", "b": "x"}\n[2]\n{"a": "3", "b": "x"}\n'),
    ],
)
def test_rows_after_a_bad_one_are_had(tmp_path: Path, name: str, content: bytes) -> None:
    first, bad, last = read_records(_file(tmp_path, name, content))
    assert first.record == {"a": "1", "b": "x"} and first.error is None
    assert last.record == {"a": "3", "b": "x"} and last.error is None
    assert bad.where == "line 3"
    assert "line 3: " in str(bad.error)


def test_open_quote_that_swallowed_lines_ends_the_reading(tmp_path: Path) -> None:
    rows = read_records(_file(tmp_path, "a.csv", 'a,b\n1,2\n"x,2\n3,4\n'))
    assert next(rows).record == {"a": "1", "b": "2"}
    with pytest.raises(DataError, match="line 3: "):
        next(rows)


def test_line_without_end_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 1 << 20)
    path = _file(tmp_path, "a.txt", b"x\n" + b"y" * (3 << 20))
    rows = read_records(path, format="text")
    next(rows)
    with pytest.raises(DataError, match="line 2 is longer than 1 MiB"):
        next(rows)


def test_parquet_row_groups_come_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": range(20_000)}), path, row_group_size=700)
    rows = list(read_records(path))
    assert [row.record["n"] for row in rows] == list(range(20_000))
    assert rows[-1].where == "row 20000"


@pytest.mark.shared
def test_real_tables_have_their_published_sizes(shared: Path) -> None:
    sizes = {
        "klue-sts/train.csv": 11_668,
        "klue-sts/klue-sts-v1.1_dev.json": 519,
        "korsts/sts-train.tsv": 5_749,
        "korsts/sts-dev.tsv": 1_500,
    }
    assert {name: len(read_table(shared / "data" / name)) for name in sizes} == sizes
