"""The only writer of artifacts, and the reader of their JSON: what becomes visible is whole.

A file is written under a temporary name in its own folder, flushed to the disk and renamed. A
folder is filled under a temporary name beside its target, flushed and exchanged with what is
there. A crash leaves at worst a hidden temporary entry, which the next write of the same name
removes. Where the file system cannot exchange two folders, an overwrite renames twice; killed
between the two it leaves the old folder as ``.NAME.retired``, which `put_back` finds.

A temporary entry is locked by the process that fills it, so that another one neither removes it
nor takes it for a leftover.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from kosim.encoders.errors import KosimError, StorageError, UnconfirmedWriteError, printable

_BLOCK = 1 << 20
_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux."""
_CANNOT_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV}
_RUST_ERROR = "(os error "
_LARGEST_JSON = 1 << 26
"""Bytes of a JSON file that is read: far more than any of ours has."""
_FORMATS = 1_000
"""A higher number is no format of ours, now or later."""

Model = TypeVar("Model", bound=BaseModel)


def named(path: Path) -> Path:
    """Return a path that has a name: ``.`` is the folder that it stands for."""
    return path if path.name else path.absolute()


def _temporary(target: Path) -> Path:
    return _sibling(target, "partial")


def _retired(target: Path) -> Path:
    return _sibling(target, "retired")


