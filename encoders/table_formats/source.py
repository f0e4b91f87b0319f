"""The bytes of a file: opened once, unpacked within bounds, and named in messages."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from kosim.encoders.errors import DataError, printable

STANDARD_INPUT = "-"

HEAD = 1 << 16
"""Bytes of a file that are looked at to recognise what it holds."""

MOST_EXPANSION = 200
"""How many times its size a compressed file may unpack to; text seldom exceeds 20."""

EXPANSION_ALLOWED = 1 << 28
"""Bytes that any compressed file may unpack to, however small it is."""

_GZIP = b"\x1f\x8b"
_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/")
_KINDS = {
    stat.S_IFIFO: "a named pipe, which may never be written to; read it as standard input instead",
    stat.S_IFSOCK: "a socket; give a file",
    stat.S_IFBLK: "a device; give a file",
    stat.S_IFCHR: "a device; give a file",
}


def source_name(path: str | Path) -> str:
    """Return what a message calls the file."""
    return "standard input" if str(path) == STANDARD_INPUT else printable(path)


def is_rereadable(path: str | Path) -> bool:
    """Tell whether a file can be read more than once, unlike a pipe."""
    if str(path) == STANDARD_INPUT:
        return False
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return True  # it cannot be read at all, as reading it will say
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what goes wrong in reading bytes into an error that names the file.

    Raises:
        DataError: the file cannot be read or unpacked.
    """
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{name} is not a gzip file or is damaged ({error}); fetch or compress it again"
        ) from error
    except OSError as error:
        reason = printable(error.strerror or str(error).partition("\n")[0])
        raise DataError(f"cannot read {name}: {reason}; check the path") from error


class Source:
    """An open file: its ``name`` in messages, its first bytes, and its ``file``, unpacked.

    ``packed_size`` says of a compressed file how many of its bytes were read so far. ``largest``
    bounds the bytes that may be taken, where all of them are to be held in memory.
    """

    def __init__(
        self,
        name: str,
        file: BinaryIO,
        head: bytes,
        *,
        seekable: bool = False,
        packed_size: Callable[[], int] | None = None,
        largest: int | None = None,
    ) -> None:
        self.name = name
        self.file = file
        self.head = head
        self._seekable = seekable
        self._packed_size = packed_size
        self._largest = largest
        self._taken = 0

    def take(self, size: int) -> None:
        """Count bytes that were read or unpacked from the file.

        Raises:
            DataError: they are too many.
        """
        self._taken += size
        if self._largest is not None and self._taken > self._largest:
            raise DataError(
                f"{self.name} holds more than {_amount(self._largest)}, the limit for a table "
                "that is held in memory; split it or keep only the columns that are needed"
            )
        if self._packed_size is None or self._taken <= EXPANSION_ALLOWED:
            return
        if self._taken > MOST_EXPANSION * self._packed_size():
            raise DataError(
                f"{self.name} unpacks to over {_amount(EXPANSION_ALLOWED)} and more than "
                f"{MOST_EXPANSION} times its size; if it is sound, unpack it first"
            )

    @contextmanager
    def seekable(self) -> Iterator[BinaryIO]:
        """Yield the file so that it can be read from its end; a copy where it is a stream."""
        if self._seekable:
            yield self.file
            return
        with tempfile.TemporaryFile() as copy:
            while block := self.file.read(1 << 20):
                self.take(len(block))
                copy.write(block)
            copy.seek(0)
            yield cast(BinaryIO, copy)


def _amount(size: int) -> str:
    return f"{size >> 30} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"


class _Counted(io.RawIOBase):
    """A file that knows how many of its bytes were read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._file.read(len(buffer))
        buffer[: len(block)] = block
        self.count += len(block)
        return len(block)


class _Joined(io.RawIOBase):
    """What was read already, and then the rest of the file."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(block) :]
        buffer[: len(block)] = block
        return len(block)


@contextmanager
def open_source(path: str | Path, *, largest: int | None = None) -> Iterator[Source]:
    """Open a file once, unpack it if it is a gzip file, and look at its beginning.

    Args:
        path: a file; "-" is standard input.
        largest: the number of bytes that may be taken from it; None is any number.

    Raises:
        DataError: the file is missing, a folder, a named pipe or a device, or is called a gzip
            file and is none.
    """
    name = source_name(path)
    with reading(name), _opened(path, name) as (file, regular):
        head = _first_bytes(file)
        if head.startswith(_GZIP):
            packed = _Counted(_from_start(file, head, regular=regular))
            with gzip.open(io.BufferedReader(packed, HEAD)) as unpacked:
                inner = _first_bytes(cast(BinaryIO, unpacked))
                joined = cast(BinaryIO, io.BufferedReader(_Joined(inner, cast(Any, unpacked))))
                yield Source(name, joined, inner, packed_size=lambda: packed.count, largest=largest)
        elif head and Path(path).suffix.lower() == ".gz":
            raise DataError(
                f"{name} is not a gzip file or is damaged (it does not begin like one); fetch or "
                "compress it again"
            )
        else:
            start = _from_start(file, head, regular=regular)
            yield Source(name, start, head, seekable=regular, largest=largest)


@contextmanager
def _opened(path: str | Path, name: str) -> Iterator[tuple[BinaryIO, bool]]:
    """Yield the open file and whether it is an ordinary one."""
    if str(path) == STANDARD_INPUT:
        yield sys.stdin.buffer, False
        return
    if "\0" in str(path):
        raise DataError(f"cannot read {name}: no name holds a NUL character; check the path")
    opened = Path(path)
    mode = opened.stat().st_mode
    kind = _KINDS.get(stat.S_IFMT(mode))
    # A shell's <(command) is a pipe with a writer behind it: only those with a name can hang.
    if kind and not str(opened.absolute()).startswith((*_DESCRIPTORS, os.devnull)):
        raise DataError(f"{name} is {kind}")
    with opened.open("rb", buffering=HEAD) as file:
        yield file, stat.S_ISREG(mode)


def _first_bytes(file: BinaryIO) -> bytes:
    blocks, size = [], 0
    while size < HEAD and (block := file.read(HEAD - size)):
        blocks.append(block)
        size += len(block)
    return b"".join(blocks)


def _from_start(file: BinaryIO, head: bytes, *, regular: bool) -> BinaryIO:
    if regular:
        file.seek(0)
        return file
    return cast(BinaryIO, io.BufferedReader(_Joined(head, file), HEAD))
