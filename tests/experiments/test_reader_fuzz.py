"""Any bytes give pairs, groups or judgments, or an error of ours: never another one."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kosim.encoders.beir import read_judgments
from kosim.encoders.errors import KosimError
from kosim.encoders.tables import read_lines, read_table
from kosim.experiments.data.cleaning import check_test, clean_training
from kosim.experiments.data.pairs import RawPairs, load_pairs
from kosim.experiments.data.sentence_groups import load_groups
from kosim.experiments.probe.items import read_items
from tests.conftest import examples
from tests.encoders.workbooks import workbook

SECONDS = 20
"""No file of a few kilobytes may take longer, however busy the machine is."""

FUZZED = settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

ROWS = [
    {"sentence1": f"방이 {n}개다", "sentence2": f"창이 {n}개다", "label": n % 6, "source": "뉴스"}
    for n in range(12)
]


def _arrow(kind: str) -> bytes:
    table = pa.Table.from_pylist(ROWS)
    buffer = io.BytesIO()
    if kind == "parquet":
        pa.parquet.write_table(table, buffer)
    else:
        opened = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
        with opened(buffer, table.schema) as writer:
            writer.write_table(table)
    return buffer.getvalue()


CSV = pd.DataFrame(ROWS).to_csv(index=False)
VALID: dict[str, bytes] = {
    ".csv": CSV.encode(),
    ".tsv": CSV.replace(",", "\t").encode(),
    ".cp949.csv": CSV.encode("cp949"),
    ".utf16.csv": CSV.encode("utf-16"),
    ".jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode(),
    ".json": json.dumps(ROWS).encode(),
    ".parquet": _arrow("parquet"),
    ".arrow": _arrow("stream"),
    ".feather": _arrow("file"),
    ".xlsx": workbook([list(ROWS[0]), *(list(row.values()) for row in ROWS)]),
    ".csv.gz": gzip.compress(CSV.encode(), mtime=0),
    ".txt": CSV.replace(",", "\t").encode(),
}
SUFFIXES = [*VALID, "", ".dat", ".gz"]


def _pairs(path: Path) -> None:
    raw = load_pairs(path)
    assert isinstance(raw, RawPairs)
    for clean in (clean_training, check_test):
        try:
            clean(raw)
        except KosimError:
            continue
    assert raw.frame["label"].dtype == np.float64


def _judgments(path: Path) -> None:
    list(read_judgments(path))


READERS: dict[str, Callable[[Path], Any]] = {
    "pairs": _pairs,
    "groups": load_groups,
    "judgments": _judgments,
    "table": read_table,
    "items": read_items,
    "lines": lambda path: list(read_lines(path)),
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def _read(reader: Callable[[Path], Any], path: Path) -> str | None:
    """Return what was refused, or None where the file was read; nothing else may happen."""
    began = time.monotonic()
    try:
        reader(path)
    except KosimError as error:
        assert "\n" not in str(error)
        assert str(error).isprintable()
        return str(error)
    finally:
        assert time.monotonic() - began < SECONDS
    return None


@pytest.mark.parametrize("reader", READERS)
@FUZZED
@given(suffix=st.sampled_from(SUFFIXES), content=st.binary(max_size=400))
def test_any_bytes(folder: Path, reader: str, suffix: str, content: bytes) -> None:
    path = folder / f"{reader}{suffix}"
    path.write_bytes(content)
    _read(READERS[reader], path)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A sound file of some format with some bytes changed, cut out, doubled or put in."""
    suffix = draw(st.sampled_from(list(VALID)))
    content = bytearray(VALID[suffix])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        end = at + draw(st.integers(0, 40))
        change = draw(st.sampled_from(["flip", "cut", "double", "insert", "truncate"]))
        if change == "flip" and content:
            content[at] ^= draw(st.integers(1, 255))
        elif change == "cut":
            del content[at:end]
        elif change == "double":
            content[at:at] = content[at:end]
        elif change == "insert":
            content[at:at] = draw(st.binary(max_size=8))
        else:
            del content[at:]
    return suffix, bytes(content)


@pytest.mark.parametrize("reader", ["pairs", "groups", "table"])
@FUZZED
@given(file=damaged())
def test_damaged_files(folder: Path, reader: str, file: tuple[str, bytes]) -> None:
    suffix, content = file
    path = folder / f"{reader}{suffix}"
    path.write_bytes(content)
    _read(READERS[reader], path)


CELLS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["", "3", "0.5", "-1", "nan", "inf", "1e999", "true", "유사", '"', "\ufeff", "100", "a" * 300]
)


@FUZZED
@given(
    header=st.sampled_from(
        ["sentence1,sentence2,label", "문장1,문장2,유사도", "", "a,b,c", "1,2,3"]
    ),
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=12),
)
def test_any_cells(folder: Path, header: str, rows: list[list[str]]) -> None:
    path = folder / "cells.csv"
    text = "\n".join([header, *(",".join(row) for row in rows)])
    path.write_bytes(text.encode("utf-8", "replace"))
    _read(_pairs, path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["sentence1", "sentence2", "label", "labels", "annotations", "source", "id"])


@FUZZED
@given(
    rows=st.lists(st.dictionaries(KEYS, VALUES, max_size=6), max_size=6) | VALUES,
    suffix=st.sampled_from([".json", ".jsonl"]),
)
def test_any_json(folder: Path, rows: Any, suffix: str) -> None:
    path = folder / f"values{suffix}"
    lines = isinstance(rows, list) and suffix == ".jsonl"
    text = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
    path.write_text(text, encoding="utf-8")
    for reader in ("pairs", "groups", "judgments"):
        _read(READERS[reader], path)


@pytest.mark.parametrize("suffix", VALID)
def test_the_sound_files_are_read(folder: Path, suffix: str) -> None:
    path = folder / f"sound{suffix}"
    path.write_bytes(VALID[suffix])
    assert _read(_pairs, path) is None
    assert load_pairs(path).frame["given"].tolist() == [row["label"] for row in ROWS]
