"""The folder of a run: one writer at a time, resumed after a kill, finished by its results."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path

from kosim.encoders.errors import StorageError
from kosim.encoders.sole_writer import HELD, sole_writer
from kosim.encoders.storage import write_text
from kosim.experiments.settings import StudySettings, read_settings
from kosim.experiments.study.results import RESULTS

CONFIG = "config.toml"


def default_folder(name: str, *, again: bool) -> Path:
    """Return where a run goes that was given no folder: ``runs/name``, ``runs/name-2``, ...

    The first that is free; with ``again`` (resumed or overwritten) ``runs/name`` itself.
    """
    first = Path("runs") / name
    if again or not first.exists():
        return first
    return next(folder for n in count(2) if not (folder := first.with_name(f"{name}-{n}")).exists())


def interrupted_folder(name: str) -> Path:
    """Return the newest of ``runs/name``, ``runs/name-2``, ... that was begun and not finished.

    Raises:
        StorageError: there is none.
    """
    numbered = (Path("runs") / (name if n == 1 else f"{name}-{n}") for n in count(1))
    begun = list(takewhile(Path.is_dir, numbered))
    for folder in reversed(begun):
        if not (folder / RESULTS).is_file():
            return folder
    said = f"the finished ones are {', '.join(map(str, begun))}" if begun else "there is no run"
    raise StorageError(
        f"no run of {name} was interrupted, {said}; leave --resume out, or name a folder with --out"
    )


def choose_folder(
    name: str, out: str | Path | None, *, resume: bool = False, overwrite: bool = False
) -> Path:
    """Return the folder of a run: ``out``, or one in ``runs`` by the run's name.

    Raises:
        StorageError: a run is to be resumed and none of that name was interrupted.
    """
    if out is not None:
        return Path(out)
    return interrupted_folder(name) if resume else default_folder(name, again=overwrite)


@contextmanager
def open_run(
    folder: Path,
    settings: StudySettings | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    ready: Callable[[], None] | None = None,
) -> Iterator[Path]:
    """Hold the folder of a run while it is written; one that wrote only its settings leaves none.

    Args:
        folder: made where it is not there.
        settings: kept in the folder; a run can only be resumed with the same ones.
        resume: go on with what a killed run left.
        overwrite: remove an earlier run first.
        ready: what refuses the run by raising, before anything in the folder is changed.

    Raises:
        StorageError: the folder holds something and neither ``resume`` nor ``overwrite`` is
            given, it is not a run at all, it is the run of other settings, another process
            writes to it, or it cannot be written.
    """
    try:
        _check(folder, settings, resume=resume, overwrite=overwrite)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
    with sole_writer(folder, advice="choose another --out"):
        try:
            if ready is not None:
                ready()
            if overwrite:
                _empty(folder)
            if settings is not None and not (folder / CONFIG).is_file():
                write_text(folder / CONFIG, settings.to_toml())
            yield folder
        finally:
            if all(path.name == CONFIG for path in _content(folder)):
                shutil.rmtree(folder, ignore_errors=True)


def _content(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name not in HELD] if folder.exists() else []


def _empty(folder: Path) -> None:
    for path in _content(folder):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _check(folder: Path, settings: StudySettings | None, *, resume: bool, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is a file; choose another --out")
    if not _content(folder):
        return
    marker = CONFIG if settings is not None else RESULTS
    if overwrite:
        if not (folder / marker).is_file():
            raise StorageError(
                f"{folder} is not the folder of a run (it has no {marker}), so it is not "
                "overwritten; remove it yourself or choose another --out"
            )
    elif not resume:
        advice = "give --resume to continue a killed run or --overwrite to replace it"
        raise StorageError(
            f"{folder} exists already; choose another --out, or "
            f"{advice if settings is not None else '--overwrite it'}"
        )
    elif settings is not None:
        _check_same(folder, settings)


def _check_same(folder: Path, settings: StudySettings) -> None:
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
