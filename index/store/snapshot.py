"""A snapshot of an index: what was committed at one moment, as a reader sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, CorpusIndexError, DataError
from kosim.index.documents import Document
from kosim.index.ranking import Ranking, merge_rankings
from kosim.index.store.block import Block, FloatArray, parse_extra
from kosim.index.store.delta import BoolArray, Delta
from kosim.index.store.identifiers import IntArray, hash_ids
from kosim.index.store.log import LogPosition
from kosim.index.store.manifest import ACKNOWLEDGED_BYTES, SEGMENTS, IndexManifest, Stamp
from kosim.index.store.segment import Segment
from kosim.index.vectors.stored import Ranges


@dataclass(frozen=True)
class Part:
    """A segment, or the delta (``name`` None): its rows of the index begin at ``start``.

    ``alive``, (rows,), says which rows were not removed; ``texts()`` yields the texts of all rows
    in order, in lists.
    """

    name: str | None
    start: int
    rows: int
    alive: BoolArray
    texts: Callable[[], Iterator[list[str]]]


@dataclass(frozen=True)
class Snapshot:
    """Everything that is read of an index at one moment; it never changes.

    Rows count the documents of ``segments`` in order and then those of ``delta``, removed ones
    included. ``masks`` has the living rows of each segment, None where all live. Several threads
    may read one snapshot.
    """

    folder: Path
    manifest: IndexManifest
    manifest_stamp: Stamp
    segments: tuple[Segment, ...]
    masks: tuple[BoolArray | None, ...]
    delta: Delta
    log_position: LogPosition
    log_stamp: Stamp

    @property
    def version(self) -> tuple[Stamp, LogPosition]:
        """What two snapshots of one index have in common exactly if they are of the same state."""
        return self.manifest_stamp, self.log_position

    @property
    def generation(self) -> int:
        """The number of the generation that the snapshot was read from."""
        return self.manifest.generation

    @property
    def retired_segments(self) -> set[str]:
        """The names of the segments that only the generation before needs."""
        folder = f"{SEGMENTS}/"
        return {
            path.removeprefix(folder) for path in self.manifest.retired if path.startswith(folder)
        }

    @property
    def ranges(self) -> Ranges | None:
        """The ranges of the newest int8 vectors, which hold those before; None of others."""
        return self.segments[-1].vector_index.ranges if self.segments else None

    def __len__(self) -> int:
        """Return the number of living documents."""
        living = sum(
            segment.rows if mask is None else int(np.count_nonzero(mask))
            for segment, mask in zip(self.segments, self.masks, strict=True)
        )
        return living + int(np.count_nonzero(self.delta.alive))

    @property
    def _sources(self) -> tuple[Segment | Delta, ...]:
        return (*self.segments, self.delta)

    @property
    def starts(self) -> list[int]:
        """The first row of each segment, of the delta, and the end."""
        starts = [0]
        for source in self._sources:
            starts.append(starts[-1] + source.rows)
        return starts

    def search(self, queries: FloatArray, k: int) -> tuple[FloatArray, IntArray]:
        """Find the nearest living documents.

        Args:
            queries: (q, dimension) float32, unit rows.
            k: hits a query, at least 1.

        Returns:
            Scores (cosines) and rows, both (q, k), best first, ties by the smaller row. Where
            there are fewer documents the rest is -inf and -1.

        Raises:
            ConfigError: ``k`` is below 1, or the queries are not of the index's dimension.
            DataError: a query is not finite.
        """
        queries = self._checked(queries, k)
        if not self.delta.rows and len(self.segments) == 1:
            # The usual case costs nothing beyond the vector index itself.
            return self.segments[0].vector_index.search(queries, k, alive=self.masks[0])
        found = []
        starts = self.starts
        for segment, mask, start in zip(self.segments, self.masks, starts, strict=False):
            scores, local = segment.vector_index.search(queries, min(k, segment.rows), alive=mask)
            found.append(Ranking(scores, np.where(local < 0, -1, local + start)))
        if self.delta.rows:
            scores, local = self.delta.search(queries, k)
            found.append(Ranking(scores, np.where(local < 0, -1, local + starts[-2])))
        return merge_rankings(len(queries), k, found)

    def _checked(self, queries: FloatArray, k: int) -> FloatArray:
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ConfigError(f"k is {k!r}; ask for at least 1 hit")
        dimension = self.manifest.encoder.dimension
        queries = np.asarray(queries, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != dimension:
            raise ConfigError(
                f"query vectors have the shape {queries.shape}; this index needs "
                f"(queries, {dimension}), from the encoder {self.manifest.encoder.name}"
            )
        if not np.isfinite(queries).all():
            row = int(np.flatnonzero(~np.isfinite(queries).all(axis=1))[0])
            raise DataError(f"the vector of query {row} is not finite; encode it again")
        return np.ascontiguousarray(queries)

    def documents(self, rows: npt.ArrayLike) -> list[Document]:
        """Return the documents of some rows."""
        ids, texts = self.ids(rows), self.texts(rows)
        extras = self._column("extra", rows)
        try:
            return [
                Document(name, text, parse_extra(extra))
                for name, text, extra in zip(ids, texts, extras, strict=True)
            ]
        except (ValueError, RecursionError) as error:
            raise CorpusIndexError(
                f"{self.folder} is damaged: extra values are not readable as JSON ({error}); "
                "restore or rebuild the index"
            ) from error

    def texts(self, rows: npt.ArrayLike) -> list[str]:
        """Return the texts of some rows."""
        return self._column("text", rows)

    def ids(self, rows: npt.ArrayLike) -> list[str]:
        """Return the ids of some rows."""
        return self._column("id", rows)

    def vectors(self, rows: npt.ArrayLike) -> FloatArray:
        """Return copies of the vectors of some rows: (m, dimension)."""
        asked = self._asked(rows)
        found = np.empty((len(asked), self.manifest.encoder.dimension), dtype=np.float32)
        for source, chosen, local in self._grouped(asked):
            found[chosen] = source.vectors(local)
        return found

    def cosines(self, vectors: FloatArray, rows: IntArray) -> FloatArray:
        """Return the cosines of q queries (q, dimension) with the documents that each one found.

        ``rows`` and the result are (q, m); the result is -inf where the row is -1.
        """
        result = np.full(rows.shape, -np.inf, dtype=np.float32)
        for query, found in enumerate(rows):
            real = found >= 0
            result[query, real] = self.vectors(found[real]) @ vectors[query]
        return result

    def rows(self) -> IntArray:
        """Return the rows of all living documents, ascending: (n,)."""
        masks = [part.alive for part in self.parts()]
        return np.flatnonzero(np.concatenate(masks)).astype(np.int64)

    def locate(self, ids: Sequence[str]) -> IntArray:
        """Return the row of each id, -1 where no living document has it: (m,)."""
        if isinstance(ids, str):
            raise DataError("ids is one string; give a list of ids")
        rows = np.full(len(ids), -1, dtype=np.int64)
        if not len(ids):
            return rows
        starts, hashes = self.starts, hash_ids(ids)
        for segment, mask, start in zip(self.segments, self.masks, starts, strict=False):
            for number, local in segment.find(ids, hashes):
                if mask is None or mask[local]:
                    rows[number] = start + local
        for number, local in self.delta.find(ids):
            if self.delta.alive[local]:
                rows[number] = starts[-2] + local
        return rows

    def parts(self) -> list[Part]:
        """Return the segments in order and then the delta, which may have no rows."""
        starts = self.starts
        parts = []
        for segment, mask, start in zip(self.segments, self.masks, starts, strict=False):
            alive = np.ones(segment.rows, dtype=np.bool_) if mask is None else mask
            texts = _column_reader(segment.documents.batches)
            parts.append(Part(segment.name, start, segment.rows, alive, texts))
        texts = _column_reader(self.delta.batches)
        parts.append(Part(None, starts[-2], self.delta.rows, self.delta.alive, texts))
        return parts

    def block(self, rows: npt.ArrayLike) -> Block:
        """Return some documents with their vectors, which can be written again without loss."""
        asked = self._asked(rows)
        vectors = np.empty((len(asked), self.manifest.encoder.dimension), dtype=np.float32)
        for source, chosen, local in self._grouped(asked):
            vectors[chosen] = source.block(local).vectors
        extras = self._column("extra", rows)
        return Block(self.ids(rows), self.texts(rows), extras, vectors)

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield all living documents in order, ``size`` at a time at most."""
        for source, part in zip(self._sources, self.parts(), strict=True):
            local = np.flatnonzero(part.alive)
            for start in range(0, len(local), size):
                yield source.block(local[start : start + size])

    def without(self, rows: IntArray) -> Snapshot:
        """Return a snapshot without some more documents; it is nowhere on the disk."""
        starts = self.starts
        masks = list(self.masks)
        for number, segment in enumerate(self.segments):
            inside = rows[(rows >= starts[number]) & (rows < starts[number + 1])]
            if len(inside):
                mask = masks[number]
                mask = np.ones(segment.rows, dtype=np.bool_) if mask is None else mask.copy()
                mask[inside - starts[number]] = False
                masks[number] = mask
        alive = self.delta.alive.copy()
        alive[rows[rows >= starts[-2]] - starts[-2]] = False
        return replace(self, masks=tuple(masks), delta=replace(self.delta, alive=alive))

    def info(self) -> dict[str, Any]:
        """Return counts, segments, size on disk and encoder, as JSON values."""
        parts = self.parts()
        living = [int(np.count_nonzero(part.alive)) for part in parts]
        return {
            "documents": sum(living),
            "removed": sum(part.rows for part in parts) - sum(living),
            "type": self.manifest.type,
            "vectors": self.manifest.vectors,
            "dimensions": self.manifest.encoder.dimension,
            "segments": [
                {
                    "name": segment.name,
                    "rows": segment.rows,
                    "removed": segment.rows - alive,
                    "type": segment.entry.type,
                    "why": segment.entry.why,
                    "settings": segment.entry.settings,
                    "bytes": sum(file.size for file in segment.entry.files.values()),
                }
                for segment, alive in zip(self.segments, living, strict=False)
            ],
            "log": {
                "documents": living[-1],
                "removed": self.delta.rows - living[-1],
                "bytes": self.log_position.offset,
            },
            "bytes": self.manifest_stamp.size
            + self.log_position.offset
            + (0 if self.manifest.acknowledgement is None else ACKNOWLEDGED_BYTES)
            + sum(file.size for entry in self.manifest.segments for file in entry.all_files()),
            "generation": self.generation,
            "encoder": asdict(self.manifest.encoder),
        }

    def _asked(self, rows: npt.ArrayLike) -> IntArray:
        asked = np.asarray(rows)
        if asked.size == 0:
            return np.zeros(0, dtype=np.int64)
        if asked.ndim != 1 or not np.issubdtype(asked.dtype, np.integer):
            raise ConfigError(f"rows are {asked.dtype} {asked.shape}; give a list of integers")
        lowest, highest, end = int(asked.min()), int(asked.max()), self.starts[-1]
        if lowest < 0 or highest >= end:
            wrong = lowest if lowest < 0 else highest
            raise ConfigError(
                f"row {wrong} is not a document; rows go from 0 to {end - 1}, and -1 stands for "
                "a hit that there is not"
            )
        return asked.astype(np.int64, copy=False)

    def _column(self, name: Literal["id", "text", "extra"], rows: npt.ArrayLike) -> list[str]:
        asked = self._asked(rows)
        if not self.delta.rows and len(self.segments) == 1:
            return self.segments[0].documents.column(name, asked.tolist())
        found = [""] * len(asked)
        for source, chosen, local in self._grouped(asked):
            reader = source if isinstance(source, Delta) else source.documents
            for number, value in zip(
                chosen.tolist(), reader.column(name, local.tolist()), strict=True
            ):
                found[number] = value
        return found

    def _grouped(self, asked: IntArray) -> Iterator[tuple[Segment | Delta, IntArray, IntArray]]:
        starts = self.starts
        for source, start, end in zip(self._sources, starts[:-1], starts[1:], strict=True):
            chosen = np.flatnonzero((asked >= start) & (asked < end))
            if len(chosen):
                yield source, chosen, asked[chosen] - start


def _column_reader(
    batches: Callable[[Literal["id", "text", "extra"]], Iterator[list[str]]],
) -> Callable[[], Iterator[list[str]]]:
    return lambda: batches("text")
