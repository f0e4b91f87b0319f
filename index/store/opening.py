"""From files to a snapshot: opening an index, and following what other processes commit."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np

from kosim.encoders.errors import CorpusIndexError
from kosim.index.store.acknowledgement import read_acknowledged
from kosim.index.store.delta import BoolArray, Delta
from kosim.index.store.identifiers import IntArray
from kosim.index.store.log import START, BrokenChainError, Change, LogPosition, read_changes
from kosim.index.store.manifest import MANIFEST, IndexManifest, Stamp, read_manifest
from kosim.index.store.segment import Segment
from kosim.index.store.snapshot import Snapshot

_ATTEMPTS = 10
"""How often a reader starts again because writers commit while it opens."""


def open_snapshot(folder: Path, previous: Snapshot | None = None) -> Snapshot:
    """Return a snapshot of the index at ``folder``, without a lock.

    When a file is gone or does not fit although the index has changed meanwhile, a writer has
    committed, and the newer generation is read.

    Args:
        folder: an index.
        previous: an older snapshot of it: its mapped segments are used again, and when only the
            log has grown, only the new records are read.

    Returns:
        ``previous`` itself when nothing has changed.

    Raises:
        CorpusIndexError: there is no index, it is damaged, or it is of a newer format.
    """
    if previous is not None and _is_current(previous):
        return previous
    failure = CorpusIndexError(f"{folder} cannot be opened")
    for _ in range(_ATTEMPTS):
        before = _signature(folder)
        try:
            return _read(folder, previous)
        except BrokenChainError:
            failure = CorpusIndexError(
                f"the log of {folder} is damaged: a record does not follow the one before it; "
                "restore or rebuild the index"
            )
        except FileNotFoundError as error:
            failure = CorpusIndexError(
                f"{folder} is damaged: {error.filename or error} is missing; "
                "restore or rebuild the index"
            )
        except OSError as error:
            failure = CorpusIndexError(
                f"cannot read {error.filename or folder}: {error.strerror or error}; check its "
                "permissions, or restore it"
            )
        except CorpusIndexError as error:
            failure = error
        if previous is None and _signature(folder) == before:
            break
        # A log that was cut off after a full disk does not continue what was read of it.
        previous = None
    raise failure


def _is_current(snapshot: Snapshot) -> bool:
    try:
        manifest = Stamp.of((snapshot.folder / MANIFEST).stat())
        log = Stamp.of((snapshot.folder / snapshot.manifest.log).stat())
    except OSError:
        return False
    return manifest == snapshot.manifest_stamp and log == snapshot.log_stamp


def _signature(folder: Path) -> dict[str, Stamp]:
    """Return the stamps of all files that say what is in force."""
    stamps: dict[str, Stamp] = {}
    try:
        paths = [folder / MANIFEST, *folder.glob("log-*")]
    except OSError:
        return stamps
    for path in paths:
        try:
            stamps[path.name] = Stamp.of(path.stat())
        except OSError:
            continue
    return stamps


def _read(folder: Path, previous: Snapshot | None) -> Snapshot:
    manifest, stamp = read_manifest(folder)
    log = folder / manifest.log
    for name in (manifest.log, manifest.acknowledgement):
        if name is not None:
            _check_plain(folder / name)
    # Before the log: what is added meanwhile is acknowledged after it was flushed.
    acknowledged = (
        None
        if manifest.acknowledgement is None
        else read_acknowledged(folder / manifest.acknowledgement)
    )
    log_stamp = Stamp.of(log.stat())
    if previous is not None and stamp == previous.manifest_stamp:
        return _replay(previous, log_stamp, acknowledged)
    segments = _segments(folder, manifest, () if previous is None else previous.segments)
    fresh = Snapshot(
        folder,
        manifest,
        stamp,
        segments,
        tuple(segment.alive for segment in segments),
        Delta.empty(manifest.encoder.dimension),
        START,
        log_stamp,
    )
    return _replay(fresh, log_stamp, acknowledged)


def _check_plain(path: Path) -> None:
    """Check that a file is one: a named pipe would never end, a link leads out of the index."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise CorpusIndexError(f"{path} is not a plain file; restore the index")


