"""One process at a time writes to a folder, and who else wants to is told which one does."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from kosim.encoders.errors import StorageError
from kosim.encoders.storage import write_json

_LOCK, _HOLDER = ".lock", "writer.json"
HELD = (_LOCK, _HOLDER)
"""Files in a held folder that are not content of it."""


@contextmanager
def sole_writer(folder: Path, advice: str = "choose another folder") -> Iterator[None]:
    """Hold a folder against other processes until the block ends or this process dies.

    Args:
        folder: made where it is not there.
        advice: what to do where it cannot be written, for the message.

    Raises:
        StorageError: another process holds it, which is named, or the folder cannot be written.
    """
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": now}
        write_json(folder / _HOLDER, holder)
    except Timeout as error:
        raise StorageError(
            f"{folder} is in use by {_holder(folder)}; wait until it has ended, or {advice}"
        ) from error
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}; {advice}") from error
    try:
        yield
    finally:
        (folder / _HOLDER).unlink(missing_ok=True)
        lock.release()


def _holder(folder: Path) -> str:
    try:
        writer = json.loads((folder / _HOLDER).read_text(encoding="utf-8"))
        return f"process {writer['process']} on {writer['host']} since {writer['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
