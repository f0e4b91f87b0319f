"""What an index consists of: the file that is written last and names all the others."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import CorpusIndexError
from kosim.encoders.storage import (
    content_checksum,
    parse_versioned_json,
    put_back,
    sha256,
    write_json,
)

MANIFEST = "manifest.json"
FORMAT: Literal[4] = 4
"""Indexes of format 1 have neither a checksum nor a file of acknowledgements; those of formats 1
and 2 have float32 vectors; int8 vectors of format 3 are not rotated, and its lists were visited in
equal number by every query."""
SEGMENTS = "segments"
ACKNOWLEDGED = ".ack"
"""What the name of a log's file of acknowledgements ends with."""
ACKNOWLEDGED_BYTES = 8192
"""The size of that file."""
SHARDS = "shards.json"
"""What stands in a folder of several indexes that are the shards of one."""

SegmentName = Annotated[str, StringConstraints(pattern=r"^[0-9]{6,18}-[0-9a-f]{8}$")]
LogName = Annotated[str, StringConstraints(pattern=r"^log-[0-9]{6,18}-[0-9a-f]{8}$")]
RemovedName = Annotated[
    str, StringConstraints(pattern=r"^removed-[0-9]{6,18}-[0-9a-f]{8}-[0-9a-f]{8}\.npy$")
]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
"""Names without separators: whatever a manifest says, no path leads out of the index."""


_REMEDY = "restore or rebuild the index"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FileEntry(_Entry):
    """Size in bytes and SHA-256 of one file."""

    size: int = Field(ge=0)
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Measure a file."""
        return cls(size=path.stat().st_size, sha256=sha256(path))


class RemovedEntry(_Entry):
    """The file that lists the removed rows of a segment, and how many they are."""

    name: RemovedName
    rows: int = Field(ge=1)
    file: FileEntry


class SegmentEntry(_Entry):
    """One immutable segment: ``type`` of its vector index, ``why`` it has that type, and how its
    ``vectors`` are stored.
    """

    name: SegmentName
    rows: int = Field(ge=1)
    type: Literal["flat", "hnsw", "ivfpq", "rabitq"]
    why: str
    vectors: Literal["fp32", "fp16", "int8"] = "fp32"
    settings: dict[str, Any]
    files: dict[FileName, FileEntry]
    removed: RemovedEntry | None = None

    def all_files(self) -> list[FileEntry]:
        """Return every file of the segment, that of its removed rows included."""
        removed = [] if self.removed is None else [self.removed.file]
        return [*self.files.values(), *removed]


class IndexManifest(_Entry):
    """The content of ``manifest.json``.

    ``type`` and ``vectors`` are what was asked for; ``log`` the file of the additions and removals
    since this generation was written; ``first_generation`` the one with which the corpus began,
    later than 1 where an index was replaced; ``retired`` the paths that only the generation before
    needs;
    ``checksum`` is of all the rest.
    """

    format: Literal[1, 2, 3, 4] = FORMAT
    generation: int = Field(ge=1)
    first_generation: int = Field(ge=1, default=1, alias="made")
    encoder: EncoderIdentity
    type: Literal["auto", "flat", "hnsw", "ivfpq", "rabitq"]
    vectors: Literal["fp32", "fp16", "int8"] = "fp32"
    segments: tuple[SegmentEntry, ...]
    log: LogName
    retired: tuple[str, ...] = ()
    checksum: str | None = None

    @property
    def acknowledgement(self) -> str | None:
        """The file that says how far the log was acknowledged; None in format 1."""
        return None if self.format == 1 else f"{self.log}{ACKNOWLEDGED}"

    def paths(self) -> set[str]:
        """Return what belongs to this generation: paths in the index, a folder for a segment."""
        removed = {segment.removed.name for segment in self.segments if segment.removed}
        log = {self.log} if self.acknowledgement is None else {self.log, self.acknowledgement}
        return {f"{SEGMENTS}/{segment.name}" for segment in self.segments} | removed | log


@dataclass(frozen=True)
class Stamp:
    """What tells one version of a file from another without reading it."""

    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Return the stamp of a file with this status."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)


def read_manifest(folder: Path) -> tuple[IndexManifest, Stamp]:
    """Read and check the manifest of an index, and stamp the version that was read.

    Raises:
        CorpusIndexError: the folder is not an index, is of a newer format, or its manifest is
            damaged.
    """
    path = folder / MANIFEST
    put_back(folder)
    try:
        if folder.is_file():
            raise CorpusIndexError(f"{folder} is a file; give the folder of an index")
        if not folder.is_dir():
            raise CorpusIndexError(f"{folder} does not exist; give the folder of an index")
        if path.exists() and not path.is_file():  # also a named pipe, which would never end
            raise CorpusIndexError(f"{path} is not a plain file; {_REMEDY}")
        with path.open("rb") as file:
            stamp = Stamp.of(os.fstat(file.fileno()))
            content = file.read()
    except FileNotFoundError as error:
        if (folder / SHARDS).is_file():
            raise CorpusIndexError(
                f"{folder} holds the shards of an index: serve them with `kosim serve --ray "
                f"--index {folder}`, or name one of them"
            ) from error
        raise CorpusIndexError(
            f"{folder} is not an index: it has no {MANIFEST}; make one with `kosim index build`"
        ) from error
    except OSError as error:
        raise CorpusIndexError(f"cannot read {path}: {error.strerror}") from error
    manifest = parse_versioned_json(
        content, path, IndexManifest, newest=FORMAT, error=CorpusIndexError, remedy=_REMEDY
    )
    expected = None if manifest.format == 1 else content_checksum(json.loads(content))
    if manifest.checksum != expected:
        raise CorpusIndexError(f"{path} is damaged: it was changed after it was written; {_REMEDY}")
    return manifest, stamp


def write_manifest(folder: Path, manifest: IndexManifest) -> None:
    """Put a manifest in force: the moment in which a generation is committed.

    Raises:
        StorageError: it cannot be written; the one before stays in force.
    """
    content = manifest.model_dump(mode="json", by_alias=True)
    write_json(folder / MANIFEST, {**content, "checksum": content_checksum(content)})


def check_file(path: Path, expected: FileEntry) -> None:
    """Check that a file is there in the size that the manifest says.

    Raises:
        FileNotFoundError: it is not there.
        CorpusIndexError: it is of another size, or no plain file.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise CorpusIndexError(f"{path} is not a plain file; restore or rebuild the index")
    size = path.stat().st_size
    if size != expected.size:
        raise CorpusIndexError(
            f"{path} is damaged: it has {size} bytes where the manifest says {expected.size}; "
            "restore or rebuild the index"
        )
