"""Bearer keys: who may ask."""

from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.tables import read_lines
from kosim.serving.problems import Problem

_SHORTEST = 16


class Keys:
    """The keys of a server; without any, everybody may ask."""

    def __init__(self, keys: list[str]) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    @classmethod
    def read(cls, path: Path | None) -> Keys:
        """Read a file of keys: one a line, blank lines and those that begin with ``#`` left out.

        Raises:
            ConfigError: it is not a regular file, others than its owner can read or write it, or it
                has no key, or a short one.
            DataError: the file is not there, cannot be read or is not UTF-8.
        """
        if path is None:
            return cls([])
        _check_privacy(path)
        lines = [line.strip() for line in read_lines(path)]
        keys = [line for line in lines if line and not line.startswith("#")]
        if not keys:
            raise ConfigError(f"{path} has no key; write one a line")
        if short := [number for number, key in enumerate(keys, 1) if len(key) < _SHORTEST]:
            raise ConfigError(
                f"{path}: key {short[0]} has fewer than {_SHORTEST} characters; make one with "
                "`openssl rand -hex 32`"
            )
        return cls(keys)

    @property
    def needed(self) -> bool:
        """Whether a request needs a key."""
        return bool(self._digests)

    def check(self, authorization: str | None) -> None:
        """Check the header of a request.

        Every key is compared, each in constant time, so that the time tells nothing of them.

        Raises:
            Problem: 401, there is no key or no right one.
        """
        if not self.needed:
            return
        scheme, _, given = (authorization or "").partition(" ")
        # Servers read a header's bytes as Latin-1, whatever they are.
        digest = _digest(given.strip(" ").encode("latin-1"))
        known = [hmac.compare_digest(digest, key) for key in self._digests]
        if scheme.lower() != "bearer" or not any(known):
            raise Problem(
                401, "unauthorized", "this server needs a key: `Authorization: Bearer KEY`"
            )


def _check_privacy(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; give a file of keys") from error
    if not stat.S_ISREG(mode):
        raise ConfigError(f"{path} is not a regular file; give a file of keys, one a line")
    permissions = stat.S_IMODE(mode)
    if permissions & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{path} can be read or written by others than its owner (mode {permissions:04o}); say "
            f"`chmod 600 {path}`"
        )


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