def _segments(
    folder: Path, manifest: IndexManifest, opened: Iterable[Segment]
) -> tuple[Segment, ...]:
    known = {segment.name: segment for segment in opened}
    if len({entry.name for entry in manifest.segments}) < len(manifest.segments):
        raise CorpusIndexError(f"{folder / MANIFEST} names a segment twice; restore the index")
    return tuple(
        known[entry.name]
        if entry.name in known and known[entry.name].entry == entry
        else Segment(folder, entry, manifest.encoder.dimension)
        for entry in manifest.segments
    )


def _replay(base: Snapshot, log_stamp: Stamp, acknowledged: LogPosition | None) -> Snapshot:
    """Return ``base`` with what the log holds after its position.

    Raises:
        CorpusIndexError: the log is damaged, or lacks changes that were acknowledged.
    """
    path = base.folder / base.manifest.log
    passed = {base.log_position.offset: base.log_position.previous}
    replay = _Replay(base)
    for change, position in read_changes(path, base.log_position, base.manifest.encoder.dimension):
        replay.apply(change, path, position)
        passed[position.offset] = position.previous
    if (
        acknowledged is not None
        and acknowledged.offset >= base.log_position.offset
        and passed.get(acknowledged.offset) != acknowledged.previous
    ):
        raise CorpusIndexError(
            f"{path} is damaged: it ends at byte {max(passed)}, and changes were acknowledged up "
            f"to byte {acknowledged.offset}; restore the index"
        )
    return replay.finished(log_stamp)


class _Replay:
    """A snapshot in the making."""

    def __init__(self, base: Snapshot) -> None:
        self._base = base
        self._masks = list(base.masks)
        self._copied: set[int] = set()
        self._delta = base.delta
        self._position = base.log_position

    def apply(self, change: Change, log: Path, position: LogPosition) -> None:
        """Carry out one change."""
        removed: IntArray = np.zeros(0, dtype=np.int64)
        if change.removed:
            current = self.snapshot(self._base.log_stamp)
            rows = np.unique(current.locate(change.removed))
            if rows[0] < 0 or len(rows) != len(change.removed):
                raise CorpusIndexError(
                    f"{log} is damaged before byte {position.offset}: it removes an id that is "
                    "not there; restore or rebuild the index"
                )
            starts = current.starts
            for number, segment in enumerate(current.segments):
                inside = rows[(rows >= starts[number]) & (rows < starts[number + 1])]
                if len(inside):
                    self._mask(number, segment.rows)[inside - starts[number]] = False
            removed = rows[rows >= starts[-2]] - starts[-2]
        self._delta = self._delta.changed(removed.tolist(), change.added)
        self._position = position

    def _mask(self, number: int, rows: int) -> BoolArray:
        mask = self._masks[number]
        if number not in self._copied:
            # Snapshots that were given out keep theirs.
            mask = np.ones(rows, dtype=np.bool_) if mask is None else mask.copy()
            self._masks[number] = mask
            self._copied.add(number)
        return cast("BoolArray", mask)

    def finished(self, log_stamp: Stamp) -> Snapshot:
        """Return the snapshot; nothing may be applied after it."""
        for number in self._copied:
            # A vector index prepares a mask for many searches only if it cannot change.
            cast("BoolArray", self._masks[number]).setflags(write=False)
        return self.snapshot(log_stamp)

    def snapshot(self, log_stamp: Stamp) -> Snapshot:
        """Return the snapshot so far."""
        base = self._base
        return Snapshot(
            base.folder,
            base.manifest,
            base.manifest_stamp,
            base.segments,
            tuple(self._masks),
            self._delta,
            self._position,
            log_stamp,
        )
