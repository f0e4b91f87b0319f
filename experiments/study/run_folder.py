"""The folder of a run: started once, resumed after a kill, finished by its results."""

from __future__ import annotations

import os
import shutil
from itertools import count
from pathlib import Path

from kosim.encoders.errors import StorageError
from kosim.encoders.storage import write_text
from kosim.experiments.settings import RunSettings, read_settings

CONFIG = "config.toml"
RESULTS = "results.json"


def default_folder(name: str, *, again: bool) -> Path:
    """Return where a run goes that was given no place: ``runs/name``, ``runs/name-2``, ...

    The first that is free; with ``again`` (resumed or overwritten) ``runs/name`` itself.
    """
    first = Path("runs") / name
    if again or not first.exists():
        return first
    return next(folder for n in count(2) if not (folder := first.with_name(f"{name}-{n}")).exists())


def open_run(
    folder: Path, settings: RunSettings, *, resume: bool = False, overwrite: bool = False
) -> None:
    """Make the folder of a new run, or check that it can be resumed.

    Raises:
        StorageError: the folder holds something and neither ``resume`` nor ``overwrite`` is
            given, it is not a run at all, it is the run of other settings, or it cannot be
            written.
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            if overwrite:
                _check_is_run(folder)
                shutil.rmtree(folder)
            elif resume:
                _check_same(folder, settings)
            else:
                raise StorageError(
                    f"{folder} exists already; choose another --out, or give --resume to go on "
                    "with a killed run or --overwrite to replace it"
                )
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
    if not os.access(folder, os.W_OK):
        raise StorageError(f"cannot write {folder}: permission denied")
    if not (folder / CONFIG).is_file():
        write_text(folder / CONFIG, settings.to_toml())


def _check_is_run(folder: Path) -> None:
    if not (folder / CONFIG).is_file():
        raise StorageError(
            f"{folder} is not the folder of a run (it has no {CONFIG}), so it is not overwritten; "
            "remove it yourself or choose another --out"
        )


def _check_same(folder: Path, settings: RunSettings) -> None:
    path = folder / CONFIG
    if not path.is_file():
        raise StorageError(f"{folder} has no {CONFIG}, so there is no run to resume")
    before = type(settings).parse(read_settings(str(path)))
    # The evaluation may change: nothing that took long depends on it.
    neutral = {"evaluation": settings.evaluation, "name": settings.name}
    if before.model_copy(update=neutral) != settings:
        raise StorageError(
            f"{folder} holds a run with other settings (see {path}); give the same settings, "
            "choose another --out, or --overwrite it"
        )
