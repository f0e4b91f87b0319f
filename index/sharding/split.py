"""Making shards: out of one index, or of indexes that were built apart."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from kosim.encoders.errors import ConfigError, DataError, StorageError
from kosim.encoders.storage import atomic_folder
from kosim.index.adaptive.policy import FOLDER as POLICIES
from kosim.index.corpus_index import CorpusIndex, Snapshot
from kosim.index.ranking import Rows
from kosim.index.sharding.folder import Shards, check_one_encoder, write_shards_manifest
from kosim.index.store.block import Block
from kosim.index.store.generation import AnyType
from kosim.index.store.manifest import SHARDS
from kosim.index.store.write_lock import LOCK, write_lock

_BLOCK = 4096


def split_index(
    index: CorpusIndex,
    out: str | Path,
    *,
    shards: int,
    type: AnyType | None = None,
    overwrite: bool = False,
) -> Shards:
    """Cut an index into shards of about the same size, in the order of its documents.

    The index stays as it is. What `kosim depth` fitted for it goes along.

    Args:
        index: what to cut, as it is read now.
        out: the folder of the shards.
        shards: how many.
        type: of their vector indexes; that of the index when None.
        overwrite: replace shards that are there, once the new ones are whole.

    Raises:
        ConfigError: there are fewer documents than shards, or too few for the type.
        StorageError: the folder exists, is not a folder of shards, or cannot be written.
    """
    snapshot, out = index.snapshot, Path(out)
    if not 1 <= shards <= len(snapshot):
        raise ConfigError(
            f"{len(snapshot):,} documents cannot be cut into {shards:,} shards; give 1 to "
            f"{len(snapshot):,}"
        )
    with _written(out, overwrite=overwrite) as partial:
        indexes = {
            name: CorpusIndex.create_from_blocks(
                partial / name,
                index.encoder,
                _blocks(snapshot, rows),
                type=type or snapshot.manifest.type,
                vectors=snapshot.manifest.vectors,
                ranges=snapshot.ranges,
            )
            for name, rows in zip(
                _names(shards), np.array_split(snapshot.rows(), shards), strict=True
            )
        }
        if (index.folder / POLICIES).is_dir():
            shutil.copytree(index.folder / POLICIES, partial / POLICIES)
        write_shards_manifest(partial, index.encoder, index.first_generation, indexes)
    return Shards.open(out)


def assemble_shards(
    indexes: Sequence[CorpusIndex],
    out: str | Path,
    *,
    overwrite: bool = False,
    timeout: float = 10.0,
) -> Shards:
    """Copy indexes that were built apart into one folder, as its shards.

    Args:
        indexes: at least one, all of one encoder, no id in two of them.
        out: the folder of the shards.
        overwrite: replace shards that are there, once the new ones are whole.
        timeout: seconds to wait for a writer of one of the indexes.

    Raises:
        ConfigError: there are none.
        CorpusIndexError: one was made with another encoder.
        DataError: an id stands in two of them.
        IndexLockedError: another process was writing one of them all the time.
        StorageError: the folder exists, is not a folder of shards, or cannot be written.
    """
    if not indexes:
        raise ConfigError("there is no index to make shards of; give at least one")
    check_one_encoder(list(indexes))
    with _written(Path(out), overwrite=overwrite) as partial:
        copies: dict[str, CorpusIndex] = {}
        for name, index in zip(_names(len(indexes)), indexes, strict=True):
            with write_lock(index.folder, timeout):
                shutil.copytree(
                    index.folder, partial / name, ignore=shutil.ignore_patterns(LOCK, ".*")
                )
            copies[name] = CorpusIndex.open(partial / name)
        _check_unique(list(copies.values()), indexes)
        write_shards_manifest(partial, indexes[0].encoder, 1, copies)
    return Shards.open(out)


def _names(count: int) -> list[str]:
    width = len(str(count))
    return [f"shard-{number:0{width}}" for number in range(1, count + 1)]


@contextmanager
def _written(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a folder to fill; only shards are ever replaced by it."""
    if overwrite and out.exists() and not (out / SHARDS).is_file():
        raise StorageError(
            f"{out} exists and is not a folder of shards; choose another folder, or remove "
            "it yourself"
        )
    with atomic_folder(out, overwrite=overwrite) as partial:
        yield partial


def _blocks(snapshot: Snapshot, rows: Rows) -> Iterator[Block]:
    for start in range(0, len(rows), _BLOCK):
        yield snapshot.block(rows[start : start + _BLOCK])


def _check_unique(copies: Sequence[CorpusIndex], sources: Sequence[CorpusIndex]) -> None:
    for number, copy in enumerate(copies):
        rows = copy.rows()
        for start in range(0, len(rows), _BLOCK):
            ids = copy.ids(rows[start : start + _BLOCK])
            for other in range(number):
                found = np.flatnonzero(copies[other].locate(ids) >= 0)
                if len(found):
                    raise DataError(
                        f"id {ids[int(found[0])]!r} is in {sources[other].folder} and in "
                        f"{sources[number].folder}; remove it from one of them"
                    )
