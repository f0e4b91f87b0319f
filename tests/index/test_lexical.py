import json
import multiprocessing
import os
import threading
from importlib import metadata

import numpy as np
import pytest

from kosim.encoders.errors import ConfigError, CorpusIndexError, DataError, MissingExtraError
from kosim.index.lexical import lexical_index
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.lexical.postings import MANIFEST
from tests.index.lexical_stand_ins import Parts, Words

SEGMENTS = {"1-a": ["산 강", "강 물", "", "밥"], "2-b": ["산 산 물", "책"]}
QUERIES = ["산", "강 물", "밥 책", "없다", ""]


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path, SEGMENTS, delta=["산 책", "강"])


def expect_same(one, other):
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])


def fresh(parts, tmp_path_factory):
    """Return the result of an index of the same texts that never knew anything else."""
    copy = Parts(tmp_path_factory.mktemp("fresh"), parts.segments, parts.delta)
    copy.removed = parts.removed
    return LexicalIndex(copy.folder, analyzer=Words()).search(copy, QUERIES, 5)


def test_hits_come_from_all_parts_with_their_places(parts):
    scores, rows = LexicalIndex(parts.folder, analyzer=Words()).search(
        parts, ["산", "밥", "없다"], 4
    )
    assert rows.tolist() == [[4, 0, 6, -1], [3, -1, -1, -1], [-1] * 4]
    assert scores.dtype == np.float32
    assert rows.dtype == np.int64
    assert np.array_equal(scores == -np.inf, rows == -1)


def test_postings_are_stored_for_each_segment(parts, tmp_path):
    words = Words()
    LexicalIndex(parts.folder, analyzer=words).prepare(parts)
    assert words.seen == 8
    names = {path.parent.name for path in (tmp_path / "lexical").glob(f"*/{MANIFEST}")}
    assert names == {"1-a", "2-b"}


def test_reopening_uses_what_is_stored(parts):
    first = LexicalIndex(parts.folder, analyzer=Words()).search(parts, QUERIES, 5)
    words = Words()
    index = LexicalIndex(parts.folder, analyzer=words)
    index.prepare(parts)
    assert words.seen == len(parts.delta)
    expect_same(index.search(parts, QUERIES, 5), first)


def test_another_version_of_the_analyser_builds_again(parts):
    LexicalIndex(parts.folder, analyzer=Words()).prepare(parts)
    words = Words("words-2")
    LexicalIndex(parts.folder, analyzer=words).prepare(parts)
    assert words.seen == 8


@pytest.mark.parametrize("name", ["rows.npy", "terms.npy", MANIFEST])
@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_damaged_postings_are_built_again(parts, tmp_path, name, damage):
    sound = LexicalIndex(parts.folder, analyzer=Words()).search(parts, QUERIES, 5)
    path = tmp_path / "lexical" / "1-a" / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-3])
    words = Words()
    expect_same(LexicalIndex(parts.folder, analyzer=words).search(parts, QUERIES, 5), sound)
    assert words.seen == 4 + len(parts.delta) + len(QUERIES)
    assert LexicalIndex(parts.folder, analyzer=Words()).verify(parts) == []


def test_verify_finds_an_edit_of_the_same_size(parts, tmp_path):
    index = LexicalIndex(parts.folder, analyzer=Words())
    index.prepare(parts)
    path = tmp_path / "lexical" / "2-b" / "rows.npy"
    content = bytearray(path.read_bytes())
    content[-4] ^= 1
    path.write_bytes(content)
    assert index.verify(parts) == [f"{path} does not have the checksum of its manifest"]


def test_rows_that_are_not_there_are_an_error_of_the_index(parts, tmp_path):
    LexicalIndex(parts.folder, analyzer=Words()).prepare(parts)
    path = tmp_path / "lexical" / "2-b" / "rows.npy"
    np.save(path, np.load(path) + 10**6)
    with pytest.raises(CorpusIndexError, match="delete that folder"):
        LexicalIndex(parts.folder, analyzer=Words()).search(parts, ["산"], 5)


