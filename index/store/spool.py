"""The unfinished part of a build: encoded blocks on disk, each there whole or not at all.

A spool holds documents and vectors, nothing of FAISS: what kind of index they will make is
decided at the end. A block is two files and a record that is written last: its number, the
number of its documents, the SHA-256 of both files, and one of the record itself. A block that its
record does not fit is encoded anew; the documents of every block are compared with the corpus,
and an index is made of exactly as many blocks as the corpus has.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from kosim.encoders.durable_file import read_array, write_array
from kosim.encoders.errors import DataError, IndexLockedError, StorageError, printable
from kosim.encoders.storage import atomic_file, read_json, sha256, write_json
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

    @property
    def finished(self) -> int:
        """The number after that of the last block, whatever is missing before it."""
        names = [path.name[len("block-") : -len(".json")] for path in self._records()]
        return max((int(name) + 1 for name in names if name.isdecimal()), default=0)

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
        """Tell whether a block is finished and sound; one that is not is to be written anew.

        Raises:
            DataError: it is, but with other documents: the corpus was changed.
        """
        record = self._record(number)
        if record is None:
            return False
        if record["lines"] != hashlib.sha256(_lines(columns)).hexdigest():
            first = number * self.settings.block_size + 1
            raise DataError(
                f"the corpus was changed since {self.folder} was begun: documents {first:,} to "
                f"{first + max(record['documents'], len(columns)) - 1:,} differ, the first of "
                f"them now id {columns.ids[0]!r}; restore the corpus, or remove that folder to "
                "start again"
            )
        try:
            return all(
                sha256(self._path(number, suffix)) == record[name]
                for name, suffix in (("lines", "jsonl"), ("vectors", "npy"))
            )
        except OSError:
            return False

    def write(self, number: int, block: Block) -> None:
        """Add a block; a crash meanwhile leaves the spool without it.

        Raises:
            StorageError: it cannot be written.
        """
        lines = _lines(block)
        with atomic_file(self._path(number, "npy")) as partial:
            write_array(partial, block.vectors)
            vectors = sha256(partial)
        with atomic_file(self._path(number, "jsonl")) as partial:
            partial.write_bytes(lines)
        record = {
            "number": number,
            "documents": len(block),
            "lines": hashlib.sha256(lines).hexdigest(),
            "vectors": vectors,
        }
        # Last: a block without this file does not count.
        write_json(self._path(number, "json"), {**record, "record": _digest(record)})

    def columns(self, number: int) -> Columns:
        """Return the documents of a finished block.

        Raises:
            StorageError: it is damaged.
        """
        record = self._record(number)
        try:
            lines = self._path(number, "jsonl").read_bytes()
        except OSError as error:
            raise self._damaged(number, error.strerror or "it cannot be read") from error
        if record is None or hashlib.sha256(lines).hexdigest() != record["lines"]:
            raise self._damaged(number, "its documents are not those that were encoded")
        rows = [json.loads(line) for line in lines.splitlines()]
        ids, texts, extras = (list(column) for column in zip(*rows, strict=True))
        return Columns(ids, texts, extras)

    def id(self, row: int) -> str:
        """Return the id of one document of the corpus.

        Raises:
            StorageError: its block is damaged.
        """
        number, row_of_block = divmod(row, self.settings.block_size)
        return self.columns(number).ids[row_of_block]

    def blocks(self, count: int) -> Iterator[Block]:
        """Yield the first ``count`` blocks in order.

        Raises:
            StorageError: a block is missing or damaged.
        """
        for number in range(count):
            columns, record = self.columns(number), self._record(number)
            path = self._path(number, "npy")
            try:
                if record is None or sha256(path) != record["vectors"]:
                    raise self._damaged(number, "its vectors are not those that were encoded")
                vectors = read_array(path, mapped=False)
            except (OSError, ValueError) as error:
                raise self._damaged(number, str(error)) from error
            yield Block.of(columns, vectors, self.settings.dimension)

    def _record(self, number: int) -> dict[str, Any] | None:
        """Return what was written down of a block, None where it is not there or is damaged."""
        try:
            record = json.loads(self._path(number, "json").read_bytes())
            digest = record.pop("record")
            sound = digest == _digest(record) and record["number"] == number
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return None
        return record if sound else None

    def _records(self) -> Iterator[Path]:
        return self.folder.glob("block-*.json")

    def _damaged(self, number: int, reason: str) -> StorageError:
        return StorageError(
            f"block {number} of {self.folder} is damaged ({reason}); start the build again: it "
            "encodes that block again"
        )

    def discard(self) -> None:
        """Delete all blocks."""
        for path in sorted(self.folder.glob("block-*")):
            path.unlink()

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
                f"{folder} is in the way and is not an unfinished build; move it, or choose "
                "another folder for the index"
            )
        write_json(path, wanted)
        return
    begun = read_json(path, error=StorageError, remedy=f"remove the folder {folder}")
    if begun.get("format") != _FORMAT:
        raise StorageError(
            f"{folder} is an unfinished build of another version of kosim; remove that folder to "
            "start again"
        )
    # The name alone may change: a moved encoder makes the same vectors.
    if {**begun, "encoder": None} != {**wanted, "encoder": None}:
        raise StorageError(
            f"{folder} is an unfinished build with the encoder {_described(begun)}, not "
            f"{_described(wanted)}; continue with the former, or remove that folder to start again"
        )


def _described(settings: dict[str, object]) -> str:
    return printable(
        f"{settings.get('encoder')} ({str(settings.get('fingerprint'))[:12]}, "
        f"{settings.get('precision')}, {settings.get('dimension')} dimensions, "
        f"blocks of {settings.get('block_size')})"
    )


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _lines(columns: Columns) -> bytes:
    rows = zip(columns.ids, columns.texts, columns.extras, strict=True)
    return "".join(json.dumps(row) + "\n" for row in rows).encode("ascii")
