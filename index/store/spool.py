"""The unfinished part of a build: encoded blocks on disk, each there whole or not at all.

A spool holds documents and vectors, nothing of FAISS: what kind of index they will make is
decided at the end.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from kosim.encoders.errors import DataError, IndexLockedError, StorageError
from kosim.encoders.storage import atomic_file, write_json
from kosim.index.documents import Document

_SETTINGS = "build.json"
_LOCK = "lock"
_FORMAT = 1


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
            lock.release()

    def holds(self, number: int, documents: Sequence[Document]) -> bool:
        """Tell whether a block is finished.

        Raises:
            DataError: it is, but with other documents: the corpus was changed.
        """
        if not self._path(number, "json").is_file():
            return False
        stored = json.loads(self._path(number, "json").read_text(encoding="utf-8"))
        if stored["sha256"] != hashlib.sha256(_lines(documents)).hexdigest():
            first = number * self.settings.block_size + 1
            raise DataError(
                f"the corpus was changed since {self.folder} was begun: documents {first:,} to "
                f"{first + max(stored['documents'], len(documents)) - 1:,} differ, the first of "
                f"them now id {documents[0].id!r}; restore the corpus, or remove that folder to "
                "begin anew"
            )
        return True

    def write(
        self, number: int, documents: Sequence[Document], vectors: npt.NDArray[np.float32]
    ) -> None:
        """Add a block; a crash meanwhile leaves the spool without it.

        ``finished`` counts those without a gap before them.

        Raises:
            StorageError: it cannot be written.
            DataError: an extra value of a document is not JSON.
        """
        lines = _lines(documents)
        with atomic_file(self._path(number, "npy")) as partial, partial.open("wb") as file:
            np.save(file, vectors, allow_pickle=False)
        with atomic_file(self._path(number, "jsonl")) as partial:
            partial.write_bytes(lines)
        # Last: a block without this file does not count.
        stored = {"documents": len(documents), "sha256": hashlib.sha256(lines).hexdigest()}
        write_json(self._path(number, "json"), stored)
        self.finished += number == self.finished

    def documents(self, number: int) -> list[Document]:
        """Return the documents of a finished block."""
        with self._path(number, "jsonl").open("rb") as file:
            return [Document(*json.loads(line)) for line in file]

    def document(self, place: int) -> Document:
        """Return one document by its place in the corpus."""
        number, row = divmod(place, self.settings.block_size)
        return self.documents(number)[row]

    def blocks(self) -> Iterator[tuple[list[Document], npt.NDArray[np.float32]]]:
        """Yield documents and vectors, (n, dimension), of the blocks in order.

        Raises:
            StorageError: a block is damaged.
        """
        for number in range(self.finished):
            try:
                documents = self.documents(number)
                vectors = np.load(self._path(number, "npy"), allow_pickle=False)
            except (OSError, ValueError, TypeError) as error:
                raise StorageError(
                    f"block {number} of {self.folder} is damaged ({error}); remove that folder "
                    "and build again"
                ) from error
            yield documents, vectors

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
                "place for the index"
            )
        write_json(path, wanted)
        return
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is damaged ({error}); remove the folder {folder}") from error
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


def _lines(documents: Sequence[Document]) -> bytes:
    lines = []
    for document in documents:
        try:
            line = json.dumps([document.id, document.text, dict(document.extra)], allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(
                f"extra values of id {document.id!r} cannot be stored as JSON: {error}; "
                "give strings, finite numbers, booleans, lists and objects"
            ) from error
        lines.append(line + "\n")
    return "".join(lines).encode("ascii")
