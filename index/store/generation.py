"""Writing a generation: new segments and a manifest that puts them in force at once, or never.

A generation is committed by its manifest, which is renamed over the one before after everything
it names has reached the disk. What only the generation before needs stays until the next commit,
for readers that are just opening it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import CorpusIndexError, DataError, StorageError
from kosim.index.store.acknowledgement import create_acknowledgement
from kosim.index.store.block import Block
from kosim.index.store.delta import BoolArray
from kosim.index.store.identifiers import HashArray, hash_ids
from kosim.index.store.log import create_log
from kosim.index.store.manifest import (
    ACKNOWLEDGED,
    SEGMENTS,
    IndexManifest,
    SegmentEntry,
    read_manifest,
    write_manifest,
)
from kosim.index.store.segment import Segment, SegmentWriter, write_removed
from kosim.index.vectors.stored import Ranges, VectorType
from kosim.index.vectors.vector_index import IndexType, VectorIndex

AnyType = IndexType | Literal["auto"]

HNSW_SEGMENT_ROWS = 1_000_000
"""Documents in a segment at most where hnsw is asked for: all vectors are in memory for it."""
SEGMENT_ROWS = 10_000_000
"""Documents in a segment at most otherwise. The types built in bounded memory may be so large,
and "auto" chooses one of those where a graph would not fit; 16 bytes a document are in memory."""

_OWN_FILES = re.compile(
    r"log-[0-9]+-[0-9a-f]{8}(\.ack)?|removed-[0-9]+-[0-9a-f]{8}-[0-9a-f]{8}\.npy"
)
_OWN_SEGMENTS = re.compile(r"[0-9]+-[0-9a-f]{8}")


class GenerationWriter:
    """Collects the segments of a new generation; used in a ``with`` that ends with a commit.

    Everything new has a random name, so that no reader takes a file for one of another
    generation. Left without `commit`, it removes what it wrote.
    """

    def __init__(
        self,
        folder: Path,
        encoder: EncoderIdentity,
        type: AnyType,
        *,
        new_type: AnyType | None = None,
        vectors: VectorType = "fp32",
        ranges: Ranges | None = None,
        previous: IndexManifest | None = None,
        anew: bool = False,
        segment_rows: int | None = None,
    ) -> None:
        """Prepare a generation of the index at ``folder``, whose write lock is held.

        Args:
            folder: the index.
            encoder: the encoder of the vectors.
            type: what the index is asked to be.
            new_type: the type of the new segments; ``type`` when None.
            vectors: how the vectors of new segments are stored.
            ranges: of the int8 vectors that are merged, if any.
            previous: the manifest in force, None for a new index.
            anew: the corpus is another one than that of ``previous``.
            segment_rows: documents in a new segment at most; by type when None.
        """
        self._folder = folder
        self._encoder = encoder
        self._type = type
        self._new_type = type if new_type is None else new_type
        self._vectors = vectors
        self._ranges = ranges
        self._previous = previous
        self._segment_rows = segment_limit(type) if segment_rows is None else segment_rows
        self._generation = 1 if previous is None else previous.generation + 1
        self._first_generation = (
            self._generation if previous is None or anew else previous.first_generation
        )
        self._log = f"log-{self._generation:06d}-{secrets.token_hex(4)}"
        self._entries: list[SegmentEntry] = []
        self._finished: list[Segment] = []
        self._open: SegmentWriter | None = None
        self._new = [folder / self._log, folder / f"{self._log}{ACKNOWLEDGED}"]
        if previous is not None:
            # What a killed writer left.
            self._remove_all_but(previous.paths() | set(previous.retired))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._give_up()
        if isinstance(error, OSError):
            raise StorageError(
                f"cannot write {self._folder}: {error.strerror or error}; "
                "the index was left as it was"
            ) from error

    def keep(self, segment: Segment, alive: BoolArray | None) -> None:
        """Take over a segment of the generation before, with the rows that live now."""
        entry = segment.entry
        if alive is not None and not alive.any():
            return
        if alive is not None and alive is not segment.alive:
            path = self._folder / f"removed-{entry.name}-{secrets.token_hex(4)}.npy"
            self._new.append(path)
            entry = entry.model_copy(update={"removed": write_removed(path, alive)})
            _flush(path)
        self._entries.append(entry)

    def add(self, block: Block, *, unique: bool = False) -> None:
        """Append documents to the new segments.

        Raises:
            DataError: ``unique`` asks for a check, and an id was added before.
        """
        hashes = hash_ids(block.ids)
        if unique:
            self._check_unique(block, hashes)
        start = 0
        while start < len(block):
            if self._open is None:
                name = f"{self._generation:06d}-{secrets.token_hex(4)}"
                self._new.append(self._folder / SEGMENTS / name)
                self._open = SegmentWriter(self._new[-1], self._encoder.dimension)
            end = min(len(block), start + self._segment_rows - self._open.rows)
            self._open.add(block.slice(start, end), hashes[start:end])
            if self._open.rows == self._segment_rows:
                self._finish_segment()
            start = end

    def _check_unique(self, block: Block, hashes: HashArray) -> None:
        repeated = block.repeated_id()
        written: list[Segment | SegmentWriter] = [*self._finished]
        if self._open is not None:
            written.append(self._open)
        for segment in written:
            for number, _ in segment.find(block.ids, hashes):
                repeated = block.ids[number]
        if repeated is not None:
            raise DataError(
                f"id {repeated!r} appears twice in the corpus; give every document its own id"
            )

    def _finish_segment(self) -> None:
        if self._open is not None:
            writer, self._open = self._open, None
            entry = writer.finish(self._type_of(writer.rows), self._vectors, self._ranges)
            for path in writer.folder.iterdir():
                _flush(path)
            _flush(writer.folder)
            self._entries.append(entry)
            segment = Segment(self._folder, entry, self._encoder.dimension)
            self._finished.append(segment)
            self._ranges = segment.vector_index.ranges

    def _type_of(self, rows: int) -> AnyType:
        """Return the type of a new segment: the last one may be too small for what is asked."""
        type = self._new_type
        if type == "auto" or rows >= VectorIndex.minimum_rows(type):
            return type
        shrunk = self._previous is not None and self._previous.type == type
        return "auto" if self._finished or shrunk else type

    def commit(self) -> None:
        """Put the generation in force, and remove what no generation needs any more.

        Raises:
            StorageError: something cannot be written; the generation before stays in force.
            UnconfirmedWriteError: the generation is in force, but could not be flushed.
        """
        self._finish_segment()
        create_log(self._folder / self._log)
        create_acknowledgement(self._folder / f"{self._log}{ACKNOWLEDGED}")
        manifest = IndexManifest(
            generation=self._generation,
            first_generation=self._first_generation,
            encoder=self._encoder,
            type=self._type,
            vectors=self._vectors,
            segments=tuple(self._entries),
            log=self._log,
        )
        if self._previous is not None:
            retired = self._previous.paths() - manifest.paths()
            manifest = manifest.model_copy(update={"retired": tuple(sorted(retired))})
        if (self._folder / SEGMENTS).is_dir():
            _flush(self._folder / SEGMENTS)
        _flush(self._folder)
        write_manifest(self._folder, manifest)
        # In force: what cannot be removed now is removed by the next writer.
        with suppress(OSError):
            self._remove_all_but(manifest.paths() | set(manifest.retired))

    def _give_up(self) -> None:
        if self._open is not None:
            self._open.abandon()
        try:
            if read_manifest(self._folder)[0].log == self._log:
                return  # In force already: only what follows the rename has failed.
        except CorpusIndexError:
            if self._previous is not None:
                return  # Unknown what is in force; the next writer tidies up.
        for path in self._new:
            _remove(path)

    def _remove_all_but(self, needed: set[str]) -> None:
        for path in self._entries_on_disk():
            if path.relative_to(self._folder).as_posix() not in needed:
                _remove(path)

    def _entries_on_disk(self) -> Iterator[Path]:
        segments = self._folder / SEGMENTS
        if segments.is_dir() and not segments.is_symlink():
            yield from (p for p in segments.iterdir() if _OWN_SEGMENTS.fullmatch(p.name))
        yield from (p for p in self._folder.iterdir() if _OWN_FILES.fullmatch(p.name))


def segment_limit(type: AnyType) -> int:
    """Return how many documents a segment may have: what bounds the memory of a build."""
    return HNSW_SEGMENT_ROWS if type == "hnsw" else SEGMENT_ROWS


def _remove(path: Path) -> None:
    """Remove a file or folder if that is possible; if not, a later writer does."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    except OSError:
        return


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
