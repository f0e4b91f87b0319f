"""How far the log was acknowledged, beside it: a log that was cut short later is noticed.

A log that ends at the end of a record looks whole wherever that is, so the log alone cannot tell
that acknowledged changes are missing behind it. ``LOG.ack`` says where it ended when the last
change was acknowledged.

The order of what reaches the disk: a record is written and flushed, then its end is written here
and flushed, then the caller is told. So at every moment, also after a power failure, the log is
at least as long as what stands here: a log that is shorter was damaged afterwards. A writer that
dies between the two flushes leaves a record that was never acknowledged; it is whole and counts.
A reader reads this file before the log, so a change that is added meanwhile is no damage to it.

The file has two slots in different blocks of the disk, written in turn: a power failure can tear
at most the one that is written, and the other one still says where the log ended before. It has
its full size from the start, so writing it needs no space.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

from kosim.encoders.durable_file import DurableFile
from kosim.encoders.errors import CorpusIndexError, UnconfirmedWriteError
from kosim.index.store.log import START, LogPosition
from kosim.index.store.manifest import ACKNOWLEDGED_BYTES

_MAGIC = b"KACK"
_SLOT = struct.Struct("<4sQII")
_CHECKED = _SLOT.size - 4
_APART = ACKNOWLEDGED_BYTES // 2


def create_acknowledgement(path: Path) -> None:
    """Write the file of an empty log.

    Raises:
        OSError: it could not be written whole.
    """
    with DurableFile(path) as file:
        file.write(_packed(START).ljust(2 * _APART, b"\0"))


def acknowledge(path: Path, position: LogPosition) -> None:
    """Note that the log was flushed up to ``position``.

    Raises:
        UnconfirmedWriteError: it cannot be noted; the log is as it should be.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
        try:
            slots = _slots(os.pread(descriptor, 2 * _APART, 0))
            older = min(range(2), key=lambda number: _offset(slots[number]))
            os.pwrite(descriptor, _packed(position), older * _APART)
            os.fsync(descriptor)
        finally:
            with suppress(OSError):
                os.close(descriptor)
    except OSError as error:
        raise UnconfirmedWriteError(
            f"the change is stored, but {path} cannot be written ({error.strerror}): a later loss "
            "of the change would not be noticed; check the disk"
        ) from error


def read_acknowledged(path: Path) -> LogPosition:
    """Return the end of the last record that was acknowledged.

    Raises:
        FileNotFoundError: the file is gone: a newer generation may have deleted it.
        CorpusIndexError: neither slot can be read.
    """
    ends = [end for end in _slots(_content(path)) if end is not None]
    if not ends:
        raise CorpusIndexError(
            f"{path} is damaged: it does not say how far the log was acknowledged; restore or "
            "rebuild the index"
        )
    return max(ends, key=_offset)


def acknowledgement_problems(path: Path) -> list[str]:
    """Return what is wrong with the file: a slot that is neither written whole nor blank."""
    content = _content(path)
    sound = len(content) == 2 * _APART and all(
        end is not None or not any(content[number * _APART :][: _SLOT.size])
        for number, end in enumerate(_slots(content))
    )
    return [] if sound else [f"{path} was changed after it was written"]


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(2 * _APART + 1)


def _packed(position: LogPosition) -> bytes:
    checked = _SLOT.pack(_MAGIC, position.offset, position.previous, 0)[:_CHECKED]
    return checked + struct.pack("<I", zlib.crc32(checked))


def _slots(content: bytes) -> list[LogPosition | None]:
    found: list[LogPosition | None] = []
    for number in range(2):
        slot = content[number * _APART :][: _SLOT.size]
        if len(slot) < _SLOT.size or zlib.crc32(slot[:_CHECKED]) != _SLOT.unpack(slot)[3]:
            found.append(None)
            continue
        magic, offset, previous, _ = _SLOT.unpack(slot)
        found.append(LogPosition(offset, previous) if magic == _MAGIC else None)
    return found


def _offset(position: LogPosition | None) -> int:
    return -1 if position is None else position.offset
