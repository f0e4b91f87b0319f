"""Files that are whole on the disk when they are closed, or raise."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.durable_file import DurableFile, read_array, write_array


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let every write beyond ``size`` bytes of a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(600, dtype=np.int64),
        np.zeros((0, 4), dtype=np.float32),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    ],
    ids=["long", "empty", "by columns"],
)
def test_an_array_is_read_as_it_was_written(tmp_path: Path, array: np.ndarray) -> None:
    write_array(tmp_path / "a.npy", array)
    found = np.load(tmp_path / "a.npy", allow_pickle=False)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


@pytest.mark.parametrize("size", [0, 100, 128, 129, 4096, 128 + 4096, 4927])
def test_an_array_that_does_not_fit_is_an_error(tmp_path: Path, size: int) -> None:
    """4,928 bytes: numpy's own save loses the error of what is behind the first 4,096."""
    with largest_file(size), pytest.raises(OSError, match="File too large"):
        write_array(tmp_path / "a.npy", np.arange(600, dtype=np.int64))


def test_what_was_cut_by_another_is_an_error(tmp_path: Path) -> None:
    file = DurableFile(tmp_path / "a")
    file.write(b"abcdef")
    os.truncate(tmp_path / "a", 4)
    with pytest.raises(OSError, match="4 of 6 bytes were stored"):
        file.close()
    assert file.closed


def test_a_failing_flush_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"), DurableFile(tmp_path / "a") as file:
        file.write(b"abc")


def test_nothing_is_flushed_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), DurableFile(tmp_path / "a") as file:
        file.write(b"abc")
        raise KeyError
    with pytest.raises(ValueError, match="is closed"):
        file.write(b"d")


@pytest.mark.parametrize(
    "header", [b"{'descr'\x07", b"{'descr': ((", b"[" * 100, b"{'descr': object}", b"\xff" * 9]
)
def test_a_damaged_header_of_an_array_is_a_value_error(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.npy"
    write_array(path, np.arange(10))
    np.testing.assert_array_equal(read_array(path), np.arange(10))
    content = path.read_bytes()
    path.write_bytes(content[:10] + header + content[10 + len(header) :])
    for mapped in (True, False):
        with pytest.raises(ValueError):
            read_array(path, mapped=mapped)
