"""A policy on disk: a JSON header and numpy arrays without pickle, in one atomic folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import CorpusIndexError
from kosim.encoders.storage import atomic_folder, read_json, sha256, write_json

Arrays = dict[str, npt.NDArray[np.float64]]

_FORMAT = 1
_HEADER, _ARRAYS = "policy.json", "arrays.npz"


def write_policy(
    folder: Path, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[np.float64]]
) -> None:
    """Write a policy in place of an older one.

    Raises:
        StorageError: the folder cannot be written.
    """
    with atomic_folder(folder, overwrite=True) as partial:
        with (partial / _ARRAYS).open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy types it as allow_pickle
        files = {"sha256": sha256(partial / _ARRAYS), "bytes": (partial / _ARRAYS).stat().st_size}
        write_json(partial / _HEADER, {"format": _FORMAT, "arrays": files, **header})


def read_policy(folder: Path) -> tuple[dict[str, Any], Arrays]:
    """Read a policy's header and arrays; nothing of an edited array file is parsed.

    Raises:
        CorpusIndexError: the policy is damaged, or of a newer format.
    """
    try:
        header = read_json(folder / _HEADER, error=CorpusIndexError)
        written = header["format"]
        if isinstance(written, int) and written > _FORMAT:
            raise CorpusIndexError(
                f"{folder} is of format {written}, newer than {_FORMAT}; upgrade kosim"
            )
        expected = header["arrays"]
        path = folder / _ARRAYS
        if path.stat().st_size != expected["bytes"] or sha256(path) != expected["sha256"]:
            raise ValueError(f"{_ARRAYS} is truncated or was edited")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name], dtype=np.float64) for name in stored.files}
    except CorpusIndexError:
        raise
    except Exception as error:  # numpy and zipfile fail on damaged content in many ways
        raise damaged(folder, str(error)) from error
    return header, arrays


def damaged(folder: Path, reason: str) -> CorpusIndexError:
    """Return the error that says a policy's files are not what was written."""
    return CorpusIndexError(
        f"the candidate policy {folder} is damaged ({reason}); delete that folder and fit it "
        "again with `kosim depth`"
    )
