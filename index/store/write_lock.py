"""One writer at a time: a file lock that goes with the process that held it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from kosim.encoders.errors import ConfigError, IndexLockedError, StorageError

LOCK = "write.lock"


@contextmanager
def write_lock(folder: Path, timeout: float) -> Iterator[None]:
    """Be the one writer of the index at ``folder``.

    Raises:
        IndexLockedError: another writer was at work for all of ``timeout`` seconds.
        StorageError: the lock cannot be taken, for example without permission to write.
    """
    with _locked(folder / LOCK, folder, timeout):
        yield


@contextmanager
def build_lock(folder: Path) -> Iterator[None]:
    """Be the one who makes an index at ``folder``, where there is none yet.

    Raises:
        IndexLockedError: another process is making one there.
        StorageError: the lock cannot be taken.
    """
    path = folder.with_name(f".{folder.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}") from error
    with _locked(path, folder, 0.0):
        try:
            yield
        finally:
            # While it is held: whoever waits for it notices that its file is gone.
            with suppress(OSError):
                path.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path, folder: Path, timeout: float) -> Iterator[None]:
    if not timeout >= 0:
        raise ConfigError(f"timeout is {timeout}; give seconds, 0 or more")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except Timeout as error:
        raise IndexLockedError(
            f"{folder} is being written by another process, still after {timeout:g} s; "
            "try again later, or wait longer"
        ) from error
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        yield
    finally:
        # The lock goes with its descriptor, whatever closing that says.
        with suppress(OSError):
            lock.release()
