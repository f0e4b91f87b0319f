"""Every row of the tables in docs/data.md is a file, and what the page says of it happens."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

from kosim.encoders.errors import DataError
from kosim.encoders.table_formats import source
from kosim.experiments.data.pairs import load_pairs
from tests.checkout import ROOT
from tests.encoders.workbooks import workbook

FIRSTS, SECONDS = ["방이 넓다", "문을 닫아", "비가 온다"], ["창이 크다", "문 닫아 줘", "눈이 온다"]
LABELS = [0.5, 4.5, 2]
FRAME = pd.DataFrame({"sentence1": FIRSTS, "sentence2": SECONDS, "label": LABELS})
ROWS = FRAME.to_dict("records")
CSV = FRAME.to_csv(index=False)
BODY = CSV.partition("\n")[2]


def _saved(*splits: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        saved = datasets.Dataset.from_pandas(FRAME)
        (datasets.DatasetDict(dict.fromkeys(splits, saved)) if splits else saved).save_to_disk(path)

    return write


def _zipped(content: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("pairs.csv", content)
    return buffer.getvalue()


def _arrow() -> bytes:
    buffer = io.BytesIO()
    pyarrow.feather.write_feather(pa.Table.from_pandas(FRAME), buffer)
    return buffer.getvalue()


def _parquet() -> bytes:
    buffer = io.BytesIO()
    FRAME.to_parquet(buffer)
    return buffer.getvalue()


def _klue() -> str:
    nested = [
        {**row, "label": None, "labels": {"label": 1, "real-label": row["label"]}} for row in ROWS
    ]
    return json.dumps([{key: row[key] for key in row if key != "label"} for row in nested])


@dataclass(frozen=True)
class File:
    """A file and what is expected of it: ``refused`` or ``noticed`` are parts of what is said."""

    name: str
    content: str | bytes | Callable[[Path], Any]
    options: dict[str, Any] = field(default_factory=dict)
    refused: str | None = None
    noticed: str | None = None


FILES = {
    "CSV with English names": File("a.csv", CSV),
    "CSV with Korean names": File("a.csv", "문장 1,문장 2,유사도\n" + BODY),
    "CSV with other names": File("a.csv", "앞,뒤,값\n" + BODY, refused="--columns"),
    "CSV with other names and `--columns`": File(
        "a.csv", "앞,뒤,값\n" + BODY, {"columns": "앞,뒤,값"}
    ),
    "CSV without a line of names: two texts and a number": File(
        "a.csv", BODY, noticed="two sentences and a label"
    ),
    "CSV without a line of names: more columns": File(
        "a.csv",
        "".join(f"{n},{line}\n" for n, line in enumerate(BODY.splitlines())),
        refused="choose by number, --columns",
    ),
    "CSV with semicolons or tabs for commas": File(
        "a.csv", CSV.replace(",", ";"), noticed="semicolons"
    ),
    "CSV with empty unnamed columns and rows at the end, as Excel writes them": File(
        "a.csv", CSV.replace("\n", ",,\n") + ",,,,\n,,,,\n"
    ),
    "CSV with a cell of 200,000 characters": File(
        "a.csv", FRAME.assign(note="가" * 200_000).to_csv(index=False)
    ),
    "CSV in UTF-8 with a byte order mark": File("a.csv", CSV.encode("utf-8-sig")),
    "CSV in UTF-16 with a byte order mark": File("a.csv", CSV.encode("utf-16")),
    "CSV in cp949 (or EUC-KR)": File("a.csv", CSV.encode("cp949"), noticed="cp949"),
    "CSV in another encoding": File("a.csv", CSV.encode("gb18030"), refused="name the encoding"),
    "CSV in another encoding and `--encoding`": File(
        "a.csv", CSV.encode("gb18030"), {"encoding": "gb18030"}
    ),
    "CSV with a line that has too many cells": File("a.csv", CSV + "가,나,1,2\n", refused="line 5"),
    "TSV": File("a.tsv", CSV.replace(",", "\t")),
    "lines of JSON: `.jsonl`, `.ndjson`": File("a.ndjson", "\n".join(map(json.dumps, ROWS))),
    "lines of JSON in a `.json`": File(
        "a.json", "\n".join(map(json.dumps, ROWS)), noticed="one JSON object a line"
    ),
    "a list of objects in a `.json`": File("a.json", json.dumps(ROWS, indent=1)),
    "an object of columns in a `.json`, as pandas writes it": File("a.json", FRAME.to_json()),
    "KLUE's official JSON, with nested labels": File("a.json", _klue()),
    "Parquet": File("a.parquet", _parquet()),
    "Arrow or Feather": File("a.feather", _arrow()),
    "a folder written by Hugging Face's `save_to_disk`": File("saved", _saved()),
    "such a folder with several splits": File(
        "saved", _saved("train", "test"), refused="give one of them"
    ),
    'Excel (`.xlsx`; needs `pip install "kosim[excel]"`)': File(
        "a.xlsx", workbook([list(FRAME), *FRAME.to_numpy().tolist()])
    ),
    "any of these, compressed by gzip": File("a.csv.gz", gzip.compress(CSV.encode())),
    "a table in a file with another suffix or none": File("pairs", CSV, noticed="was read so"),
    "a text without columns": File("a.txt", "방이 넓다\n", refused="known are .csv"),
    "a page of HTML or XML, under any name": File(
        "a.csv", "<!DOCTYPE html>\n<p>방이, 넓다</p>\n", refused="is HTML or XML"
    ),
    "a database of SQLite or another binary file, under any name": File(
        "pairs", bytes(range(32)) * 9, refused="is not text"
    ),
    "a ZIP archive": File("a.csv", _zipped(CSV), refused="unpack it"),
    "a compressed file that unpacks to over 256 MiB and 200 times its size": File(
        "a.csv.gz", gzip.compress((CSV + "가,나,0\n" * 400_000).encode()), refused="unpack it first"
    ),
    "a table of over 1,000 columns": File(
        "a.csv", ",".join(f"c{n}" for n in range(1_001)), refused="the limit is 1,000"
    ),
    "a named pipe": File("a.csv", os.mkfifo, refused="read it as standard input"),
    "an empty file": File("a.csv", "", refused="is empty"),
}

MANY = [1 + n % 5 for n in range(20)]
SCALES: dict[str, tuple[list[Any], str | None, str]] = {
    "0 to 5": ([0, 2.5, 5], None, "0:5"),
    "only 0 and 1": ([0, 1, 1], None, "binary"),
    "`true` and `false`": (["true", "false"], None, "binary"),
    "0 to 1, with fractions": ([0.1, 0.9], None, "0:1"),
    "-1 to 1": ([-0.5, 0.1, 0.9], None, "-1:1"),
    "1 to 5, at least 20 labels": (MANY, None, "1:5"),
    "1 to 5, fewer labels": ([1, 3, 5], None, "0:5"),
    "0 to 100": ([0, 30, 100], None, "0:100"),
    "0 to 5, and a few beyond": ([0, 1, 2, 3, 4, 5] * 10 + [55], None, "0:5"),
    "0 to 10": ([0, 4, 10], None, "--label-scale 0:10"),
    "0 and 1, and a few others up to 5": ([0, 1] * 20 + [3], None, "binary, or --label-scale 0:5"),
    "유사 and 비유사": (["유사", "비유사"], None, '--label-scale "유사=5,비유사=0"'),
    "yes and no": (["yes", "no"], None, '--label-scale "yes=5,no=0"'),
    '유사 and 비유사, with `--label-scale "유사=5,비유사=0"`': (
        ["유사", "비유사"],
        "유사=5,비유사=0",
        "유사=5,비유사=0",
    ),
    "a number and a word that is none": ([1, 2, 3, "높음"], None, "row 4: label '높음'"),
}


def _tables() -> list[dict[str, str]]:
    """Return the tables of the page, each as what happens by the first cell of a row."""
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        rows = [re.split(r"\s*\|\s*", line.strip("|\n ")) for line in block.splitlines()[2:]]
        found.append(dict(rows))  # type: ignore[arg-type]
    return found


FILE_TABLE, SCALE_TABLE = _tables()


def test_every_row_of_the_page_is_tried() -> None:
    assert list(FILE_TABLE) == list(FILES)
    assert list(SCALE_TABLE) == list(SCALES)


@pytest.mark.parametrize("row", FILES)
def test_files(tmp_path: Path, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "256 MiB" in row:
        assert source.EXPANSION_ALLOWED == 256 << 20
        assert source.MOST_EXPANSION == 200
        monkeypatch.setattr(source, "EXPANSION_ALLOWED", 1 << 20)
    file, said = FILES[row], FILE_TABLE[row]
    path = tmp_path / file.name
    if callable(file.content):
        file.content(path)
    else:
        raw = file.content
        path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    assert said.startswith("refused" if file.refused else "read")
    assert ("with a notice" in said) == (file.noticed is not None)
    if file.refused:
        with pytest.raises(DataError, match=re.escape(file.refused)):
            load_pairs(path, **file.options)
        return
    pairs = load_pairs(path, **file.options)
    assert pairs.frame["sentence1"].tolist() == FIRSTS
    assert pairs.frame["sentence2"].tolist() == SECONDS
    assert pairs.frame["label"].tolist() == LABELS
    assert file.noticed is None or any(file.noticed in notice.en for notice in pairs.notices)
    assert (file.noticed is None) == (not pairs.notices)


@pytest.mark.parametrize("row", SCALES)
def test_scales(tmp_path: Path, row: str) -> None:
    labels, scale, expected = SCALES[row]
    said = SCALE_TABLE[row]
    path = tmp_path / "a.csv"
    rows = "".join(f"문장 {n},글 {n},{label}\n" for n, label in enumerate(labels))
    path.write_text(f"sentence1,sentence2,label\n{rows}", encoding="utf-8")
    options = {"scale": scale} if scale else {}
    if said.startswith("refused"):
        with pytest.raises(DataError, match=re.escape(expected)):
            load_pairs(path, **options)
        return
    raw = load_pairs(path, **options)
    assert str(raw.scale) == expected
    assert scale or f"read as `{expected}`" in said
    assert bool(raw.notices) == ("with a notice" in said)