def test_additions_are_analysed_once(parts):
    words = Words()
    index = LexicalIndex(parts.folder, analyzer=words)
    index.prepare(parts)
    for number in range(20):
        parts.delta.append(f"산 새{number}")
        index.prepare(parts)
    assert words.seen == 8 + 20


def test_growing_equals_building_from_scratch(parts, tmp_path_factory):
    random = np.random.default_rng(0)
    index = LexicalIndex(parts.folder, analyzer=Words())
    for _ in range(12):
        for _ in range(int(random.integers(0, 5))):
            parts.delta.append(" ".join(random.choice(list("산강물밥책"), size=4)))
        expect_same(index.search(parts, QUERIES, 5), fresh(parts, tmp_path_factory))


def test_a_new_sentence_changes_the_statistics_of_the_old(parts):
    index = LexicalIndex(parts.folder, analyzer=Words())
    before, _ = index.search(parts, ["밥"], 1)
    parts.delta.append("밥 밥")
    after, _ = index.search(parts, ["밥"], 2)
    assert after[0, 1] < before[0, 0]


def test_a_delta_that_was_replaced_is_analysed_anew(parts, tmp_path_factory):
    index = LexicalIndex(parts.folder, analyzer=Words())
    index.prepare(parts)
    parts.delta[:] = ["물 물", "밥", "산"]
    expect_same(index.search(parts, QUERIES, 5), fresh(parts, tmp_path_factory))


def test_removed_documents_are_not_found(parts):
    index = LexicalIndex(parts.folder, analyzer=Words())
    index.prepare(parts)
    parts.removed = {4, 6}
    _, rows = index.search(parts, ["산"], 4)
    assert rows.tolist() == [[0, -1, -1, -1]]


def test_compacting_leaves_only_the_new_postings(parts, tmp_path, tmp_path_factory):
    index = LexicalIndex(parts.folder, analyzer=Words())
    index.prepare(parts)
    parts.removed = {1}
    parts.compact("3-c")
    expect_same(index.search(parts, QUERIES, 5), fresh(parts, tmp_path_factory))
    assert [path.name for path in (tmp_path / "lexical").glob("*-*")] == ["3-c"]


def test_an_older_reader_leaves_newer_postings_alone(parts, tmp_path):
    older = Parts(tmp_path, parts.segments, parts.delta)
    parts.compact("3-c")
    LexicalIndex(parts.folder, analyzer=Words()).prepare(parts)
    LexicalIndex(older.folder, analyzer=Words()).prepare(older)
    assert (tmp_path / "lexical" / "3-c" / MANIFEST).exists()


def test_postings_that_vanish_while_open_are_still_read(parts, tmp_path):
    index = LexicalIndex(parts.folder, analyzer=Words())
    before = index.search(parts, QUERIES, 5)
    for path in (tmp_path / "lexical" / "1-a").iterdir():
        path.unlink()
    expect_same(index.search(parts, QUERIES, 5), before)


def test_leavings_of_a_killed_build_are_removed(parts, tmp_path):
    leaving = tmp_path / "lexical" / ".0-x.partial"
    leaving.mkdir(parents=True)
    LexicalIndex(parts.folder, analyzer=Words()).prepare(parts)
    assert not leaving.exists()


def test_a_folder_that_is_not_ours_stays(parts, tmp_path):
    other = tmp_path / "lexical" / "notes"
    other.mkdir(parents=True)
    LexicalIndex(parts.folder, analyzer=Words()).prepare(parts)
    assert other.exists()


