"""The store and bad input: a reason is given, and the index is as it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kosim.encoders.errors import ConfigError, CorpusIndexError, DataError, StorageError
from kosim.encoders.storage import content_checksum
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.store import commit
from kosim.index.store.manifest import MANIFEST
from tests.index.lexical_stand_ins import Words
from tests.index.stored import (
    DOCUMENTS,
    MORE,
    MORE_VECTORS,
    QUERIES,
    VECTORS,
    expect,
    files,
    full_disk,
)
from tests.index.vectors import DIMENSION, ENCODER, unit_vectors


def test_a_damaged_index_can_be_overwritten(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")
    index = CorpusIndex.create(folder, ENCODER, [(MORE, MORE_VECTORS)], overwrite=True)
    expect(index, MORE, MORE_VECTORS)


def test_what_is_no_index_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StorageError, match="exists and is not an index"):
        CorpusIndex.create(tmp_path, ENCODER, [(MORE, MORE_VECTORS)], overwrite=True)
    with pytest.raises(StorageError, match="exists already"):
        CorpusIndex.create(tmp_path, ENCODER, [(MORE, MORE_VECTORS)])
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    blocks = [(MORE, MORE_VECTORS), (MORE[3:4], MORE_VECTORS[3:4])]
    for rows in (None, 5):
        with pytest.raises(DataError, match="'새것-3' appears twice"):
            CorpusIndex.create(tmp_path / "index", ENCODER, blocks, segment_rows=rows)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("blocks", [[], [([], np.zeros((0, DIMENSION), np.float32))]])
def test_an_empty_corpus_is_refused(tmp_path: Path, blocks: Any) -> None:
    with pytest.raises(DataError, match="the corpus is empty"):
        CorpusIndex.create(tmp_path / "index", ENCODER, blocks)


BAD = {
    "float64": (MORE[:1], VECTORS[:1].astype(np.float64), "vectors are float64"),
    "a list": (MORE[:1], VECTORS[:1].tolist(), "vectors are list"),
    "too few": (MORE[:2], VECTORS[:1], r"shape \(1, 8\); 2 documents of this index need \(2, 8\)"),
    "dimension": (MORE[:1], unit_vectors(1, dimension=4), r"shape \(1, 4\)"),
    "not unit": (MORE[:2], VECTORS[:2] * np.float32(1.01), "id '새것-0' has the length 1.01"),
    "not finite": (MORE[:1], VECTORS[:1] * np.float32(np.nan), "id '새것-0' has the length nan"),
    "known": ([DOCUMENTS[5]], VECTORS[:1], "id '문서-5' is in .* already"),
    "twice": ([MORE[0], MORE[0]], VECTORS[:2], "id '새것-0' appears twice in what is added"),
    "empty id": ([Document("", "문장")], VECTORS[:1], "document '': the id is empty"),
    "no text": ([Document("a", None)], VECTORS[:1], "document 'a': the text is blank"),  # type: ignore[arg-type]
    "surrogate": ([Document("a", "b\ud800")], VECTORS[:1], "half a character"),
    "extra": ([Document("a", "b", {"c": {1, 2}})], VECTORS[:1], "extra values of id 'a'"),
    "nan": ([Document("a", "b", {"c": float("nan")})], VECTORS[:1], "extra values of id 'a'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_additions_are_refused_and_change_nothing(index: CorpusIndex, case: str) -> None:
    documents, vectors, message = BAD[case]
    before = files(index.folder)
    with pytest.raises(DataError, match=message):
        index.add(documents, vectors)  # type: ignore[arg-type]
    assert files(index.folder) == before
    assert len(index) == 60


def test_removing_an_absent_id_removes_nothing(index: CorpusIndex) -> None:
    before = files(index.folder)
    with pytest.raises(CorpusIndexError, match=r"id '없음' is not in .*; nothing was removed"):
        index.remove(["문서-1", "없음"])
    assert files(index.folder) == before
    assert len(index) == 60


def test_an_id_with_half_a_character_is_absent(index: CorpusIndex) -> None:
    assert index.locate(["\udcff"]).tolist() == [-1]


@pytest.mark.parametrize("k", [0, -1, 2.0, True])
def test_k_must_be_a_positive_integer(index: CorpusIndex, k: Any) -> None:
    with pytest.raises(ConfigError, match=f"k is {k}; ask for at least 1 hit"):
        index.search(QUERIES, k)


def test_queries_of_another_dimension_are_refused(index: CorpusIndex) -> None:
    with pytest.raises(ConfigError, match=r"\(3, 4\); this index needs \(queries, 8\).*runs/bi"):
        index.search(unit_vectors(3, dimension=4), 1)


def test_queries_that_are_not_finite_are_refused(index: CorpusIndex) -> None:
    queries = QUERIES.copy()
    queries[4, 0] = np.inf
    with pytest.raises(DataError, match="query 4 is not finite"):
        index.search(queries, 1)


@pytest.mark.parametrize("row", [-1, 60])
def test_a_row_that_is_not_there_is_refused(index: CorpusIndex, row: int) -> None:
    with pytest.raises(ConfigError, match=f"row {row} is not a document"):
        index.texts([0, row])


def edit(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        change(content)
        content["checksum"] = content_checksum(content)
        (folder / MANIFEST).write_text(json.dumps(content), encoding="utf-8")

    return apply


def set_at(*path: Any, value: Any) -> Callable[[Path], None]:
    def change(content: dict[str, Any]) -> None:
        inner: Any = content
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return edit(change)


def _without_removals(folder: Path, name: str, value: Any = None) -> None:
    """Let removed documents return, and change what guards against that."""
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for segment in content["segments"]:
        segment["removed"] = None
    content[name] = value
    (folder / MANIFEST).write_text(json.dumps(content), encoding="utf-8")


def in_segment(name: str, cut: int) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = next((folder / "segments").glob(f"*/{name}"))
        path.write_bytes(path.read_bytes()[:cut])

    return apply


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "newer format": (set_at("format", value=5), "of format 5, newer than 4; upgrade kosim"),
    "no json": (lambda f: (f / MANIFEST).write_text("{") and None, "not readable as JSON"),
    "no utf-8": (lambda f: (f / MANIFEST).write_bytes(b"\xff") and None, "not readable as JSON"),
    "deep json": (lambda f: (f / MANIFEST).write_text("[" * 99_999) and None, "not readable"),
    "no object": (lambda f: (f / MANIFEST).write_text("[]") and None, "holds no JSON object"),
    "no manifest": (lambda f: (f / MANIFEST).unlink(), "is not an index: it has no manifest"),
    "a path": (set_at("segments", 0, "name", value="../../etc"), r"segments\.0\.name"),
    "a log path": (set_at("log", value="../log-000001-00000000"), "not valid at log"),
    "unknown key": (set_at("surprise", value=1), "surprise"),
    "unknown type": (set_at("segments", 0, "type", value="lsh"), r"segments\.0\.type"),
    "other files": (set_at("segments", 0, "files", value={}), "lists other files for segment"),
    "rows": (set_at("segments", 0, "rows", value=26), "damaged|where|rows"),
    "dimension": (set_at("encoder", "dimension", value=4), "damaged|dimension"),
    "no log": (lambda f: next(f.glob("log-*[!k]")).unlink(), "log-.* is missing"),
    "cut log": (
        lambda f: next(f.glob("log-*[!k]")).write_bytes(b"KO") and None,
        "not the log of an index",
    ),
    "no acknowledgements": (lambda f: next(f.glob("log-*.ack")).unlink(), "ack is missing"),
    "no end": (
        lambda f: next(f.glob("log-*.ack")).write_bytes(b"") and None,
        "does not say how far the log was acknowledged",
    ),
    "unsigned": (lambda f: _without_removals(f, "checksum"), "changed after it was written"),
    "older format": (
        lambda f: _without_removals(f, "format", 1),
        "changed after it was written",
    ),
    "cut vectors": (in_segment("vectors.faiss", 100), "vectors.faiss is damaged: it has 100 bytes"),
    "cut documents": (in_segment("documents.arrow", 0), "documents.arrow is damaged"),
    "no segment": (
        lambda f: shutil.rmtree(next((f / "segments").iterdir())),
        r"segments/.* is missing",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_index_is_refused_with_a_reason(folder: Path, case: str) -> None:
    damage, message = DAMAGE[case]
    damage(folder)
    with pytest.raises(CorpusIndexError, match=message):
        CorpusIndex.open(folder)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusIndexError, match="does not exist; give the folder of an index"):
        CorpusIndex.open(tmp_path / "nowhere")


def test_verify_names_what_was_edited(index: CorpusIndex) -> None:
    path = next((index.folder / "segments").glob("*/documents.arrow"))
    content = path.read_bytes()
    path.write_bytes(content.replace("방이".encode(), "밤이".encode()))
    assert index.verify() == [f"{path} was changed after it was written"]


def test_verify_reports_a_damaged_log(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    log = index.folder / index.snapshot.manifest.log
    log.write_bytes(log.read_bytes()[:-1] + b"\xff")
    (problem,) = index.verify()
    assert str(log) in problem


def test_what_a_killed_writer_left_is_tidied_up(index: CorpusIndex, short_log: None) -> None:
    left = index.folder / "segments" / "000002-00000000"
    left.mkdir()
    (left / "vectors.spool").write_bytes(b"half")
    (index.folder / "log-000002-00000000").write_bytes(b"KOSIM")
    foreign = index.folder / "lexical" / "000001-00000000"
    foreign.mkdir(parents=True)
    index.add(MORE, MORE_VECTORS)
    assert not left.exists()
    assert not (index.folder / "log-000002-00000000").exists()
    assert foreign.is_dir()
    expect(index, DOCUMENTS + MORE, np.concatenate([VECTORS, MORE_VECTORS]))


@pytest.mark.parametrize("operation", ["add", "long add", "remove", "compact"])
def test_a_full_disk_leaves_the_index_as_it_was(
    index: CorpusIndex, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(index.folder)
    if operation == "long add":
        monkeypatch.setattr(commit, "LOG_DOCUMENTS", 10)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(StorageError, match=r"cannot write .*: No space left on device"):
            if operation == "remove":
                index.remove(["문서-1"])
            elif operation == "compact":
                index.compact()
            else:
                index.add(MORE, MORE_VECTORS)
    assert files(index.folder) == before
    expect(index, DOCUMENTS, VECTORS)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_a_log_that_lost_acknowledged_changes_is_refused(index: CorpusIndex, share: float) -> None:
    """Cut at the end of a record or inside of it."""
    log = index.folder / index.snapshot.manifest.log
    ends = [log.stat().st_size]
    for document, vector in zip(MORE, MORE_VECTORS, strict=True):
        index.add([document], vector[None])
        ends.append(log.stat().st_size)
    end = ends[int(share * (len(ends) - 2))]
    for size in (end, end + 3):
        os.truncate(log, size)
        with pytest.raises(CorpusIndexError, match="changes were acknowledged up to byte"):
            CorpusIndex.open(index.folder)
        assert "acknowledged" in index.verify()[0]


def test_a_change_that_was_flushed_and_not_acknowledged_counts(
    index: CorpusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "acknowledge", lambda path, position: None)
    index.add(MORE, MORE_VECTORS)
    monkeypatch.undo()
    again = CorpusIndex.open(index.folder)
    expect(again, DOCUMENTS + MORE, np.concatenate([VECTORS, MORE_VECTORS]))
    again.remove(["새것-1"])
    assert again.verify() == []


def test_an_end_that_was_torn_leaves_the_one_before(index: CorpusIndex) -> None:
    index.add(MORE[:1], MORE_VECTORS[:1])
    index.add(MORE[1:2], MORE_VECTORS[1:2])
    path = index.folder / str(index.snapshot.manifest.acknowledgement)
    content = bytearray(path.read_bytes())
    ends = [int.from_bytes(content[start + 4 : start + 12], "little") for start in (0, 4096)]
    newest = 4096 * int(ends[1] > ends[0])
    content[newest + 5] ^= 255
    path.write_bytes(content)
    again = CorpusIndex.open(index.folder)
    assert len(again) == len(DOCUMENTS) + 2
    assert again.verify() == [f"{path} was changed after it was written"]
    again.add(MORE[2:3], MORE_VECTORS[2:3])
    assert again.verify() == []


def test_verify_reads_the_postings_of_words(index: CorpusIndex) -> None:
    LexicalIndex(index.folder, analyzer=Words()).prepare(index.snapshot)
    assert index.verify() == []
    path = next((index.folder / "lexical").glob("*/frequencies.npy"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert index.verify() == [f"{path} does not have the checksum of its manifest"]


def test_an_index_of_format_1_opens_and_grows(tmp_path: Path) -> None:
    """Written by kosim before there were checksums and acknowledgements."""
    folder = shutil.copytree(Path(__file__).with_name("format_1") / "index", tmp_path / "index")
    index = CorpusIndex.open(folder)
    assert index.ids(index.rows()) == ["0", "1", "3", "새"]
    index.add([Document("더", "더 많이")], np.eye(4, dtype=np.float32)[:1])
    assert index.verify() == []
    index.compact(segment_rows=2)
    assert index.snapshot.manifest.format == 4
    assert CorpusIndex.open(folder).ids(index.rows()) == ["0", "1", "3", "새", "더"]
    assert index.verify() == []


def _replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


PLAIN = ("log-*[!k]", "log-*.ack", MANIFEST)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["pipe", "folder"])
def test_what_is_no_plain_file_is_refused(
    folder: Path, name: str, make: Callable[[Path], object]
) -> None:
    path = next(folder.glob(name))
    _replaced(path, make)
    with pytest.raises(CorpusIndexError, match=f"{path.name} is not a plain file"):
        CorpusIndex.open(folder)


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusIndexError, match="File name too long"):
        CorpusIndex.open(tmp_path / ("가" * 300))


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize(
    "name", [*PLAIN, "removed-*", "segments/*/documents.arrow", "segments/*/id_rows.npy"]
)
def test_a_file_that_may_not_be_read_is_named(folder: Path, name: str, short_log: None) -> None:
    index = CorpusIndex.open(folder)
    index.remove(["문서-1"])
    index.add(MORE, MORE_VECTORS)
    closed = [path for path in folder.parents if not path.stat().st_mode & 0o001]
    for path in [folder, *folder.rglob("*"), *closed]:
        path.chmod(0o755)
    path = sorted(folder.glob(name))[-1]
    path.chmod(0)
    os.seteuid(65_534)
    try:
        with pytest.raises(CorpusIndexError, match=f"{path.name}: Permission denied") as caught:
            CorpusIndex.open(folder)
    finally:
        os.seteuid(0)
    assert "\n" not in str(caught.value)
