"""The store of a corpus: documents and their vectors on disk, searched while others write."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import (
    ConfigError,
    CorpusIndexError,
    DataError,
    DuplicateIdError,
    StorageError,
    UnconfirmedWriteError,
)
from kosim.encoders.storage import atomic_folder, named
from kosim.index.documents import Document
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.retrieval import rank
from kosim.index.searchable import Mode, Retrieved
from kosim.index.store.block import Block, FloatArray
from kosim.index.store.commit import commit_change, is_compact, merge
from kosim.index.store.generation import AnyType, GenerationWriter
from kosim.index.store.identifiers import IntArray
from kosim.index.store.log import Change
from kosim.index.store.manifest import MANIFEST, IndexManifest, read_manifest
from kosim.index.store.opening import open_snapshot
from kosim.index.store.snapshot import Snapshot
from kosim.index.store.verification import problems
from kosim.index.store.write_lock import build_lock, write_lock
from kosim.index.vectors.stored import Ranges, VectorType

__all__ = ["CorpusIndex", "Snapshot"]


class CorpusIndex:
    """A corpus on disk that is searched by vectors; crash-safe, for one writer and many readers.

    What is read comes from one `Snapshot`, and rows (what `search` returns) count
    within it. The snapshot changes only in `refresh` and in the methods that write, never
    behind the back of a caller. Several threads may use one object. A thread that must not see
    another one's refresh between a search and the texts of its hits takes `snapshot` once
    and asks that: it has the same methods for reading.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Wrap a snapshot that was read; use `open` or `create`."""
        self._snapshot = snapshot
        self._refreshing = threading.Lock()

    @classmethod
    def create(
        cls,
        folder: str | Path,
        encoder: EncoderIdentity,
        blocks: Iterable[tuple[Sequence[Document], npt.NDArray[np.float32]]],
        *,
        type: AnyType = "auto",
        vectors: VectorType = "fp32",
        overwrite: bool = False,
        segment_rows: int | None = None,
        timeout: float = 10.0,
    ) -> Self:
        """Make an index of a stream of blocks; it is there when it is whole, or not at all.

        Memory holds one block, and what the vector index of one segment takes.

        Args:
            folder: where to; it must not exist unless ``overwrite``.
            encoder: the encoder of the vectors.
            blocks: documents and their vectors, (n, dimension) float32 with unit rows each.
            type: of the vector indexes; "auto" chooses by size.
            vectors: how the vectors are stored.
            overwrite: replace the index that is there. Until the new one is whole the old one
                stays in force, also for readers.
            segment_rows: documents in a segment at most; by type when None.
            timeout: seconds to wait for another writer of the index that is replaced.

        Raises:
            DataError: there are no documents, an id appears twice, or a document or vector cannot
                be stored.
            StorageError: the folder exists, is not an index, or cannot be written.
            IndexLockedError: another process writes there.
        """
        return cls.create_from_blocks(
            folder,
            encoder,
            (
                Block.of_documents(documents, vectors, encoder.dimension)
                for documents, vectors in blocks
            ),
            type=type,
            vectors=vectors,
            overwrite=overwrite,
            segment_rows=segment_rows,
            timeout=timeout,
        )

    @classmethod
    def create_from_blocks(
        cls,
        folder: str | Path,
        encoder: EncoderIdentity,
        blocks: Iterable[Block],
        *,
        type: AnyType = "auto",
        vectors: VectorType = "fp32",
        ranges: Ranges | None = None,
        overwrite: bool = False,
        segment_rows: int | None = None,
        timeout: float = 10.0,
    ) -> Self:
        """Make an index of documents that were checked already: see `create`."""
        folder = Path(folder)

        def fill(target: Path, previous: IndexManifest | None) -> None:
            with GenerationWriter(
                target,
                encoder,
                type,
                vectors=vectors,
                ranges=ranges,
                previous=previous,
                anew=True,
                segment_rows=segment_rows,
            ) as generation:
                empty = True
                for block in blocks:
                    generation.add(block, unique=True)
                    empty = empty and not len(block)
                if empty:
                    raise DataError("the corpus is empty; an index needs at least one document")
                generation.commit()

        previous = _replaceable(folder) if overwrite and folder.exists() else None
        if previous is None:
            with build_lock(folder), atomic_folder(folder, overwrite=overwrite) as partial:
                fill(partial, None)
        else:
            with write_lock(folder, timeout):
                fill(folder, read_manifest(folder)[0])
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open an index for reading and writing; its files are mapped and their sizes checked.

        Raises:
            CorpusIndexError: there is no index, it is damaged, or it is of a newer format.
        """
        return cls(open_snapshot(named(Path(folder))))

    @property
    def snapshot(self) -> Snapshot:
        """What is read; it never changes."""
        return self._snapshot

    @property
    def folder(self) -> Path:
        """Where the index lies."""
        return self._snapshot.folder

    @property
    def generation(self) -> int:
        """The number of the generation that is read."""
        return self._snapshot.generation

    @property
    def first_generation(self) -> int:
        """The generation with which the corpus began: what was fitted before is of another one."""
        return self._snapshot.manifest.first_generation

    @property
    def encoder(self) -> EncoderIdentity:
        """The encoder of the vectors."""
        return self._snapshot.manifest.encoder

    def __repr__(self) -> str:
        return f"CorpusIndex({str(self.folder)!r}, {len(self):,} documents)"

    def __len__(self) -> int:
        """Return the number of living documents."""
        return len(self._snapshot)

    def refresh(self) -> bool:
        """See what was committed since; cheap where nothing was. Rows change their meaning.

        Returns:
            Whether there was something new.

        Raises:
            CorpusIndexError: the index is damaged, or was rebuilt with another encoder.
        """
        with self._refreshing:
            old = self._snapshot
            new = open_snapshot(old.folder, old)
            if new.manifest.encoder != old.manifest.encoder:
                now, then = (one.manifest.encoder for one in (new, old))
                raise CorpusIndexError(
                    f"{old.folder} was rebuilt with {now.dimension} dimensions of {now.name} "
                    f"(it was {then.dimension} of {then.name}); open it again"
                )
            self._snapshot = new
            return new.version != old.version

    def search(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        """Find the nearest documents: see `search`."""
        return self._snapshot.search(queries, k)

    @cached_property
    def lexical(self) -> LexicalIndex:
        """The words of the documents, of whichever snapshot is asked for.

        Raises:
            MissingExtraError: kiwipiepy is not installed.
        """
        return LexicalIndex(self.folder)

    def retrieve(
        self, queries: Sequence[str], vectors: FloatArray | None, depth: int, mode: Mode
    ) -> Retrieved:
        """Return the first ``depth`` documents of each query: see `Searchable.retrieve`."""
        snapshot = self._snapshot
        found = rank(
            snapshot,
            depth,
            vectors=None if mode == "lexical" else vectors,
            lexical=None if mode == "dense" else self.lexical,
            queries=queries,
        )
        return Retrieved(snapshot, *found.fused(depth))

    def documents(self, rows: npt.ArrayLike) -> list[Document]:
        """Return the documents of some rows."""
        return self._snapshot.documents(rows)

    def texts(self, rows: npt.ArrayLike) -> list[str]:
        """Return the texts of some rows."""
        return self._snapshot.texts(rows)

    def ids(self, rows: npt.ArrayLike) -> list[str]:
        """Return the ids of some rows."""
        return self._snapshot.ids(rows)

    def vectors(self, rows: npt.ArrayLike) -> FloatArray:
        """Return copies of the stored vectors of some rows: (m, dimension) float32."""
        return self._snapshot.vectors(rows)

    def rows(self) -> IntArray:
        """Return the rows of all living documents, ascending: (n,)."""
        return self._snapshot.rows()

    def locate(self, ids: Sequence[str]) -> IntArray:
        """Return the row of each id, -1 where there is no such document: (m,)."""
        return self._snapshot.locate(ids)

    def add(
        self,
        documents: Sequence[Document],
        vectors: npt.NDArray[np.float32],
        *,
        on_duplicate: Literal["refuse", "replace"] = "refuse",
        timeout: float = 10.0,
    ) -> None:
        """Add documents, all or none; when this returns they are on the disk.

        Args:
            documents: n documents. Where ``on_duplicate`` is "replace", one whose id is there
                replaces the other, and of two with one id the later one counts.
            vectors: (n, dimension) float32, unit rows.
            on_duplicate: what to do with an id that is there.
            timeout: seconds to wait for another writer.

        Raises:
            DataError: a document or vector cannot be stored, or an id is there and refused.
            IndexLockedError: another process was writing all the time.
            StorageError: the disk is full or the index cannot be written; it is as it was.
        """
        self.add_block(
            Block.of_documents(documents, vectors, self.encoder.dimension),
            on_duplicate=on_duplicate,
            timeout=timeout,
        )

    def add_block(
        self,
        block: Block,
        *,
        on_duplicate: Literal["refuse", "replace"] = "refuse",
        timeout: float = 10.0,
    ) -> None:
        """Add documents that were checked already: see `add`."""
        if on_duplicate not in ("refuse", "replace"):
            raise ConfigError(f"on_duplicate is {on_duplicate!r}; it is 'refuse' or 'replace'")
        if on_duplicate == "replace":
            block = block.last_of_each_id()
        elif (repeated := block.repeated_id()) is not None:
            raise DataError(f"id {repeated!r} appears twice in what is added; give each its own id")
        if not len(block):
            return
        with self._writing(timeout) as snapshot:
            known = np.flatnonzero(snapshot.locate(block.ids) >= 0).tolist()
            if known and on_duplicate == "refuse":
                raise DuplicateIdError(
                    f"id {block.ids[known[0]]!r} is in {self.folder} already; replace it "
                    "(on_duplicate='replace') or give another id"
                )
            commit_change(snapshot, Change([block.ids[number] for number in known], block))

    def remove(self, ids: Sequence[str], *, timeout: float = 10.0) -> None:
        """Remove documents, all or none; when this returns that is on the disk.

        Raises:
            CorpusIndexError: an id is not there; nothing was removed.
            IndexLockedError: another process was writing all the time.
            StorageError: the disk is full or the index cannot be written; it is as it was.
        """
        if isinstance(ids, str):
            raise DataError("ids is one string; give a list of ids")
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return
        with self._writing(timeout) as snapshot:
            absent = np.flatnonzero(snapshot.locate(wanted) < 0)
            if len(absent):
                raise CorpusIndexError(
                    f"id {wanted[int(absent[0])]!r} is not in {self.folder}; nothing was removed"
                )
            commit_change(snapshot, Change(wanted, Block.empty(self.encoder.dimension)))

    def compact(
        self,
        *,
        type: AnyType | None = None,
        vectors: VectorType | None = None,
        timeout: float = 10.0,
        segment_rows: int | None = None,
    ) -> None:
        """Merge all living documents into new segments; nothing happens where that changes nothing.

        Args:
            type: of the vector indexes; that of the index when None.
            vectors: how vectors are stored, in no more bytes than now; as they are when None.
            timeout: seconds to wait for another writer.
            segment_rows: documents in a segment at most; by type when None.

        Raises:
            ConfigError: the vectors would need more bytes than they have.
            IndexLockedError: another process was writing all the time.
            StorageError: the disk is full or the index cannot be written; it is as it was.
        """
        with self._writing(timeout) as snapshot:
            wanted = type or snapshot.manifest.type
            stored = vectors or snapshot.manifest.vectors
            if not is_compact(snapshot, wanted, stored, segment_rows):
                merge(snapshot, wanted, stored, segment_rows)

    def verify(self) -> list[str]:
        """Read all that is in force on the disk and return what is wrong, each file named."""
        return problems(self.folder)

    def info(self) -> dict[str, Any]:
        """Return counts, segments, size and encoder, as JSON values."""
        return self._snapshot.info()

    @contextmanager
    def _writing(self, timeout: float) -> Iterator[Snapshot]:
        """Hold the lock, give the newest snapshot, and read what was written."""
        with write_lock(self.folder, timeout):
            self.refresh()
            yield self._snapshot
            try:
                self.refresh()
            except CorpusIndexError as error:
                raise UnconfirmedWriteError(
                    f"the change is stored, but {self.folder} cannot be read again: {error}"
                ) from error


def _replaceable(folder: Path) -> IndexManifest | None:
    """Return the manifest of an index that may be overwritten, None if it is damaged.

    Raises:
        StorageError: what lies there is no index.
    """
    try:
        return read_manifest(folder)[0]
    except CorpusIndexError as error:
        if folder.is_dir() and ((folder / MANIFEST).is_file() or not any(folder.iterdir())):
            return None
        raise StorageError(
            f"{folder} exists and is not an index; choose another folder, or remove it yourself"
        ) from error
