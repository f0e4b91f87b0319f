"""The log: what was appended is read, a torn tail is not, and damage is refused."""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.errors import CorpusIndexError, StorageError
from kosim.index.store.block import Block
from kosim.index.store.log import (
    START,
    BrokenChainError,
    Change,
    LogPosition,
    append,
    create_log,
    encode_change,
    read_changes,
)
from tests.index.vectors import DIMENSION, corpus


def change(count: int, *, removed: tuple[str, ...] = (), seed: int = 0) -> Change:
    documents, vectors = corpus(count, prefix=f"로그{seed}", seed=seed)
    return Change(list(removed), Block.of_documents(documents, vectors, DIMENSION))


def read(path: Path, position: LogPosition = START) -> list[tuple[Change, LogPosition]]:
    return list(read_changes(path, position, DIMENSION))


CHANGES = [change(3), change(0, removed=("로그0-1",)), change(2, removed=("로그0-0",), seed=2)]


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A log without records."""
    path = tmp_path / "log"
    create_log(path)
    return path


@pytest.fixture
def log(empty: Path) -> Path:
    """A log of three records."""
    position = START
    for one in CHANGES:
        append(empty, position, encode_change(one))
        position = read(empty)[-1][1]
    return empty


def ends(path: Path) -> list[int]:
    return [position.offset for _, position in read(path)]


def test_records_come_back_as_they_were(log: Path) -> None:
    found = [one for one, _ in read(log)]
    assert [one.removed for one in found] == [one.removed for one in CHANGES]
    for one, expected in zip(found, CHANGES, strict=True):
        assert one.added.ids == expected.added.ids
        assert one.added.texts == expected.added.texts
        assert one.added.extras == expected.added.extras
        np.testing.assert_array_equal(one.added.vectors, expected.added.vectors)


def test_reading_goes_on_where_it_stopped(log: Path) -> None:
    first = read(log)[0][1]
    assert [one.removed for one, _ in read(log, first)] == [["로그0-1"], ["로그0-0"]]


def test_every_torn_tail_is_ignored(log: Path) -> None:
    whole, (_, second, third) = log.read_bytes(), ends(log)
    for length in [*range(second, second + 40), *range(second + 40, third, 5), third - 1]:
        log.write_bytes(whole[:length])
        assert len(read(log)) == 2, length


def test_the_next_record_cuts_a_torn_tail_off(log: Path) -> None:
    whole, second = log.read_bytes(), read(log)[1][1]
    log.write_bytes(whole[:-5])
    append(log, second, encode_change(change(1, seed=5)))
    assert [one.added.ids for one, _ in read(log)] == [CHANGES[0].added.ids, [], ["로그5-0"]]


def test_any_changed_byte_is_damage(log: Path) -> None:
    whole = log.read_bytes()
    # Every byte of the first heads, and every third of the rest.
    for place in [*range(60), *range(60, len(whole), 3)]:
        log.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        with pytest.raises(CorpusIndexError, match="log is damaged"):
            read(log)


def test_damage_names_the_file_and_the_byte(log: Path) -> None:
    first = ends(log)[0]
    content = bytearray(log.read_bytes())
    content[first + 30] ^= 1
    log.write_bytes(content)
    with pytest.raises(CorpusIndexError, match=rf"{log} is damaged at byte {first}: the content"):
        read(log)


def test_a_log_that_does_not_go_on_is_noticed(log: Path) -> None:
    first, second = read(log)[0][1], read(log)[1][1]
    append(log, first, encode_change(change(20, seed=7)))
    with pytest.raises(BrokenChainError):
        read(log, second)
    assert len(read(log, first)) == 1
    with pytest.raises(BrokenChainError):
        read(log, replace(second, previous=second.previous ^ 1))
    with pytest.raises(BrokenChainError):
        read(log, LogPosition(log.stat().st_size + 1, 0))


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_full_disk_leaves_the_log_as_it_was(
    log: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, position = log.read_bytes(), read(log)[-1][1]
    genuine, calls = getattr(os, call), []

    def full(descriptor: int, *rest: object) -> int:
        calls.append(call)
        if call == "write" and len(calls) == 1:
            return int(genuine(descriptor, memoryview(rest[0])[:10]))  # type: ignore[call-overload]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageError, match=r"cannot write .*log: No space left"):
        append(log, position, encode_change(change(50)))
    assert log.read_bytes() == whole


def test_a_record_with_sound_sums_but_wrong_content_is_refused(empty: Path) -> None:
    text = b'[[],["a"],["b"],[]]'
    append(empty, START, struct.pack("<I", len(text)) + text)
    with pytest.raises(CorpusIndexError, match="differ in number"):
        read(empty)


def test_vectors_of_another_dimension_are_refused(empty: Path) -> None:
    documents, vectors = corpus(2, dimension=3)
    append(empty, START, encode_change(Change([], Block.of_documents(documents, vectors, 3))))
    with pytest.raises(CorpusIndexError, match="cannot be read"):
        read(empty)


def test_another_file_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"something else entirely")
    with pytest.raises(CorpusIndexError, match="not the log of an index"):
        read(path)