def test_where_nothing_can_be_stored_memory_serves(parts, tmp_path):
    (tmp_path / "lexical").write_text("in the way")
    words = Words()
    index = LexicalIndex(parts.folder, analyzer=words)
    _, rows = index.search(parts, ["산"], 3)
    index.search(parts, ["산"], 3)
    assert rows.tolist() == [[4, 0, 6]]
    assert words.seen == 8 + 2
    assert "cannot write" in index.not_stored


def test_a_link_out_of_the_index_is_not_followed(parts, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (tmp_path / "lexical").symlink_to(elsewhere)
    index = LexicalIndex(parts.folder, analyzer=Words())
    index.prepare(parts)
    assert list(elsewhere.iterdir()) == []
    assert "link" in index.not_stored


def test_progress_counts_the_sentences_analysed(parts, monkeypatch):
    monkeypatch.setattr(lexical_index, "_BATCH", 3)
    seen = []
    LexicalIndex(parts.folder, analyzer=Words()).prepare(parts, progress=seen.append)
    assert seen == [3, 4, 6, 8]


def test_a_segment_with_fewer_texts_than_rows_is_an_error(parts, monkeypatch):
    short = [part.__class__(**{**vars(part), "rows": part.rows + 1}) for part in parts.parts()]
    monkeypatch.setattr(parts, "parts", lambda: short)
    with pytest.raises(CorpusIndexError, match="segment 1-a has 4 texts where it should have 5"):
        LexicalIndex(parts.folder, analyzer=Words()).prepare(parts)


@pytest.mark.parametrize("segments", [{}, {"1-a": ["", " "]}])
def test_an_index_without_terms_finds_nothing(tmp_path, segments):
    parts = Parts(tmp_path, segments)
    scores, rows = LexicalIndex(tmp_path, analyzer=Words()).search(parts, ["산"], 2)
    assert scores.tolist() == [[-np.inf, -np.inf]]
    assert rows.tolist() == [[-1, -1]]


def test_no_queries_give_no_rows(parts):
    scores, rows = LexicalIndex(parts.folder, analyzer=Words()).search(parts, [], 3)
    assert scores.shape == rows.shape == (0, 3)


@pytest.mark.parametrize("k", [0, -1, True, 2.5])
def test_a_wrong_k_is_refused(parts, k):
    with pytest.raises(ConfigError, match=f"k is {k}"):
        LexicalIndex(parts.folder, analyzer=Words()).search(parts, ["산"], k)


@pytest.mark.parametrize("queries", ["산", [None], ["산", 3]])
def test_queries_that_are_no_list_of_texts_are_refused(parts, queries):
    with pytest.raises(DataError):
        LexicalIndex(parts.folder, analyzer=Words()).search(parts, queries, 1)


def test_without_the_extra_the_command_to_install_it_is_named(parts, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("kosim.encoders.tokenizers.kiwi.version", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "kosim\[lexical\]"'):
        LexicalIndex(parts.folder)


def test_threads_search_while_documents_are_added(parts):
    index, problems = LexicalIndex(parts.folder, analyzer=Words()), []

    def search():
        for _ in range(50):
            _scores, rows = index.search(parts, ["산"], 500)
            found = rows[rows >= 0]
            if len(set(found.tolist())) != len(found) or len(found) < 3:
                problems.append(rows)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(100):
        parts.delta.append(f"산 {number}")
    for thread in threads:
        thread.join()
    assert problems == []


def _prepare(folder, results):
    parts = Parts(folder, {"1-a": [f"산 {i}" for i in range(3000)]})
    index = LexicalIndex(folder, analyzer=Words())
    index.prepare(parts)
    results.put((index.not_stored, index.verify(parts), os.getpid()))


def test_processes_that_build_at_once_agree(tmp_path):
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    processes = [context.Process(target=_prepare, args=(tmp_path, results)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = [results.get() for _ in processes]
    assert [row[:2] for row in found] == [(None, [])] * 4
    manifest = json.loads((tmp_path / "lexical" / "1-a" / MANIFEST).read_text())
    assert manifest["rows"] == 3000
