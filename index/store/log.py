"""The append-only log of additions and removals since the last generation.

A file: a head (magic, format), then records one after another. A record: a head of 24 bytes
(magic, CRC-32 of the record before, length of the payload, CRC-32 of the payload, CRC-32 of this
head so far), then the payload: 4 bytes with the length of a JSON text, that text (removed ids and
added documents), and the added vectors as raw little-endian float32.

A record is appended by one write, followed by one fsync, so a writer that is killed or loses its
power leaves a part of it from its beginning. The *torn tail* of such a writer is therefore one
that ends too early: fewer bytes than a head, or a sound head whose payload reaches beyond the end
of the file. Readers ignore it and the next writer cuts it off. Everything else that does not fit
(a wrong CRC though all bytes are there, a head that is no head) is *damage* and refused: it cannot
have come from a writer that stopped. (File systems that extend a file before they store its
content may show such damage after a power failure; then refusing is the safe side.)

A writer cuts a record off again when it cannot be flushed, and a reader may have seen it. A reader
that goes on therefore first looks whether the last record that it has read is still there; and
each record carries the CRC of the one before it, so that none can follow another than its own.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import TypeAdapter, ValidationError

from kosim.encoders.durable_file import DurableFile
from kosim.encoders.errors import CorpusIndexError, StorageError, UnconfirmedWriteError
from kosim.index.store.block import Block

_FILE_HEAD = b"KOSIMLOG\x01\x00\x00\x00"
_MAGIC = b"KREC"
_HEAD = struct.Struct("<4sIQII")
_JSON_LENGTH = struct.Struct("<I")
_CHECKED = _HEAD.size - 4


@dataclass(frozen=True)
class Change:
    """What one operation changes: first ``removed`` ids go, then ``added`` documents come."""

    removed: list[str]
    added: Block


@dataclass(frozen=True)
class LogPosition:
    """A position between two records: ``offset`` in bytes, and the record before it.

    Of that record ``previous`` is the CRC of its payload and ``record`` the offset of its head.
    """

    offset: int
    previous: int
    record: int = 0


START = LogPosition(len(_FILE_HEAD), 0)

_Json = TypeAdapter(tuple[list[str], list[str], list[str], list[str]])


class BrokenChainError(Exception):
    """The record at a position does not follow the one that was read before it."""


def create_log(path: Path) -> None:
    """Write an empty log and flush it to the disk."""
    with DurableFile(path) as file:
        file.write(_FILE_HEAD)


def encode_change(change: Change) -> bytes:
    """Return the payload of a record."""
    added = change.added
    text = _Json.dump_json((change.removed, added.ids, added.texts, added.extras))
    vectors = np.ascontiguousarray(added.vectors, dtype="<f4").tobytes()
    return _JSON_LENGTH.pack(len(text)) + text + vectors


def append(path: Path, position: LogPosition, payload: bytes) -> LogPosition:
    """Append a record at ``position``, cutting off what stands behind it, and flush it.

    Returns:
        The position after it.

    Raises:
        StorageError: the disk is full or the log cannot be written; it is as it was.
        UnconfirmedWriteError: it could neither be written whole nor be cut off again.
    """
    crc = zlib.crc32(payload)
    head = _HEAD.pack(_MAGIC, position.previous, len(payload), crc, 0)[:_CHECKED]
    record = memoryview(head + struct.pack("<I", zlib.crc32(head)) + payload)
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        _append(path, descriptor, position.offset, record)
    finally:
        # The record is flushed, or is gone: what closing says changes nothing.
        with suppress(OSError):
            os.close(descriptor)
    return LogPosition(position.offset + _HEAD.size + len(payload), crc, position.offset)


def _append(path: Path, descriptor: int, offset: int, record: memoryview) -> None:
    try:
        os.ftruncate(descriptor, offset)
        os.lseek(descriptor, offset, os.SEEK_SET)
        while record:
            record = record[os.write(descriptor, record) :]
        os.fsync(descriptor)
    except BaseException as error:
        try:
            os.ftruncate(descriptor, offset)
        except OSError as second:
            raise UnconfirmedWriteError(
                f"cannot write {path} ({error}), nor cut it off again ({second.strerror}): the "
                "change may be in force or not; check the disk, then look for the documents"
            ) from error
        if isinstance(error, OSError):
            raise _not_written(path, error) from error
        raise


def _not_written(path: Path, error: OSError) -> StorageError:
    return StorageError(f"cannot write {path}: {error.strerror}; the index was left as it was")


def read_changes(
    path: Path, position: LogPosition, dimension: int
) -> Iterator[tuple[Change, LogPosition]]:
    """Yield the changes from ``position`` on, each with the position after it.

    Raises:
        FileNotFoundError: the log is gone: a newer generation may have deleted it.
        BrokenChainError: the log is not the one that was read up to ``position``.
        CorpusIndexError: the log is damaged.
    """
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        if file.read(len(_FILE_HEAD)) != _FILE_HEAD:
            raise CorpusIndexError(f"{path} is damaged: it is not the log of an index; restore it")
        if end < position.offset:
            raise BrokenChainError
        _check_continues(file, position)
        while end - position.offset >= _HEAD.size:
            head = file.read(_HEAD.size)
            magic, previous, length, payload_crc, head_crc = _HEAD.unpack(head)
            if magic != _MAGIC or zlib.crc32(head[:_CHECKED]) != head_crc:
                raise _damaged(path, position, "the head of a record is damaged")
            if previous != position.previous:
                if position != START:
                    raise BrokenChainError
                raise _damaged(path, position, "a record is not the first one")
            if length > end - position.offset - _HEAD.size:
                return
            payload = file.read(length)
            if zlib.crc32(payload) != payload_crc:
                raise _damaged(path, position, "the content of a record is damaged")
            change = _decode(path, position, payload, dimension)
            end_of_record = position.offset + _HEAD.size + length
            position = LogPosition(end_of_record, payload_crc, position.offset)
            yield change, position


def _check_continues(file: BinaryIO, position: LogPosition) -> None:
    """Go to ``position``, if the record that was read before it is still there."""
    if position != START:
        file.seek(position.record)
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise BrokenChainError
        magic, _, length, payload_crc, head_crc = _HEAD.unpack(head)
        same = magic == _MAGIC and zlib.crc32(head[:_CHECKED]) == head_crc
        end = position.record + _HEAD.size + length
        if not same or (end, payload_crc) != (position.offset, position.previous):
            raise BrokenChainError
    file.seek(position.offset)


def _decode(path: Path, position: LogPosition, payload: bytes, dimension: int) -> Change:
    try:
        (length,) = _JSON_LENGTH.unpack_from(payload)
        start = _JSON_LENGTH.size + length
        removed, ids, texts, extras = _Json.validate_json(payload[_JSON_LENGTH.size : start])
        if not len(ids) == len(texts) == len(extras):
            raise ValueError("ids, texts and extra values differ in number")
        vectors = np.frombuffer(payload[start:], dtype="<f4").reshape(len(ids), dimension)
    except (ValueError, struct.error, ValidationError) as error:
        reason = str(error).partition("\n")[0]
        raise _damaged(path, position, f"a record cannot be read ({reason})") from error
    return Change(removed, Block(ids, texts, extras, vectors.astype(np.float32, copy=False)))


def _damaged(path: Path, position: LogPosition, reason: str) -> CorpusIndexError:
    return CorpusIndexError(
        f"{path} is damaged at byte {position.offset}: {reason}; restore or rebuild the index"
    )
