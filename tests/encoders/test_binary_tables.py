"""Tables in Excel, Arrow and Hugging Face files: what they show is what is read."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import datasets
import pyarrow as pa
import pytest

from kosim.encoders.errors import MissingExtraError
from kosim.encoders.tables import read_table
from tests.encoders.table_files import FORMATS, RECORD, read_rows, refused, write_file
from tests.encoders.workbooks import workbook


def test_excel_shows_the_text_of_its_cells(tmp_path: Path) -> None:
    import datetime

    values = ["가", 3, 2.5, 4.0, True, datetime.datetime(2024, 2, 29), None]
    names = ["sentence1", "n", "f", "w", "b", "d", "e"]
    path = write_file(tmp_path, "a.xlsx", workbook([[None], names, values, [None] * 7]))
    found, notices = read_rows(path)
    shown = ["가", "3", "2.5", "4", "true", "2024-02-29"]
    assert found == [dict(zip(names[:-1], shown, strict=True))]
    assert notices == []


def test_the_first_sheet_of_several_is_read_and_named(tmp_path: Path) -> None:
    path = write_file(tmp_path, "a.xlsx", workbook([["text"], ["가"]], sheets=["첫째", "둘째"]))
    found, notices = read_rows(path)
    assert found == [{"text": "가"}]
    assert "2 sheets" in notices[0] and "첫째" in notices[0]


def test_an_error_in_a_cell_is_no_text(tmp_path: Path) -> None:
    assert "row 2: a cell shows the error #N/A" in refused(
        write_file(tmp_path, "a.xlsx", workbook([["text"], ["#N/A"]]))
    )


def test_excel_without_openpyxl_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kosim\[excel\]"'):
        read_table(write_file(tmp_path, "a.xlsx", FORMATS["excel"]))


@pytest.mark.parametrize(
    "content",
    [b"x", b"PK\x03\x04" + bytes(50), FORMATS["excel"][:-100]],
    ids=["a letter", "a header", "the end cut off"],  # a workbook holds the time of its making
)
def test_damaged_excel_file(tmp_path: Path, content: bytes) -> None:
    message = refused(write_file(tmp_path, "a.xlsx", content))
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
    assert read_rows(write_file(tmp_path, "a.xlsx", changed.getvalue()))[0] == [RECORD, RECORD]


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_arrow_files_of_both_kinds(tmp_path: Path, kind: str) -> None:
    table = pa.table({"text": ["가", "나"], "n": [1, None]})
    buffer = io.BytesIO()
    opened = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with opened(buffer, table.schema) as writer:
        writer.write_table(table)
    content = buffer.getvalue()
    for name, packed in (("a.arrow", content), ("b.arrow.gz", gzip.compress(content))):
        assert read_table(write_file(tmp_path, name, packed)).to_dict("list") == {
            "text": ["가", "나"],
            "n": [1, None],
        }
    assert "Arrow file or is damaged" in refused(
        write_file(tmp_path, "c.arrow", content[: len(content) // 2])
    )


def test_a_folder_of_hugging_face(tmp_path: Path) -> None:
    saved = datasets.Dataset.from_list([{**RECORD, "n": n} for n in range(5)])
    saved.shuffle(seed=0).save_to_disk(tmp_path / "one", num_shards=2)
    assert [row["n"] for row in read_rows(tmp_path / "one")[0]] == list(saved.shuffle(seed=0)["n"])
    whole = datasets.DatasetDict(train=saved, test=saved)
    whole.save_to_disk(tmp_path / "two")
    message = refused(tmp_path / "two")
    assert f"give one of them: {tmp_path / 'two' / 'train'}" in message
    assert len(read_rows(tmp_path / "two" / "test")[0]) == 5
    datasets.DatasetDict(train=saved).save_to_disk(tmp_path / "three")
    assert len(read_rows(tmp_path / "three")[0]) == 5


@pytest.mark.parametrize(
    "state", ["", "[]", '{"_data_files": [{"filename": "../x.arrow"}]}', '{"_data_files": 3}']
)
def test_a_damaged_folder_of_hugging_face(tmp_path: Path, state: str) -> None:
    (tmp_path / "state.json").write_text(state)
    assert "state.json" in refused(tmp_path)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    assert "Is a directory" in refused(tmp_path)
