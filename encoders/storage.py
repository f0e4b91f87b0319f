"""The only writer of artifacts: what becomes visible is whole, or is not there.

A file is written under a temporary name in its own folder, flushed to the disk and
renamed. A folder is filled under a temporary name beside its place, flushed and renamed.
A crash leaves at worst a hidden temporary entry, which the next write of the same name
removes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from kosim.encoders.errors import StorageError

_BLOCK = 1 << 20


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _as_storage_error(target: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors hides a full disk in its own type
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(
            f"cannot write {target}: {reason}; nothing was changed at that place"
        ) from error


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; on success it becomes ``target``.

    Raises:
        StorageError: the disk is full, or the place cannot be written.
    """
    with _as_storage_error(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _temporary(target)
        _remove(partial)
        try:
            yield partial
            _sync(partial)
            partial.replace(target)
            _sync(target.parent)
        finally:
            _remove(partial)


@contextmanager
def atomic_folder(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty temporary folder to fill; on success it becomes ``target``.

    Raises:
        StorageError: ``target`` exists and ``overwrite`` is false, the disk is full, or the
            place cannot be written.
    """
    with _as_storage_error(target):
        if target.exists() and not overwrite:
            raise StorageError(f"{target} exists already; choose another place or overwrite it")
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _temporary(target)
        _remove(partial)
        partial.mkdir()
        try:
            yield partial
            for path in sorted(partial.rglob("*"), reverse=True):
                _sync(path)
            _sync(partial)
            _replace_folder(target, partial)
        finally:
            _remove(partial)


def _replace_folder(target: Path, partial: Path) -> None:
    """Move ``partial`` to ``target``; what was there is put back when that fails."""
    retired = target.with_name(f".{target.name}.retired")
    _remove(retired)
    if target.exists():
        target.rename(retired)
    try:
        partial.rename(target)
    except OSError:
        if retired.exists():
            retired.rename(target)
        raise
    _sync(target.parent)
    _remove(retired)


def write_text(target: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_file(target) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, atomically; NaN and infinity are refused.

    Raises:
        ValueError: a number in ``value`` is not finite.
    """
    write_text(target, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
