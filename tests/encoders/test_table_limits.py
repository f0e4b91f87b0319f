"""Files that are too large, endless or oddly named: a sentence says so, none is read to its end."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from kosim.encoders.table_formats import columnar, json_rows, rows, source
from kosim.encoders.tables import is_rereadable, read_records, read_table
from tests.encoders.table_files import HEADER, PAIRS, RECORD, read_rows, refused, write_file
from tests.encoders.workbooks import workbook


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
    assert "1,001 columns; the limit is 1,000" in refused(write_file(tmp_path, name, content))


def test_a_new_column_on_every_line_is_refused(tmp_path: Path) -> None:
    lines = "".join(json.dumps({f"c{number}": 1}) + "\n" for number in range(1_001))
    assert "over 1,000 columns" in refused(write_file(tmp_path, "a.jsonl", lines))


def test_a_small_file_with_gigabytes_inside_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "EXPANSION_ALLOWED", 1 << 20)
    row = "가" * 500 + ",나,3\n"
    path = write_file(tmp_path, "a.csv.gz", gzip.compress(f"{HEADER}\n{row * 5_000}".encode()))
    assert path.stat().st_size < 100_000
    assert "unpacks to over 1 MiB and more than 200 times its size" in refused(path)
    assert "unpacks to over" in refused(
        write_file(tmp_path, "a.parquet.gz", gzip.compress(bytes(1 << 24)))
    )


def test_a_text_that_compresses_well_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "EXPANSION_ALLOWED", 1 << 16)
    text = "".join(
        f"방이 {number}개다,창이 {number}개다,{number % 5}\n" for number in range(20_000)
    )
    path = write_file(tmp_path, "a.csv.gz", gzip.compress(f"{HEADER}\n{text}".encode()))
    assert len(read_rows(path)[0]) == 20_000


def test_a_table_too_large_for_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kosim.encoders import tables

    monkeypatch.setattr(tables, "LARGEST_TABLE", 1 << 20)
    for name, content in (
        ("a.csv", PAIRS + "가,나,1\n" * 200_000),
        ("a.parquet", _repeating(1 << 16)),
    ):
        assert "more than 1 MiB, the limit" in refused(write_file(tmp_path, name, content))
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
    table = read_table(write_file(tmp_path, "a.parquet", content))
    assert table["text"].tolist() == ["가나다라" * 100] * 3_000


def test_one_json_document_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "LARGEST_JSON", 1_000)
    path = write_file(tmp_path, "a.json", json.dumps([RECORD] * 100, indent=1))
    assert "write one object a line" in refused(path)


def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pairs.csv")
    assert "named pipe" in refused(tmp_path / "pairs.csv")
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
    assert "File name too long" in refused(tmp_path / ("가" * 300 + ".csv"))


def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xb9\xe6\x1b[2J.csv"))
    message = refused(path)
    assert "\x1b" not in message
    message.encode("utf-8")
    path.write_text(PAIRS, encoding="utf-8")
    assert read_rows(path)[0] == [RECORD]


def test_a_name_with_a_nul_character(tmp_path: Path) -> None:
    assert "NUL" in refused(tmp_path / "a\0b.csv")