def _sibling(target: Path, suffix: str) -> Path:
    whole = named(target)  # only the root has no name now
    return whole.with_name(f".{whole.name}.{suffix}") if whole.name else whole / f".{suffix}"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_alike(folder: Path) -> None:
    """Give every file the permissions that the umask leaves, which the folder has.

    Some libraries let only the user read what they write.
    """
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o777 != mode:
            path.chmod(mode)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _as_storage_error(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(f"cannot write {target}: {reason}; nothing was changed there") from error
    except UnconfirmedWriteError as error:  # of a file in a folder that is given up with it
        raise StorageError(
            f"cannot write {target}: {error.__cause__}; nothing was changed there"
        ) from error
    except Exception as error:
        # safetensors and tokenizers hide a full disk, the one in a type of its own.
        hides = type(error) is Exception or type(error).__name__ == "SafetensorError"
        if not hides or _RUST_ERROR not in str(error):
            raise
        raise StorageError(f"cannot write {target}: {error}; nothing was changed there") from error


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; on success it becomes ``target``.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
        UnconfirmedWriteError: the file is in force, but its folder could not be flushed.
    """
    with _as_storage_error(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _temporary(target)
        with _claimed(partial, target, partial.touch):
            yield partial
            _sync(partial)
            partial.replace(target)
    _confirm(target)


@contextmanager
def atomic_folder(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty temporary folder to fill; on success it becomes ``target``.

    Raises:
        StorageError: ``target`` exists and ``overwrite`` is false, the disk is full, another
            process is writing it, or the parent folder cannot be written.
        UnconfirmedWriteError: the folder is in force, but its parent could not be flushed.
    """
    with _as_storage_error(target):
        check_output(target, overwrite=overwrite)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _temporary(target)
        with _claimed(partial, target, partial.mkdir):
            yield partial
            _make_alike(partial)
            for path in sorted(partial.rglob("*"), reverse=True):
                _sync(path)
            _sync(partial)
            _put_in_force(partial, target)
    _confirm(target)
    for old in (partial, _retired(target)):
        with suppress(OSError):
            _remove(old)


@contextmanager
def _claimed(partial: Path, target: Path, make: Callable[[], object]) -> Iterator[None]:
    """Make a temporary entry that belongs to this process until it is in force or given up."""
    if _is_there(partial):
        if _is_locked(partial):
            raise StorageError(f"another process is writing {target}; wait for it, or end it")
        _remove(partial)
    make()
    descriptor = os.open(partial, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(descriptor)
        yield
    except BaseException:
        with suppress(OSError):
            _remove(partial)
        raise
    finally:
        with suppress(OSError):
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock an open file or folder; return whether another process has locked it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # The file system knows no locks.
    return False


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _put_in_force(partial: Path, target: Path) -> None:
    """Move ``partial`` to ``target``; what was there is put back when that fails."""
    if not _is_there(target):
        partial.rename(target)
        return
    if _exchanged(partial, target):
        return
    retired = _retired(target)
    _remove(retired)
    target.rename(retired)
    try:
        partial.rename(target)
    except OSError:
        retired.rename(target)
        raise


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; return whether system and file system can do that."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), os.fspath(other))


def _confirm(target: Path) -> None:
    """Flush the folder of ``target``, so that its new content survives a power failure."""
    try:
        _sync(target.parent)
    except OSError as error:
        raise UnconfirmedWriteError(
            f"{target} was written, but {target.parent} could not be flushed ({error.strerror}): "
            "a power failure may bring back what was there before; check the disk"
        ) from error


def put_back(target: Path) -> None:
    """Put back what an overwrite moved away that was killed before it was finished.

    To be called where ``target`` is to be read or written; nothing happens where nothing is left.
    Where both an old and a new folder are left the old one comes back: the new one was never
    reported as written.

    Raises:
        StorageError: it is left and cannot be put back.
    """
    retired = _retired(target)
    try:
        if _is_there(target) or not _is_there(retired) or _is_locked(_temporary(target)):
            return
    except OSError:
        return  # Whoever reads or writes the target says what is wrong with its name.
    try:
        retired.rename(target)
    except OSError as error:
        if not _is_there(target):
            raise StorageError(
                f"{target} was left as {retired} when it was being replaced, and cannot be put "
                f"back ({error.strerror}); rename it"
            ) from error


def check_output(target: Path, *, overwrite: bool = False) -> None:
    """Check that a folder or file may be written, before the work that it is written for.

    Raises:
        StorageError: ``target`` exists and ``overwrite`` is false, or it cannot be written.
    """
    with _as_storage_error(target):
        put_back(target)
        if not named(target).name:
            raise StorageError(f"{target} is the root of all files; choose a folder in it")
        if _is_there(target) and not overwrite:
            raise StorageError(f"{target} exists already; choose another name, or overwrite it")
        parent = next(path for path in target.absolute().parents if _is_there(path))
        if not parent.is_dir():
            raise StorageError(f"cannot write {target}: {parent} is not a folder; choose another")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise StorageError(
                f"cannot write {target}: {parent} does not allow it; choose another folder, or "
                "change its permissions"
            )


def _is_there(path: Path) -> bool:
    """Return whether something has that name, also a link to nowhere.

    Raises:
        OSError: the file system refuses the name.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def write_text(target: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_file(target) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, atomically; NaN and infinity are refused.

    Raises:
        ValueError: a number in ``value`` is not finite.
    """
    write_text(target, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def content_checksum(content: dict[str, Any]) -> str:
    """Return the SHA-256 of a JSON object without its key ``checksum``, in any order of keys."""
    rest = {name: value for name, value in content.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_json(path: Path, *, error: type[KosimError], remedy: str = "restore it") -> dict[str, Any]:
    """Read a JSON object from a plain file of at most 64 MiB; every number in it is finite.

    Args:
        path: a plain file.
        error: raised where the file cannot be used.
        remedy: what to do about a damaged file, for the message.

    Raises:
        KosimError: of the type ``error``; the file is missing, unreadable, too large, or holds
            no JSON object, a number that is not finite, or half a character.
    """
    return parse_json(_content(path, error, remedy), path, error=error, remedy=remedy)


def read_versioned_json(
    path: Path,
    model: type[Model],
    *,
    newest: int,
    error: type[KosimError],
    remedy: str = "restore it",
) -> Model:
    """Read a JSON object that names its format, and check every field of it.

    Args:
        path: a plain file.
        model: what it must hold, with a field ``format``.
        newest: the highest format that this version of kosim reads, from 1.
        error: raised where the file cannot be used.
        remedy: what to do about a damaged file, for the message.

    Raises:
        KosimError: of the type ``error``; as for `read_json`, or the file is of a newer
            format, or a field of it is wrong.
    """
    content = _content(path, error, remedy)
    return parse_versioned_json(content, path, model, newest=newest, error=error, remedy=remedy)


def _content(path: Path, error: type[KosimError], remedy: str) -> bytes:
    try:
        if not path.is_file():  # also a named pipe, which would never end
            raise error(f"{path} does not exist, or is not a file; {remedy}")
        with path.open("rb") as file:
            return file.read(_LARGEST_JSON + 1)
    except OSError as reason:
        raise error(f"cannot read {path}: {reason.strerror or reason}") from reason


def parse_json(
    content: bytes, path: Path, *, error: type[KosimError], remedy: str = "restore it"
) -> dict[str, Any]:
    """Return what `read_json` does, for a file at ``path`` that was read already.

    Raises:
        KosimError: as there.
    """
    if len(content) > _LARGEST_JSON:
        raise error(f"{path} is larger than {_LARGEST_JSON >> 20} MiB; {remedy}")
    try:
        value = json.loads(
            content.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
        )
        if b"\\u" in content:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as reason:
        raise error(f"{path} is damaged: not readable as JSON ({reason}); {remedy}") from reason
    if not isinstance(value, dict):
        raise error(f"{path} is damaged: it holds no JSON object; {remedy}")
    return value


def parse_versioned_json(
    content: bytes,
    path: Path,
    model: type[Model],
    *,
    newest: int,
    error: type[KosimError],
    remedy: str = "restore it",
) -> Model:
    """Return what `read_versioned_json` does, for a file at ``path`` that was read already.

    Raises:
        KosimError: as there.
    """
    value = parse_json(content, path, error=error, remedy=remedy)
    version = value.get("format", 1)
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= _FORMATS:
        shown = repr(version)[:40]
        raise error(f"{path} is damaged: format {shown} is not a format number; {remedy}")
    if version > newest:
        raise error(f"{path} is of format {version}, newer than {newest}; upgrade kosim")
    try:
        return model.model_validate(value)
    except ValidationError as reason:
        first = reason.errors()[0]
        field = printable(".".join(str(part) for part in first["loc"])) or "the whole"
        raise error(f"{path} is not valid at {field}: {first['msg']}; {remedy}") from reason


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:40]} is too large for a number")
    return value
