"""How a change reaches the disk: a record of the log, or a new generation."""

from __future__ import annotations

import numpy as np

from kosim.encoders.errors import ConfigError
from kosim.index.store.acknowledgement import acknowledge
from kosim.index.store.generation import AnyType, GenerationWriter, segment_limit
from kosim.index.store.log import Change, append, encode_change
from kosim.index.store.snapshot import Snapshot
from kosim.index.vectors.stored import COMPONENT_BYTES, VectorType
from kosim.index.vectors.vector_index import check_vector_type, choose_type

LOG_DOCUMENTS = 10_000
"""Documents that the log may hold before they become a segment."""
LOG_BYTES = 64_000_000
"""Size that the log may have before it ends with its generation."""

_BLOCK = 4096


def commit_change(snapshot: Snapshot, change: Change) -> None:
    """Append a change to the log, or begin a new generation where the log would grow too long.

    ``snapshot`` is the newest one, whose write lock is held.

    Raises:
        StorageError: the disk is full or the index cannot be written; it is as it was.
        UnconfirmedWriteError: the change is in force, but it is not certain that it lasts.
    """
    added = change.added
    characters = sum(map(len, (*added.ids, *added.texts, *added.extras, *change.removed)))
    size = snapshot.log_position.offset + added.vectors.nbytes + characters
    if snapshot.delta.rows + len(added) <= LOG_DOCUMENTS and size <= LOG_BYTES:
        path = snapshot.folder / snapshot.manifest.log
        end = append(path, snapshot.log_position, encode_change(change))
        if snapshot.manifest.acknowledgement is not None:
            acknowledge(snapshot.folder / snapshot.manifest.acknowledgement, end)
        return
    rest = snapshot.without(snapshot.locate(change.removed))
    with GenerationWriter(
        snapshot.folder,
        snapshot.manifest.encoder,
        snapshot.manifest.type,
        # What is added is small beside the rest, whatever type that is asked to be.
        new_type="auto",
        vectors=snapshot.manifest.vectors,
        ranges=snapshot.ranges,
        previous=snapshot.manifest,
    ) as generation:
        for segment, mask in zip(rest.segments, rest.masks, strict=True):
            generation.keep(segment, mask)
        living = np.flatnonzero(rest.delta.alive)
        for start in range(0, len(living), _BLOCK):
            generation.add(rest.delta.block(living[start : start + _BLOCK]))
        generation.add(added)
        generation.commit()


def merge(snapshot: Snapshot, type: AnyType, vectors: VectorType, segment_rows: int | None) -> None:
    """Write all living documents to new segments of a new generation.

    Raises:
        ConfigError: the stored vectors have fewer bytes than ``vectors`` asks for.
        StorageError: the disk is full or the index cannot be written; it is as it was.
    """
    check_narrowing(snapshot, vectors)
    with GenerationWriter(
        snapshot.folder,
        snapshot.manifest.encoder,
        type,
        vectors=vectors,
        ranges=snapshot.ranges,
        previous=snapshot.manifest,
        segment_rows=segment_rows,
    ) as generation:
        for block in snapshot.blocks(_BLOCK):
            generation.add(block)
        generation.commit()


def check_narrowing(snapshot: Snapshot, vectors: VectorType) -> None:
    """Check that the vectors of an index can be written again as ``vectors``.

    Raises:
        ConfigError: they have fewer bytes: what was rounded away cannot come back.
    """
    check_vector_type(vectors)
    stored = snapshot.manifest.vectors
    if COMPONENT_BYTES[vectors] > COMPONENT_BYTES[stored]:
        raise ConfigError(
            f"{snapshot.folder} has {stored} vectors, which cannot become {vectors} again; build "
            f"the index of the texts with vectors={vectors!r}"
        )


def is_compact(
    snapshot: Snapshot, type: AnyType, vectors: VectorType, segment_rows: int | None
) -> bool:
    """Return whether `merge` would write again what is there already."""
    limit = segment_limit(type) if segment_rows is None else segment_rows
    segments, rows = snapshot.segments, len(snapshot)
    wanted = choose_type(min(rows, limit))[0] if type == "auto" else type
    return (
        (type, vectors) == (snapshot.manifest.type, snapshot.manifest.vectors)
        and not snapshot.delta.rows
        and all(mask is None for mask in snapshot.masks)
        and len(segments) == -(-rows // limit)
        and (not segments or segments[0].entry.type == wanted)
    )
