"""Storage: a write is whole, or it never was."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel
from safetensors import SafetensorError

from kosim.encoders import storage
from kosim.encoders.errors import ArtifactError, StorageError, UnconfirmedWriteError
from kosim.encoders.storage import (
    atomic_file,
    atomic_folder,
    check_output,
    put_back,
    read_versioned_json,
    sha256,
    write_json,
    write_text,
)


class InterruptedWriteError(Exception):
    """Stands for whatever stops a writer half way."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with old content."""
    path = tmp_path / "file.txt"
    path.write_text("old")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with old content."""
    path = tmp_path / "folder"
    path.mkdir()
    (path / "file.txt").write_text("old")
    return path


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fill_half(partial: Path) -> None:
    (partial / "half.txt").write_text("half")


def test_file_appears_whole(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "deep" / "file.txt") as partial:
        partial.write_text("new")
        assert not (tmp_path / "deep" / "file.txt").exists()
    assert (tmp_path / "deep" / "file.txt").read_text() == "new"


def test_file_replaces_old_content(file: Path) -> None:
    write_text(file, "새것")
    assert file.read_text(encoding="utf-8") == "새것"
    assert list(file.parent.iterdir()) == [file]


def test_interrupted_file_leaves_the_old_one_and_no_remains(file: Path) -> None:
    with pytest.raises(InterruptedWriteError), atomic_file(file) as partial:
        partial.write_text("half")
        raise InterruptedWriteError
    assert file.read_text() == "old"
    assert list(file.parent.iterdir()) == [file]


def test_remains_of_a_killed_write_are_replaced(file: Path) -> None:
    with pytest.raises(InterruptedWriteError), atomic_file(file) as partial:
        leftover = partial
        raise InterruptedWriteError
    leftover.write_text("left by a killed process")
    write_text(file, "new")
    assert file.read_text() == "new"
    assert list(file.parent.iterdir()) == [file]


def test_full_disk_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StorageError, match=r"cannot write .*file\.txt: No space left") as caught:
        write_text(file, "new")
    assert "\n" not in str(caught.value)
    assert file.read_text() == "old"
    assert list(file.parent.iterdir()) == [file]


def test_file_below_a_file_is_refused(file: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        write_text(file / "below.txt", "new")


def test_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "deep" / "folder") as partial:
        (partial / "below").mkdir()
        (partial / "below" / "file.txt").write_text("new")
        assert not (tmp_path / "deep" / "folder").exists()
    assert (tmp_path / "deep" / "folder" / "below" / "file.txt").read_text() == "new"


def test_existing_folder_is_refused_before_anything_is_written(folder: Path) -> None:
    with pytest.raises(StorageError, match="exists already"), atomic_folder(folder) as partial:
        fill_half(partial)
    assert (folder / "file.txt").read_text() == "old"
    assert list(folder.parent.iterdir()) == [folder]


def test_overwritten_folder_holds_only_the_new_files(folder: Path) -> None:
    with atomic_folder(folder, overwrite=True) as partial:
        (partial / "other.txt").write_text("new")
    assert [path.name for path in folder.iterdir()] == ["other.txt"]
    assert list(folder.parent.iterdir()) == [folder]


def test_interrupted_folder_leaves_the_old_one_and_no_remains(folder: Path) -> None:
    with pytest.raises(InterruptedWriteError), atomic_folder(folder, overwrite=True) as partial:
        fill_half(partial)
        raise InterruptedWriteError
    assert [path.name for path in folder.iterdir()] == ["file.txt"]
    assert list(folder.parent.iterdir()) == [folder]


def test_remains_of_a_killed_folder_are_replaced(tmp_path: Path) -> None:
    with pytest.raises(InterruptedWriteError), atomic_folder(tmp_path / "folder") as partial:
        leftover = partial
        raise InterruptedWriteError
    leftover.mkdir()
    fill_half(leftover)
    with atomic_folder(tmp_path / "folder") as partial:
        (partial / "file.txt").write_text("new")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file.txt"]


def test_full_disk_leaves_the_old_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full_disk)
    with (
        pytest.raises(StorageError, match="No space left"),
        atomic_folder(folder, overwrite=True) as partial,
    ):
        fill_half(partial)
    assert [path.name for path in folder.iterdir()] == ["file.txt"]
    assert list(folder.parent.iterdir()) == [folder]


def test_failing_last_rename_leaves_the_old_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename: Callable[[Path, Path], Path] = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name.endswith(".partial"):
            full_disk()
        return rename(path, target)

    monkeypatch.setattr(storage, "_exchanged", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(StorageError), atomic_folder(folder, overwrite=True) as partial:
        fill_half(partial)
    assert [path.name for path in folder.iterdir()] == ["file.txt"]
    assert list(folder.parent.iterdir()) == [folder]


def test_full_disk_as_safetensors_says_it_is_a_storage_error(folder: Path) -> None:
    said = "Error while serializing: I/O error: No space left on device (os error 28)"
    with (
        pytest.raises(StorageError, match="No space left") as caught,
        atomic_folder(folder, overwrite=True) as partial,
    ):
        fill_half(partial)
        raise SafetensorError(said)
    assert "\n" not in str(caught.value)
    assert [path.name for path in folder.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_refuses_what_is_not_a_number(file: Path, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(file, {"value": [number]})
    assert file.read_text() == "old"


def test_json_is_readable(file: Path) -> None:
    write_json(file, {"이름": [1, None]})
    assert file.read_text(encoding="utf-8") == '{\n  "이름": [\n    1,\n    null\n  ]\n}\n'


@pytest.mark.parametrize("size", [0, 5, (1 << 20) + 3])
def test_sha256_is_that_of_hashlib(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


class Versioned(BaseModel):
    """A file of ours, as its reader sees it."""

    format: int = 1
    name: str


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"format": 3, "name": "a"}', "newer than 2; upgrade kosim"),
        (b'{"format": "2", "name": "a"}', "format '2' is not a format number"),
        (b'{"format": 1e9, "name": "a"}', "format 1000000000.0 is not a format number"),
        (b'{"format": true, "name": "a"}', "format True is not a format number"),
        (b'{"format": 1}', "is not valid at name"),
        (b'{"format": 1, "name": NaN}', "NaN is not a JSON number"),
        (b"[1]", "holds no JSON object"),
        (b"[" * 100_000, "not readable as JSON"),
        (b"\xff", "not readable as JSON"),
        (b'"' + b"a" * (1 << 26) + b'"', "larger than 64 MiB"),
    ],
    ids=["newer", "text", "float", "bool", "field", "nan", "list", "deep", "bytes", "large"],
)
def test_versioned_json_is_refused_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=re.escape(said)) as caught:
        read_versioned_json(tmp_path / "a.json", Versioned, newest=2, error=ArtifactError)
    assert "\n" not in str(caught.value)


def test_versioned_json_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"format": 2, "name": "가"})
    read = read_versioned_json(tmp_path / "a.json", Versioned, newest=2, error=ArtifactError)
    assert read == Versioned(format=2, name="가")


def test_versioned_json_of_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(ArtifactError, match="is not a file"):
        read_versioned_json(tmp_path / "a.json", Versioned, newest=2, error=ArtifactError)


def test_output_that_is_there_is_refused_unless_it_may_be_replaced(tmp_path: Path) -> None:
    check_output(tmp_path / "new" / "er")
    check_output(tmp_path, overwrite=True)
    with pytest.raises(StorageError, match="exists already"):
        check_output(tmp_path)


def test_output_below_a_file_or_under_an_impossible_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="is not a folder"):
        check_output(tmp_path / "file" / "out")
    with pytest.raises(StorageError, match="File name too long"):
        check_output(tmp_path / ("a" * 300))


def killed_between_renames(folder: Path) -> tuple[Path, Path]:
    """Leave what an overwrite leaves that dies between its two renames."""
    partial = folder.with_name(".folder.partial")
    partial.mkdir()
    (partial / "file.txt").write_text("new")
    return partial, folder.rename(folder.with_name(".folder.retired"))


def test_an_interrupted_overwrite_is_put_back(folder: Path) -> None:
    partial, retired = killed_between_renames(folder)
    put_back(folder)
    assert (folder / "file.txt").read_text() == "old"
    assert partial.exists() and not retired.exists()
    put_back(folder)
    assert (folder / "file.txt").read_text() == "old"


def test_the_next_write_does_not_delete_the_only_copy(folder: Path) -> None:
    killed_between_renames(folder)
    with pytest.raises(StorageError, match="exists already"), atomic_folder(folder):
        pass
    assert (folder / "file.txt").read_text() == "old"
    with atomic_folder(folder, overwrite=True) as partial:
        (partial / "file.txt").write_text("newer")
    assert (folder / "file.txt").read_text() == "newer"
    assert list(folder.parent.iterdir()) == [folder]


def test_what_is_in_force_is_not_put_back_over(folder: Path) -> None:
    retired = folder.with_name(".folder.retired")
    retired.mkdir()
    put_back(folder)
    assert (folder / "file.txt").read_text() == "old"


def test_an_overwrite_never_leaves_a_moment_without_a_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a folder was renamed away")

    with atomic_folder(folder, overwrite=True) as partial:
        (partial / "file.txt").write_text("new")
        if storage._exchanged(partial, partial):
            monkeypatch.setattr(Path, "rename", refused)
    assert (folder / "file.txt").read_text() == "new"


def test_two_writers_do_not_remove_each_others_work(folder: Path) -> None:
    with atomic_folder(folder, overwrite=True) as partial:
        (partial / "file.txt").write_text("first")
        with (
            pytest.raises(StorageError, match="another process is writing"),
            atomic_folder(folder, overwrite=True),
        ):
            pass
    assert (folder / "file.txt").read_text() == "first"


@pytest.mark.parametrize("write", [write_text, lambda path, text: write_json(path, text)])
def test_a_folder_that_cannot_be_flushed_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, str], None]
) -> None:
    sync = storage._sync

    def failing(path: Path) -> None:
        if path == file.parent:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(path)

    monkeypatch.setattr(storage, "_sync", failing)
    with pytest.raises(UnconfirmedWriteError, match="was written, but"):
        write(file, "new")
    assert "new" in file.read_text()
