"""Trials: an operation under one fault, and what must be there after it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.faults.operations import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]

KINDS = {
    "write": 1,
    "fsync": 2,
    "close": 4,
    "truncate": 8,
    "rename": 16,
    "mkdir": 32,
    "remove": 64,
}
ALL = sum(KINDS.values())
COUNT, FAIL, DIE_BEFORE, DIE_AFTER, TEAR = range(5)
UNCONFIRMED = "UnconfirmedWriteError"
"""The error that says that it does not know whether the change is in force."""


@dataclass(frozen=True)
class Fault:
    """What happens to call ``number`` of some kinds; ``sticky``: and to all after it."""

    kinds: int
    action: int
    number: int = 0
    error: int = 0
    sticky: bool = False

    @property
    def is_kill(self) -> bool:
        """Whether the process dies of it."""
        return self.action in (DIE_BEFORE, DIE_AFTER) or (self.action == TEAR and not self.error)

    def __str__(self) -> str:
        kinds = "+".join(name for name, bit in KINDS.items() if self.kinds & bit)
        what = ("count", "fail", "die before", "die after", "tear")[self.action]
        error = errno.errorcode.get(self.error, "")
        return f"{what} {kinds} {self.number} {error}{' and all after' if self.sticky else ''}"


def compiled_shim(folder: Path) -> Path | None:
    """Return the shim as a library, None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    shim = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl"], check=True)
    return shim


@dataclass
class Report:
    """What was tried and what went wrong."""

    errors: int = 0
    kills: int = 0
    full: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ends = ", ".join(f"{name} {count:,}" for name, count in sorted(self.ends.items()))
        return (
            f"{self.errors:,} injected errors, {self.kills:,} kills, {self.full:,} operations on a "
            f"full disk ({ends}); {len(self.failures):,} failures"
        )


class Trials:
    """Runs trials of the operations in a folder; used in a ``with``."""

    def __init__(self, folder: Path, shim: Path | None) -> None:
        self.folder = folder
        self._shim = shim
        self._servers: dict[bool, subprocess.Popen[str]] = {}
        self._states: dict[str, tuple[str, str]] = {}
        self._tallies: dict[str, dict[str, int]] = {}
        self.report = Report()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for server in self._servers.values():
            server.communicate()

    def ask(self, do: str, operation: str, work: Path, **more: Any) -> dict[str, Any]:
        """Let the server do something."""
        request = {"do": do, "operation": operation, "work": str(work), **more}
        server = self._server(OPERATIONS[operation].needs_torch)
        server.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
        server.stdin.flush()  # type: ignore[union-attr]
        answer: dict[str, Any] = json.loads(server.stdout.readline())  # type: ignore[union-attr]
        return answer

    def _server(self, needs_torch: bool) -> subprocess.Popen[str]:
        if needs_torch not in self._servers:
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
            if self._shim is not None:
                environment["LD_PRELOAD"] = str(self._shim)
            self._servers[needs_torch] = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.server"]
                + ([str(self.folder)] if needs_torch else []),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                cwd=ROOT,
                text=True,
            )
        return self._servers[needs_torch]

    def states(self, operation: str) -> tuple[str, str]:
        """Return what is there before and after an undisturbed operation."""
        if operation not in self._states:
            kept, work = self._kept(operation), self.work
            kept.mkdir()
            self._must(self.ask("prepare", operation, kept))
            self.ask("fresh", operation, work, **self._from(operation))
            # Of a copy: reading may store what is derived.
            before = self._must(self.ask("read", operation, work))
            self.ask("fresh", operation, work, **self._from(operation))
            self._must(self.ask("run", operation, work))
            self._states[operation] = before, self._must(self.ask("read", operation, work))
        return self._states[operation]

    def count(self, operation: str, kinds: int = ALL) -> int:
        """Return how many calls of some kinds an operation makes."""
        if operation not in self._tallies:
            self.states(operation)
            self.ask("fresh", operation, self.work, **self._from(operation))
            fault = {"kinds": ALL, "action": COUNT}
            self._tallies[operation] = self._must(
                self.ask("run", operation, self.work, fault=fault)
            )
        tally = self._tallies[operation]
        return sum(tally[name] for name, bit in KINDS.items() if kinds & bit)

    def run(self, operation: str, fault: Fault) -> None:
        """Carry an operation out under a fault, and note what is wrong afterwards."""
        before, after = self.states(operation)
        more = {"kill": fault.is_kill, "before": before, "after": after}
        trial = self.ask(
            "trial", operation, self.work, **self._from(operation), fault=vars(fault), **more
        )
        if fault.is_kill:
            self.report.kills += trial["end"]["end"] == "killed"
        else:
            self.report.errors += 1
        self._note(operation, str(fault), trial)

    def run_on(self, operation: str, disk: str, state: AbstractContextManager[None]) -> None:
        """Carry an operation out while a disk is in some state, and note what is wrong then."""
        before, after = self.states(operation)
        self.ask("fresh", operation, self.work, **self._from(operation))
        with state:
            end = self.ask("run", operation, self.work)
        trial = {"end": end, "found": self.ask("read", operation, self.work)}
        if trial["found"].get("value") == before != after:
            trial["again"] = self.ask("repeat", operation, self.work)
        self.report.full += 1
        self._note(operation, disk, trial)

    def _note(self, operation: str, disturbance: str, trial: dict[str, Any]) -> None:
        end = trial["end"]
        self.report.ends[end.get("type", end["end"])] += 1
        for problem in self._problems(trial, *self.states(operation)):
            self.report.failures.append(f"{operation}, {disturbance}: {problem}; it said {end}")

    @staticmethod
    def _problems(trial: dict[str, Any], before: str, after: str) -> Iterator[str]:
        end, found = trial["end"], trial["found"]
        if end["end"] == "crashed":
            yield "traceback"
        if end["end"] == "refused" and "\n" in end["message"]:
            yield "more than one line"
        allowed = {"done": {after}, "refused": {before}}.get(end["end"], {before, after})
        if end.get("type") == UNCONFIRMED:
            allowed = {before, after}
        if found["end"] != "done":
            yield f"cannot be read: {found}"
        elif found["value"] not in allowed:
            other = {before: "as before", after: "as after"}.get(found["value"], found["value"])
            yield f"it is {other}"
        elif "again" in trial and trial["again"].get("value") != after:
            yield f"cannot be done again: {trial['again']}"

    @property
    def work(self) -> Path:
        """The folder that the operations change."""
        return self.folder / "work"

    def _from(self, operation: str) -> dict[str, str]:
        return {"from": str(self._kept(operation))}

    def _kept(self, operation: str) -> Path:
        return self.folder / f"before {operation}"

    @staticmethod
    def _must(answer: dict[str, Any]) -> Any:
        if answer["end"] != "done":
            raise AssertionError(answer.get("traceback", answer))
        return answer["value"]


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder in memory, where there is such a file system."""
    memory = Path("/dev/shm")
    parent = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="kosim-faults-", dir=parent)
