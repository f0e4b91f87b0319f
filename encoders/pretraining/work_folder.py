"""Where a long run keeps what it needs to go on after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from kosim.encoders.errors import StorageError, printable
from kosim.encoders.sole_writer import HELD, sole_writer
from kosim.encoders.storage import check_output, read_json, read_versioned_json, write_json

_SETTINGS, _PLAN = "settings.json", "plan.json"


class _Plan(BaseModel):
    steps: int = Field(ge=0)


class WorkFolder:
    """The hidden folder beside what a run will write: settings, plan, tokens and checkpoints.

    It is there from the start of a run until its result is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    @contextmanager
    def open(cls, out: Path, settings: dict[str, Any], *, overwrite: bool) -> Iterator[WorkFolder]:
        """Make and hold the folder of a run that will write ``out``, or go on with a killed one.

        Args:
            out: where the result will be.
            settings: everything that decides the result, as JSON has it.
            overwrite: replace a result that is there, and a killed run of other settings.

        Raises:
            StorageError: ``out`` is there, or a killed run of other settings is, and
                ``overwrite`` is false; another process runs there; or the folder cannot be
                written.
        """
        check_output(out, overwrite=overwrite)
        path = out.with_name(f".{out.name}.work")
        before = path / _SETTINGS
        with sole_writer(path, "give another --out"):
            remedy = f"remove the folder {path}"
            known = (
                read_json(before, error=StorageError, remedy=remedy) if before.is_file() else None
            )
            if known != settings:
                if known is not None and not overwrite:
                    changed = sorted(
                        name
                        for name in {*known, *settings}
                        if known.get(name) != settings.get(name)
                    )
                    names = printable(", ".join(changed))
                    raise StorageError(
                        f"{path} holds a killed run with other settings ({names}); give the same "
                        "ones to continue, or overwrite it"
                    )
                _clear(path)
            write_json(before, settings)
            yield cls(path)

    def planned(self, measure: Callable[[], int]) -> int:
        """Return the steps of the run: measured once, then always the same."""
        plan = self.path / _PLAN
        if not plan.is_file():
            write_json(plan, {"steps": measure()})
        remedy = f"remove the folder {self.path}"
        return read_versioned_json(plan, _Plan, newest=1, error=StorageError, remedy=remedy).steps

    def close(self) -> None:
        """Remove the folder; the result is written."""
        shutil.rmtree(self.path)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in HELD:
            path.unlink()
