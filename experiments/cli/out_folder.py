"""``--out``: the folder that a command writes."""

from __future__ import annotations

from pathlib import Path

from kosim.encoders.errors import StorageError


def check_free(out: Path, *, overwrite: bool) -> None:
    """Check, before anything takes time, that a command may write its folder.

    Raises:
        StorageError: something is there, and is not to be replaced.
    """
    if out.exists() and not overwrite:
        raise StorageError(f"{out} exists already; choose another --out, or give --overwrite")
