"""The store among several: one writer at a time, and readers that see whole states."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import CorpusIndexError, IndexLockedError, KosimError, StorageError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.store.write_lock import write_lock
from tests.index.stored import (
    DOCUMENTS,
    MORE,
    MORE_VECTORS,
    QUERIES,
    VECTORS,
    expect,
    expect_search_only,
    full_disk,
)
from tests.index.vectors import ENCODER, corpus, some_documents, unit_vectors


def test_another_encoder_is_noticed_by_open_readers(index: CorpusIndex) -> None:
    other = EncoderIdentity("0" * 64, "runs/other", 4)
    documents, vectors = corpus(5, dimension=4)
    CorpusIndex.create(index.folder, other, [(documents, vectors)], overwrite=True)
    with pytest.raises(
        CorpusIndexError, match=r"of runs/other \(it was \d+ of runs/bi\); open it again"
    ):
        index.refresh()
    assert CorpusIndex.open(index.folder).encoder == other


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
