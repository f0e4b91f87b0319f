"""A segment: documents, ids and vectors come back; edited files are refused, not followed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kosim.encoders.errors import CorpusIndexError
from kosim.index.store import identifiers
from kosim.index.store.block import Block
from kosim.index.store.document_file import DOCUMENTS, DocumentFile, DocumentFileWriter
from kosim.index.store.identifiers import HASHES, ROWS, GrowingIdTable, IdTable, hash_ids
from kosim.index.store.manifest import SEGMENTS, FileEntry, SegmentEntry
from kosim.index.store.segment import Segment, SegmentWriter, write_removed
from tests.index.vectors import DIMENSION, corpus, in_blocks, numbered

NAME = "000001-0123abcd"
COUNT = 300


@pytest.fixture
def entry(tmp_path: Path) -> SegmentEntry:
    """A written segment of 300 documents."""
    writer = SegmentWriter(tmp_path / SEGMENTS / NAME, DIMENSION)
    for documents, vectors in in_blocks(*corpus(COUNT), 37):
        block = Block.of_documents(documents, vectors, DIMENSION)
        writer.add(block, hash_ids(block.ids))
    return writer.finish("flat")


def opened(folder: Path, entry: SegmentEntry) -> Segment:
    return Segment(folder, entry, DIMENSION)


def reseal(folder: Path, entry: SegmentEntry) -> SegmentEntry:
    """Return the entry an attacker would write after editing files."""
    place = folder / SEGMENTS / NAME
    return entry.model_copy(update={"files": {n: FileEntry.of(place / n) for n in entry.files}})


def test_documents_and_vectors_come_back(tmp_path: Path, entry: SegmentEntry) -> None:
    documents, vectors = corpus(COUNT)
    block = opened(tmp_path, entry).block(np.array([299, 0, 0, 150]))
    assert block.ids == [documents[row].id for row in (299, 0, 0, 150)]
    assert block.texts == [documents[row].text for row in (299, 0, 0, 150)]
    np.testing.assert_array_equal(block.vectors, vectors[[299, 0, 0, 150]])


def test_only_the_named_files_are_left(tmp_path: Path, entry: SegmentEntry) -> None:
    assert {path.name for path in (tmp_path / SEGMENTS / NAME).iterdir()} == set(entry.files)


def test_ids_are_found(tmp_path: Path, entry: SegmentEntry) -> None:
    asked = ["문서-0", "없음", "문서-299", "문서-0"]
    assert sorted(opened(tmp_path, entry).find(asked, hash_ids(asked))) == [
        (0, 0),
        (2, 299),
        (3, 0),
    ]


def test_ids_with_equal_hashes_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = lambda ids: np.array([len(name) for name in ids], dtype=np.uint64)  # noqa: E731
    writer = SegmentWriter(tmp_path / SEGMENTS / NAME, DIMENSION)
    documents, vectors = corpus(40)
    block = Block.of_documents(documents, vectors, DIMENSION)
    writer.add(block, weak(block.ids))
    assert list(writer.find(["문서-7", "문서-x"], weak(["문서-7", "문서-x"]))) == [(0, 7)]
    segment = opened(tmp_path, writer.finish("flat"))
    asked = [*numbered(40), "문서-x", "다른 문서-1"]
    assert sorted(segment.find(asked, weak(asked))) == [(row, row) for row in range(40)]


def test_growing_table_equals_a_sorted_one() -> None:
    random = np.random.default_rng(3)
    hashes = random.integers(0, 50, size=200).astype(np.uint64)
    table = GrowingIdTable()
    for part in np.split(hashes, [1, 2, 10, 11, 60, 61, 150]):
        table.add(part)
    for value in range(51):
        rows = sorted(row for _, row in table.candidates(np.array([value], dtype=np.uint64)))
        assert rows == np.flatnonzero(hashes == value).tolist()
    whole = table.table()
    np.testing.assert_array_equal(whole.hashes, np.sort(hashes))
    np.testing.assert_array_equal(hashes[whole.rows], whole.hashes)


def test_hashes_are_those_of_blake2b() -> None:
    # From coreutils: printf '' | b2sum -l 64
    assert hash_ids([""]).tolist() == [int.from_bytes(bytes.fromhex("e4a6a0577479b2b4"), "little")]
    assert len(set(hash_ids(numbered(5000)).tolist())) == 5000


def test_a_sound_segment_has_no_problems(tmp_path: Path, entry: SegmentEntry) -> None:
    assert list(opened(tmp_path, entry).problems()) == []


@pytest.mark.parametrize("name", ["vectors.faiss", DOCUMENTS, HASHES, ROWS])
def test_a_truncated_file_is_refused_by_name(
    tmp_path: Path, entry: SegmentEntry, name: str
) -> None:
    path = tmp_path / SEGMENTS / NAME / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorpusIndexError, match=rf"{name} is damaged: it has \d+ bytes"):
        opened(tmp_path, entry)


@pytest.mark.parametrize("name", ["vectors.faiss", DOCUMENTS, HASHES, ROWS])
def test_an_edited_byte_is_a_problem(tmp_path: Path, entry: SegmentEntry, name: str) -> None:
    path = tmp_path / SEGMENTS / NAME / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    problems = list(opened(tmp_path, entry).problems())
    assert problems == [f"{path} was changed after it was written"]


def test_a_missing_file_is_left_to_the_caller(tmp_path: Path, entry: SegmentEntry) -> None:
    (tmp_path / SEGMENTS / NAME / HASHES).unlink()
    with pytest.raises(FileNotFoundError):
        opened(tmp_path, entry)


def test_a_link_out_of_the_index_is_refused(tmp_path: Path, entry: SegmentEntry) -> None:
    path = tmp_path / SEGMENTS / NAME / DOCUMENTS
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorpusIndexError, match="not a plain file"):
        opened(tmp_path, entry)


def test_a_table_that_names_rows_that_are_not_there_is_refused(
    tmp_path: Path, entry: SegmentEntry
) -> None:
    table = IdTable.open(tmp_path / SEGMENTS / NAME, COUNT)
    IdTable(np.array(table.hashes), np.array(table.rows) + COUNT).write(tmp_path / SEGMENTS / NAME)
    segment = opened(tmp_path, reseal(tmp_path, entry))
    with pytest.raises(CorpusIndexError, match=r"id_rows\.npy is damaged: it names row"):
        list(segment.find(["문서-5"], hash_ids(["문서-5"])))
    assert any("does not fit" in problem for problem in segment.problems())


def test_an_array_of_another_type_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(CorpusIndexError, match="float64"):
        identifiers.map_array(tmp_path / "a.npy", 3, np.dtype(np.int64))


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(CorpusIndexError, match="damaged"):
        identifiers.map_array(tmp_path / "a.npy", 1, np.dtype(np.int64))


def test_removed_rows_are_not_alive(tmp_path: Path, entry: SegmentEntry) -> None:
    alive = np.ones(COUNT, dtype=bool)
    alive[[3, 77]] = False
    removed = write_removed(tmp_path / f"removed-{NAME}-00000000.npy", alive)
    segment = opened(tmp_path, entry.model_copy(update={"removed": removed}))
    np.testing.assert_array_equal(segment.alive, alive)


def test_removed_rows_that_are_not_there_are_refused(tmp_path: Path, entry: SegmentEntry) -> None:
    removed = write_removed(tmp_path / f"removed-{NAME}-00000000.npy", np.zeros(COUNT + 1, bool))
    with pytest.raises(CorpusIndexError, match="not ascending or not there"):
        opened(tmp_path, entry.model_copy(update={"removed": removed}))


def write_documents(path: Path, texts: list[str]) -> DocumentFile:
    writer = DocumentFileWriter(path)
    writer.write(numbered(len(texts)), texts, ["{}"] * len(texts))
    writer.close()
    return DocumentFile(path, len(texts))


def test_documents_span_record_batches(tmp_path: Path) -> None:
    texts = [f"{number}번째 줄" for number in range(20_000)]
    file = write_documents(tmp_path / DOCUMENTS, texts)
    assert file.column("text", [19_999, 0, 8191, 8192]) == [
        texts[r] for r in (19_999, 0, 8191, 8192)
    ]
    batches = list(file.batches("text"))
    assert [text for batch in batches for text in batch] == texts
    assert len(batches) == 3


def test_long_texts_make_short_batches(tmp_path: Path) -> None:
    texts = ["가" * 9_000_000, "나" * 9_000_000, "", "다"]
    file = write_documents(tmp_path / DOCUMENTS, texts)
    assert [len(batch) for batch in file.batches("text")] == [2, 2]
    assert file.column("text", [0, 1, 2, 3]) == texts


def test_arrow_itself_reads_the_file(tmp_path: Path) -> None:
    write_documents(tmp_path / DOCUMENTS, ["하나", "둘"])
    table = pa.ipc.open_file(pa.memory_map(str(tmp_path / DOCUMENTS))).read_all()
    assert table.to_pydict() == {"id": numbered(2), "text": ["하나", "둘"], "extra": ["{}", "{}"]}


def test_another_arrow_file_is_refused(tmp_path: Path) -> None:
    table = pa.table({"id": ["a"], "text": ["b"]})
    with pa.ipc.new_file(str(tmp_path / DOCUMENTS), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(CorpusIndexError, match="its columns are"):
        DocumentFile(tmp_path / DOCUMENTS, 1)


def test_documents_that_are_fewer_than_promised_are_refused(tmp_path: Path) -> None:
    write_documents(tmp_path / DOCUMENTS, ["하나", "둘"])
    with pytest.raises(CorpusIndexError, match="it holds 2 documents, not 3"):
        DocumentFile(tmp_path / DOCUMENTS, 3)


def test_wrong_offsets_never_lead_out_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / DOCUMENTS
    texts = [f"{number}번째 줄" for number in range(100)]
    write_documents(path, texts)
    content = path.read_bytes()
    lengths = [0, *(len(text.encode()) for text in texts)]
    offsets = np.cumsum(lengths).astype("<i8").tobytes()
    place = content.index(offsets)
    wild = np.cumsum(lengths).astype("<i8")
    wild[50] = 2**60
    path.write_bytes(content[:place] + wild.tobytes() + content[place + len(offsets) :])
    file = DocumentFile(path, 100)
    with pytest.raises(CorpusIndexError, match="is damaged"):
        file.verify()
    assert file.column("text", [10, 90]) == [texts[10], texts[90]]
    assert file.column("text", [50]) == [""]


def test_text_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / DOCUMENTS
    write_documents(path, ["친절한 호스트"])
    path.write_bytes(path.read_bytes().replace("친절한".encode(), b"\xff" * 9))
    with pytest.raises(CorpusIndexError, match="not UTF-8"):
        DocumentFile(path, 1).column("text", [0])


@pytest.mark.parametrize("seed", range(3))
def test_edited_documents_raise_and_never_crash(tmp_path: Path, seed: int) -> None:
    path, random = tmp_path / DOCUMENTS, np.random.default_rng(seed)
    write_documents(path, [f"{number}번째 줄" for number in range(50)])
    content = path.read_bytes()
    for _ in range(200):
        edited = bytearray(content)
        for place in random.integers(0, len(content), size=3):
            edited[place] = random.integers(0, 256)
        path.write_bytes(edited)
        try:
            file = DocumentFile(path, 50)
            file.column("text", range(50))
            file.verify()
        except CorpusIndexError as error:
            assert str(path) in str(error)
