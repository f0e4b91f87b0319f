"""The store: what is committed is searched, by many readers, and bad input changes nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from encoders.errors import (
    ConfigError,
    CorpusIndexError,
    DataError,
    IndexLockedError,
    KosimError,
    StorageError,
)
from index.corpus_index import CorpusIndex, EncoderIdentity
from index.documents import Document
from index.store import commit
from index.store.manifest import MANIFEST
from index.store.write_lock import write_lock
from tests.index.vectors import (
    DIMENSION,
    ENCODER,
    brute_force,
    corpus,
    in_blocks,
    some_documents,
    unit_vectors,
)

DOCUMENTS, VECTORS = corpus(60)
MORE, MORE_VECTORS = corpus(20, prefix="새것", seed=1)
QUERIES = unit_vectors(7, seed=99)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three segments that no test changes."""
    folder = tmp_path_factory.mktemp("made") / "index"
    CorpusIndex.create(folder, ENCODER, in_blocks(DOCUMENTS, VECTORS, 7), segment_rows=25)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(made, tmp_path / "index")


@pytest.fixture
def index(folder: Path) -> CorpusIndex:
    """The copy, opened."""
    return CorpusIndex.open(folder)


@pytest.fixture
def short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log ends with its generation after 10 documents."""
    monkeypatch.setattr(commit, "LOG_DOCUMENTS", 10)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "write.lock"
    }


def expect(index: CorpusIndex, documents: list[Document], vectors: npt.NDArray[np.float32]) -> None:
    """The index holds exactly these documents, and finds what brute force finds."""
    places = index.places()
    assert len(index) == len(documents) == len(places)
    assert sorted(index.ids(places)) == sorted(document.id for document in documents)
    located = index.locate([document.id for document in documents])
    assert index.documents(located) == documents
    np.testing.assert_array_equal(index.vectors(located), vectors)
    scores, found = index.search(QUERIES, 10)
    true_scores, rows = brute_force(QUERIES, vectors, 10)
    width = true_scores.shape[1]
    np.testing.assert_allclose(scores[:, :width], true_scores, atol=1e-6)
    np.testing.assert_array_equal(found[:, :width], located[rows])
    assert index.verify() == []


def test_a_new_index_holds_its_corpus(index: CorpusIndex) -> None:
    expect(index, DOCUMENTS, VECTORS)
    assert [part.rows for part in index.parts()] == [25, 25, 10, 0]
    assert index.encoder == ENCODER
    assert index.generation == 1


def test_additions_are_found_and_survive(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    both = np.concatenate([VECTORS, MORE_VECTORS])
    expect(index, DOCUMENTS + MORE, both)
    expect(CorpusIndex.open(index.folder), DOCUMENTS + MORE, both)


def test_an_addition_costs_what_is_added(index: CorpusIndex) -> None:
    before = files(index.folder)
    index.add(MORE[:1], MORE_VECTORS[:1])
    after = files(index.folder)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {index.snapshot.manifest.log}
    assert sum(map(len, after.values())) - sum(map(len, before.values())) < 500


def test_removed_documents_are_not_found(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    index.remove(["문서-0", "문서-30", "새것-2"])
    documents = DOCUMENTS[1:30] + DOCUMENTS[31:] + MORE[:2] + MORE[3:]
    kept = [*range(1, 30), *range(31, 62), *range(63, 80)]
    both = np.concatenate([VECTORS, MORE_VECTORS])[kept]
    expect(index, documents, both)
    expect(CorpusIndex.open(index.folder), documents, both)
    assert index.locate(["문서-0", "새것-2", "문서-1"]).tolist() == [-1, -1, 1]


def test_a_removed_id_can_come_back(index: CorpusIndex) -> None:
    for _ in range(3):
        index.remove(["문서-59"])
        index.add(DOCUMENTS[59:], VECTORS[59:])
    expect(index, DOCUMENTS, VECTORS)


def test_replaced_documents_are_found_anew(index: CorpusIndex) -> None:
    changed = [replace(document, text="바뀐 문장") for document in DOCUMENTS[5:8]]
    index.add(
        changed + MORE, np.concatenate([MORE_VECTORS[:3], MORE_VECTORS]), on_duplicate="replace"
    )
    expect(
        index,
        DOCUMENTS[:5] + changed + DOCUMENTS[8:] + MORE,
        np.concatenate([VECTORS[:5], MORE_VECTORS[:3], VECTORS[8:], MORE_VECTORS]),
    )


def test_of_two_replacements_with_one_id_the_later_counts(index: CorpusIndex) -> None:
    twice = [Document("문서-1", "먼저"), Document("새것-1", "하나"), Document("문서-1", "나중")]
    index.add(twice, MORE_VECTORS[:3], on_duplicate="replace")
    place = index.locate(["문서-1"])
    assert index.texts(place) == ["나중"]
    np.testing.assert_array_equal(index.vectors(place), MORE_VECTORS[2:3])


def test_the_same_sentence_may_have_two_ids(index: CorpusIndex) -> None:
    index.add([Document("하나", "같은 문장"), Document("둘", "같은 문장")], MORE_VECTORS[[0, 0]])
    scores, places = index.search(MORE_VECTORS[:1], 2)
    assert index.ids(places[0]) == ["하나", "둘"]
    assert scores[0, 0] == scores[0, 1]


def test_ties_go_to_the_smaller_place_across_parts(tmp_path: Path) -> None:
    same = np.repeat(unit_vectors(1), 12, axis=0)
    documents, _ = corpus(12)
    index = CorpusIndex.create(tmp_path / "i", ENCODER, [(documents[:8], same[:8])], segment_rows=3)
    index.add(documents[8:], same[8:])
    index.remove(["문서-4"])
    scores, places = index.search(same[:1], 9)
    assert places[0].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert len(set(scores[0].tolist())) == 1


def test_extra_values_come_back(tmp_path: Path) -> None:
    extra = {"평점": 4.5, "태그": ["a", {"b": None}], "맞음": True, "빈": ""}
    index = CorpusIndex.create(
        tmp_path / "i", ENCODER, [([Document("1", "문", extra)], VECTORS[:1])]
    )
    index.add([Document("2", "장", extra)], VECTORS[1:2])
    assert [dict(document.extra) for document in index.documents([0, 1])] == [extra, extra]


def test_more_hits_than_documents_are_missing_not_wrong(index: CorpusIndex) -> None:
    index.add(MORE[:2], MORE_VECTORS[:2])
    index.remove(["문서-7"])
    scores, places = index.search(QUERIES, 100)
    assert scores.shape == places.shape == (7, 100)
    assert (np.sort(places[:, :61], axis=1) == index.places()).all()
    assert (places[:, 61:] == -1).all()
    assert (scores[:, 61:] == -np.inf).all()


def test_an_index_can_become_empty(index: CorpusIndex) -> None:
    index.remove([document.id for document in DOCUMENTS])
    for _ in range(2):
        scores, places = index.search(QUERIES, 3)
        assert len(index) == 0
        assert (places == -1).all()
        assert (scores == -np.inf).all()
        index.compact()
    assert index.parts()[0].name is None
    index.add(DOCUMENTS, VECTORS)
    expect(index, DOCUMENTS, VECTORS)


def test_parts_give_every_text_in_order(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    index.remove(["문서-3", "새것-3"])
    parts = index.parts()
    texts = [text for part in parts for batch in part.texts() for text in batch]
    assert texts == [document.text for document in DOCUMENTS + MORE]
    alive = np.concatenate([part.alive for part in parts])
    np.testing.assert_array_equal(np.flatnonzero(alive), index.places())
    assert [part.start for part in parts] == [0, 25, 50, 60]


def test_a_long_log_becomes_a_segment(index: CorpusIndex, short_log: None) -> None:
    index.add(MORE[:8], MORE_VECTORS[:8])
    index.remove(["새것-1", "문서-4"])
    assert index.generation == 1
    index.add(MORE[8:], MORE_VECTORS[8:])
    assert index.generation == 2
    assert [part.rows for part in index.parts()] == [25, 25, 10, 19, 0]
    documents = DOCUMENTS[:4] + DOCUMENTS[5:] + MORE[:1] + MORE[2:]
    vectors = np.concatenate([np.delete(VECTORS, 4, 0), np.delete(MORE_VECTORS, 1, 0)])
    expect(index, documents, vectors)
    expect(CorpusIndex.open(index.folder), documents, vectors)


def test_replacing_while_the_log_ends(index: CorpusIndex, short_log: None) -> None:
    index.add(MORE[:5], MORE_VECTORS[:5])
    index.add(
        MORE + DOCUMENTS[:1], np.concatenate([MORE_VECTORS, VECTORS[:1]]), on_duplicate="replace"
    )
    assert index.generation == 2
    expect(index, DOCUMENTS + MORE, np.concatenate([VECTORS, MORE_VECTORS]))


def test_a_long_list_of_removals_ends_the_log(
    index: CorpusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "LOG_BYTES", 100)
    index.remove([document.id for document in DOCUMENTS[:30]])
    assert index.generation == 2
    assert [part.rows for part in index.parts()] == [25, 10, 0]
    expect(index, DOCUMENTS[30:], VECTORS[30:])


def test_compact_leaves_one_segment_of_the_living(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    index.remove(["문서-9"])
    index.compact()
    assert [part.rows for part in index.parts()] == [79, 0]
    assert index.info()["removed"] == 0
    expect(
        index,
        DOCUMENTS[:9] + DOCUMENTS[10:] + MORE,
        np.concatenate([VECTORS[:9], VECTORS[10:], MORE_VECTORS]),
    )


def test_compact_does_nothing_where_nothing_would_change(index: CorpusIndex) -> None:
    index.compact()
    before = files(index.folder)
    index.compact()
    assert files(index.folder) == before


def test_compact_changes_the_type(index: CorpusIndex) -> None:
    index.compact(type="hnsw")
    info = index.info()
    assert [segment["type"] for segment in info["segments"]] == ["hnsw"]
    assert info["type"] == "hnsw"
    expect(CorpusIndex.open(index.folder), DOCUMENTS, VECTORS)


def test_a_last_segment_too_small_for_its_type_takes_another(index: CorpusIndex) -> None:
    with pytest.raises(ConfigError, match="ivfpq needs at least"):
        index.compact(type="ivfpq")
    expect(CorpusIndex.open(index.folder), DOCUMENTS, VECTORS)
    assert index.generation == 1


def test_old_files_go_one_generation_late(index: CorpusIndex, short_log: None) -> None:
    first = index.snapshot.manifest
    index.compact()
    assert (index.folder / first.log).is_file()
    assert (index.folder / "segments" / first.segments[0].name).is_dir()
    index.add(MORE, MORE_VECTORS)
    assert index.generation == 3
    assert not (index.folder / first.log).exists()
    assert not (index.folder / "segments" / first.segments[0].name).exists()
    named = index.snapshot.manifest.paths() | set(index.snapshot.manifest.retired)
    there = {f"segments/{path.name}" for path in (index.folder / "segments").iterdir()}
    there |= {path.name for path in index.folder.iterdir() if path.name != "segments"}
    assert there - named == {MANIFEST, "write.lock"}


def test_info_counts(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    index.remove(["문서-1", "새것-1"])
    info = index.info()
    assert (info["documents"], info["removed"], info["generation"]) == (78, 2, 1)
    assert [segment["removed"] for segment in info["segments"]] == [1, 0, 0]
    assert all(segment["why"] and segment["type"] == "flat" for segment in info["segments"])
    assert info["bytes"] == sum(map(len, files(index.folder).values()))
    assert info["encoder"]["name"] == "runs/bi"
    json.dumps(info, allow_nan=False)


def test_overwriting_keeps_the_old_index_until_the_new_one_is_whole(index: CorpusIndex) -> None:
    reader = CorpusIndex.open(index.folder)

    def failing() -> Iterator[tuple[list[Document], npt.NDArray[np.float32]]]:
        yield MORE[:10], MORE_VECTORS[:10]
        raise KosimError("stopped")

    before = files(index.folder)
    with pytest.raises(KosimError, match="stopped"):
        CorpusIndex.create(index.folder, ENCODER, failing(), overwrite=True)
    assert files(index.folder) == before
    CorpusIndex.create(index.folder, ENCODER, [(MORE, MORE_VECTORS)], overwrite=True)
    expect_search_only(reader, DOCUMENTS, VECTORS)
    assert reader.refresh()
    expect(reader, MORE, MORE_VECTORS)


@pytest.mark.parametrize("type", ["hnsw", "ivfpq"])
def test_approximate_index_follows_changes(tmp_path: Path, type: Any) -> None:
    documents, vectors = corpus(10_100)
    index = CorpusIndex.create(
        tmp_path / "index",
        ENCODER,
        in_blocks(documents[:10_000], vectors[:10_000], 4_000),
        type=type,
    )
    assert [segment["type"] for segment in index.info()["segments"]] == [type]
    index.add(documents[10_000:], vectors[10_000:])
    index.remove([document.id for document in documents[:50]])
    queries = np.concatenate([vectors[:20], vectors[10_040:10_060]])
    for _ in ("in the log", "merged"):
        scores, places = index.search(queries, 10)
        truth = brute_force(queries, vectors[50:], 10)[0]
        assert (places >= 0).all()
        found = index.vectors(places.ravel()).reshape(40, 10, DIMENSION)
        np.testing.assert_allclose(scores, np.einsum("qd,qkd->qk", queries, found), atol=1e-6)
        assert np.mean(scores >= truth[:, -1:] - 1e-6) > 0.9
        assert not {document.id for document in documents[:50]} & set(index.ids(places.ravel()))
        assert index.verify() == []
        index.compact()
        assert len(index.info()["segments"]) == 1


def test_index_says_with_which_generation_its_corpus_began(
    index: CorpusIndex, short_log: None
) -> None:
    assert (index.made, index.generation) == (1, 1)
    index.add(MORE, MORE_VECTORS)
    index.compact()
    assert index.made == 1 < index.generation
    anew = CorpusIndex.create(index.folder, ENCODER, [(MORE, MORE_VECTORS)], overwrite=True)
    assert anew.made == anew.generation == index.generation + 1


def expect_search_only(
    index: CorpusIndex, documents: list[Document], vectors: npt.NDArray[np.float32]
) -> None:
    _, places = index.search(QUERIES, 5)
    _, rows = brute_force(QUERIES, vectors, 5)
    assert index.documents(places[0]) == [documents[row] for row in rows[0]]


def test_another_encoder_is_noticed_by_open_readers(index: CorpusIndex) -> None:
    other = EncoderIdentity("0" * 64, "runs/other", 4)
    documents, vectors = corpus(5, dimension=4)
    CorpusIndex.create(index.folder, other, [(documents, vectors)], overwrite=True)
    with pytest.raises(CorpusIndexError, match=r"runs/other \(it was runs/bi\); open it again"):
        index.refresh()
    assert CorpusIndex.open(index.folder).encoder == other


def test_a_damaged_index_can_be_overwritten(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")
    index = CorpusIndex.create(folder, ENCODER, [(MORE, MORE_VECTORS)], overwrite=True)
    expect(index, MORE, MORE_VECTORS)


def test_what_is_no_index_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StorageError, match="exists and is no index"):
        CorpusIndex.create(tmp_path, ENCODER, [(MORE, MORE_VECTORS)], overwrite=True)
    with pytest.raises(StorageError, match="exists already"):
        CorpusIndex.create(tmp_path, ENCODER, [(MORE, MORE_VECTORS)])
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    blocks = [(MORE, MORE_VECTORS), (MORE[3:4], MORE_VECTORS[3:4])]
    for rows in (None, 5):
        with pytest.raises(DataError, match="'새것-3' stands twice"):
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
    "twice": ([MORE[0], MORE[0]], VECTORS[:2], "id '새것-0' stands twice in what is added"),
    "empty id": ([Document("", "문장")], VECTORS[:1], "document 0 has an empty id"),
    "no text": ([Document("a", None)], VECTORS[:1], "document 0: text is None"),  # type: ignore[arg-type]
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


@pytest.mark.parametrize("place", [-1, 60])
def test_a_place_that_is_not_there_is_refused(index: CorpusIndex, place: int) -> None:
    with pytest.raises(ConfigError, match=f"place {place} is no document"):
        index.texts([0, place])


def edit(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        change(content)
        (folder / MANIFEST).write_text(json.dumps(content), encoding="utf-8")

    return apply


def set_at(*path: Any, value: Any) -> Callable[[Path], None]:
    def change(content: dict[str, Any]) -> None:
        inner: Any = content
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return edit(change)


def in_segment(name: str, cut: int) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = next((folder / "segments").glob(f"*/{name}"))
        path.write_bytes(path.read_bytes()[:cut])

    return apply


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "newer format": (set_at("format", value=2), "newer format than 1; upgrade kosim"),
    "no json": (lambda f: (f / MANIFEST).write_text("{") and None, "not readable as JSON"),
    "no utf-8": (lambda f: (f / MANIFEST).write_bytes(b"\xff") and None, "not readable as JSON"),
    "deep json": (lambda f: (f / MANIFEST).write_text("[" * 99_999) and None, "not readable"),
    "no object": (lambda f: (f / MANIFEST).write_text("[]") and None, "not a valid manifest"),
    "no manifest": (lambda f: (f / MANIFEST).unlink(), "is not an index: it has no manifest"),
    "a path": (set_at("segments", 0, "name", value="../../etc"), r"segments\.0\.name"),
    "a log path": (set_at("log", value="../log-000001-00000000"), "manifest: log"),
    "unknown key": (set_at("surprise", value=1), "surprise"),
    "unknown type": (set_at("segments", 0, "type", value="lsh"), r"segments\.0\.type"),
    "other files": (set_at("segments", 0, "files", value={}), "lists other files for segment"),
    "rows": (set_at("segments", 0, "rows", value=26), "damaged|where|rows"),
    "dimension": (set_at("encoder", "dimension", value=4), "damaged|dimension"),
    "no log": (lambda f: next(f.glob("log-*")).unlink(), "log-.* is missing"),
    "cut log": (lambda f: next(f.glob("log-*")).write_bytes(b"KO") and None, "no log of an index"),
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
    with pytest.raises(CorpusIndexError, match="is not there; give the folder of an index"):
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


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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


def test_a_reader_sees_what_another_commits(index: CorpusIndex) -> None:
    reader = CorpusIndex.open(index.folder)
    assert not reader.refresh()
    index.add(MORE, MORE_VECTORS)
    expect_search_only(reader, DOCUMENTS, VECTORS)
    assert len(reader) == 60
    assert reader.refresh()
    assert not reader.refresh()
    expect(reader, DOCUMENTS + MORE, np.concatenate([VECTORS, MORE_VECTORS]))


def test_a_reader_keeps_its_state_across_compacts(index: CorpusIndex) -> None:
    index.add(MORE, MORE_VECTORS)
    both = np.concatenate([VECTORS, MORE_VECTORS])
    reader = CorpusIndex.open(index.folder)
    for number in range(3):
        index.remove([f"문서-{number}"])
        index.compact()
        expect_search_only(reader, DOCUMENTS + MORE, both)
    assert reader.refresh()
    expect(reader, DOCUMENTS[3:] + MORE, both[3:])


def test_a_reader_of_a_record_that_was_taken_back(
    index: CorpusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = CorpusIndex.open(index.folder)

    def full_after_a_look(_: int) -> None:
        reader.refresh()
        full_disk()

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_after_a_look)
        with pytest.raises(StorageError):
            index.add(MORE[:2], MORE_VECTORS[:2])
    assert len(reader) == 62
    # As long as the record that was taken back: only the time of the log, which a file system
    # counts in ticks of some milliseconds, says that it is another one.
    time.sleep(0.02)
    index.add(MORE[2:4], MORE_VECTORS[2:4])
    assert reader.refresh()
    expect(reader, DOCUMENTS + MORE[2:4], np.concatenate([VECTORS, MORE_VECTORS[2:4]]))


def test_a_writer_sees_what_another_committed(index: CorpusIndex) -> None:
    other = CorpusIndex.open(index.folder)
    index.add(MORE[:10], MORE_VECTORS[:10])
    other.compact()
    index.add(MORE[10:], MORE_VECTORS[10:])
    other.remove(["문서-0"])
    index.refresh()
    both = np.concatenate([VECTORS, MORE_VECTORS])
    expect(index, DOCUMENTS[1:] + MORE, both[1:])


@pytest.mark.parametrize("operation", ["add", "remove", "compact", "create"])
def test_a_second_writer_is_told(index: CorpusIndex, operation: str) -> None:
    with write_lock(index.folder, 1.0), pytest.raises(IndexLockedError, match=r"after 0\.1 s"):
        if operation == "add":
            index.add(MORE, MORE_VECTORS, timeout=0.1)
        elif operation == "remove":
            index.remove(["문서-1"], timeout=0.1)
        elif operation == "compact":
            index.compact(timeout=0.1)
        else:
            blocks = [(MORE, MORE_VECTORS)]
            CorpusIndex.create(index.folder, ENCODER, blocks, overwrite=True, timeout=0.1)
    index.add(MORE, MORE_VECTORS, timeout=0.1)


def test_writers_in_threads_take_turns(index: CorpusIndex) -> None:
    def add(number: int) -> None:
        CorpusIndex.open(index.folder).add(
            some_documents([f"실-{number}"]), unit_vectors(1, seed=number)
        )

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index.refresh()
    assert len(index) == 68
    assert (index.locate([f"실-{number}" for number in range(8)]) >= 0).all()
    assert index.verify() == []


def test_a_snapshot_is_consistent_while_others_refresh(index: CorpusIndex) -> None:
    """One object: a thread refreshes it while others search; ids must belong to the vectors."""
    true = {document.id: vector for document, vector in zip(DOCUMENTS, VECTORS, strict=True)}
    true |= {document.id: vector for document, vector in zip(MORE, MORE_VECTORS, strict=True)}
    wrong: list[object] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            snapshot = index.snapshot
            scores, places = snapshot.search(QUERIES, 5)
            ids = snapshot.ids(places.ravel())
            expected = [QUERIES[number // 5] @ true[name] for number, name in enumerate(ids)]
            if not np.allclose(scores.ravel(), expected, atol=1e-5):
                wrong.append(ids)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            index.add(MORE, MORE_VECTORS)
            index.remove([document.id for document in MORE])
            index.compact()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_readers_open_while_a_writer_commits(index: CorpusIndex) -> None:
    """Opening takes no lock: it meets files that are gone and reads the newer manifest."""
    done = threading.Event()
    sizes: set[int] = set()
    failures: list[KosimError] = []

    def read() -> None:
        while not done.is_set():
            try:
                sizes.add(len(CorpusIndex.open(index.folder)))
            except KosimError as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(15):
            index.remove(["문서-1"])
            index.compact()
            index.add(DOCUMENTS[1:2], VECTORS[1:2])
            index.compact()
    finally:
        done.set()
        reader.join()
    assert failures == []
    assert sizes == {59, 60}
