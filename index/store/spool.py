"""The unfinished part of a build: encoded blocks on disk, each there whole or not at all.

A spool holds documents and vectors, nothing of FAISS: what kind of index they will make is
decided at the end.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from filelock import FileLock, Timeout

from kosim.encoders.durable_file import write_array
from kosim.encoders.errors import DataError, IndexLockedError, StorageError
from kosim.encoders.storage import atomic_file, write_json
from kosim.index.store.block import Block, Columns

_SETTINGS = "build.json"
_LOCK = "lock"
_FORMAT = 2


@dataclass(frozen=True)
class SpoolSettings:
    """What all blocks of a spool have in common.

    ``fingerprint`` and ``precision`` are those of the encoder, ``encoder`` is its name for
    messages; every block but the last has ``block_size`` documents.
    """

    fingerprint: str
    precision: str
    encoder: str
    dimension: int
    block_size: int


class Spool:
    """The blocks of one build, numbered from 0 without gaps; use `opened`."""

    def __init__(self, folder: Path, settings: SpoolSettings) -> None:
        self.folder = folder
        self.settings = settings
        self.finished = 0
        while self._path(self.finished, "json").is_file():
            self.finished += 1

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, settings: SpoolSettings) -> Iterator[Self]:
        """Open a spool, or begin one; nobody else may have it open meanwhile.

        Raises:
            IndexLockedError: another process is filling it.
            StorageError: the folder is something else, was begun with other settings, or cannot
                be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / _LOCK)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise IndexLockedError(
                f"{folder} is being filled by another process; wait for it, or end it"
            ) from error
        except OSError as error:
            raise StorageError(f"cannot write {folder}: {error.strerror}") from error
        try:
            _agree(folder, settings)
            yield cls(folder, settings)
        finally:
            # The lock goes with its descriptor, whatever closing that says.
            with suppress(OSError):
                lock.release()

    def holds(self, number: int, columns: Columns) -> bool:
        """Tell whether a block is finished.

        Raises:
            DataError: it is, but with other documents: the corpus was changed.
        """
        if not self._path(number, "json").is_file():
            return False
        stored = json.loads(self._path(number, "json").read_text(encoding="utf-8"))
        if stored["sha256"] != hashlib.sha256(_lines(columns)).hexdigest():
            first = number * self.settings.block_size + 1
            raise DataError(
                f"the corpus was changed since {self.folder} was begun: documents {first:,} to "
                f"{first + max(stored['documents'], len(columns)) - 1:,} differ, the first of "
                f"them now id {columns.ids[0]!r}; restore the corpus, or remove that folder to "
                "begin anew"
            )
        return True

    def write(self, number: int, block: Block) -> None:
        """Add a block; a crash meanwhile leaves the spool without it.

        ``finished`` counts those without a gap before them.

        Raises:
            StorageError: it cannot be written.
        """
        lines = _lines(block)
        with atomic_file(self._path(number, "npy")) as partial:
            write_array(partial, block.vectors)
        with atomic_file(self._path(number, "jsonl")) as partial:
            partial.write_bytes(lines)
        # Last: a block without this file does not count.
        stored = {"documents": len(block), "sha256": hashlib.sha256(lines).hexdigest()}
        write_json(self._path(number, "json"), stored)
        self.finished += number == self.finished

    def columns(self, number: int) -> Columns:
        """Return the documents of a finished block."""
        with self._path(number, "jsonl").open("rb") as file:
            lines = [json.loads(line) for line in file]
        ids, texts, extras = (list(column) for column in zip(*lines, strict=True))
        return Columns(ids, texts, extras)

    def id(self, row: int) -> str:
        """Return the id of one document of the corpus."""
        number, row_of_block = divmod(row, self.settings.block_size)
        return self.columns(number).ids[row_of_block]

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in order.

        Raises:
            StorageError: a block is damaged.
        """
        for number in range(self.finished):
            try:
                columns = self.columns(number)
                vectors = np.load(self._path(number, "npy"), allow_pickle=False)
            except (OSError, ValueError, TypeError) as error:
                raise StorageError(
                    f"block {number} of {self.folder} is damaged ({error}); remove that folder "
                    "and build again"
                ) from error
            yield Block.of(columns, vectors, self.settings.dimension)

    def discard(self) -> None:
        """Delete all blocks."""
        for path in sorted(self.folder.glob("block-*")):
            path.unlink()
        self.finished = 0

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"block-{number:06d}.{suffix}"


def _agree(folder: Path, settings: SpoolSettings) -> None:
    """Check the settings with which the spool was begun, or begin it with these."""
    path = folder / _SETTINGS
    wanted = {"format": _FORMAT, **asdict(settings)}
    if not path.exists():
        if any(entry.name != _LOCK and entry.name[0] != "." for entry in folder.iterdir()):
            raise StorageError(
                f"{folder} is in the way and is no unfinished build; move it, or choose another "
                "folder for the index"
            )
        write_json(path, wanted)
        return
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is damaged ({error}); remove the folder {folder}") from error
    if not isinstance(begun, dict) or begun.get("format") != _FORMAT:
        raise StorageError(
            f"{folder} is an unfinished build of another version of kosim; remove that folder to "
            "begin anew"
        )
    # The name alone may change: a moved encoder makes the same vectors.
    if {**begun, "encoder": None} != {**wanted, "encoder": None}:
        raise StorageError(
            f"{folder} is an unfinished build with the encoder {_described(begun)}, not "
            f"{_described(wanted)}; go on with the former, or remove that folder to begin anew"
        )


def _described(settings: dict[str, object]) -> str:
    return (
        f"{settings.get('encoder')} ({str(settings.get('fingerprint'))[:12]}, "
        f"{settings.get('precision')}, blocks of {settings.get('block_size')})"
    )


def _lines(columns: Columns) -> bytes:
    rows = zip(columns.ids, columns.texts, columns.extras, strict=True)
    return "".join(json.dumps(row) + "\n" for row in rows).encode("ascii")
