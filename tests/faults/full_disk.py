"""A disk that is full now and then, during every operation: a small file system that is filled.

``python -m tests.faults.full_disk --trials 2000``; mounting takes root on Linux.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.operations import OPERATIONS
from tests.faults.trials import Trials

SIZE = 64 << 20
_ROOM = 1 << 19
"""Bytes that are left at most: about what the largest operation needs."""
_PAUSE = 0.003


class SmallDisk:
    """A file system in memory whose room is taken by a file of this object."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def leave(self, room: int) -> None:
        """Let so many bytes be free, or fewer."""
        with self._filler.open("wb") as file:
            state = os.statvfs(self.folder)
            size = state.f_bavail * state.f_frsize - room
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, max(size, 1))

    def free(self) -> None:
        """Let everything be free."""
        self._filler.unlink(missing_ok=True)

    @contextmanager
    def full_now_and_then(self, draw: random.Random) -> Iterator[None]:
        """Fill and free the disk again and again in the meantime."""
        stop = threading.Event()

        def change() -> None:
            while not stop.is_set():
                self.leave(draw.choice((0, 0, 4096, draw.randrange(_ROOM))))
                time.sleep(draw.random() * _PAUSE)
                self.free()
                time.sleep(draw.random() * _PAUSE)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.free()

    @contextmanager
    def with_room(self, room: int) -> Iterator[None]:
        """Leave so many bytes in the meantime."""
        self.leave(room)
        try:
            yield
        finally:
            self.free()


@contextmanager
def small_disk() -> Iterator[SmallDisk | None]:
    """Mount a small file system; None where that is not allowed."""
    with tempfile.TemporaryDirectory(prefix="kosim-disk-") as name:
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", name]
        try:
            allowed = subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            allowed = False
        if not allowed:
            yield None
            return
        try:
            yield SmallDisk(Path(name))
        finally:
            subprocess.run(["umount", "-l", name], check=True)


def sweep(
    trials: Trials,
    disk: SmallDisk,
    operations: list[str],
    *,
    count: int,
    seconds: float,
    seed: int = 0,
) -> None:
    """Run operations while the disk is full now and then, or has too little room."""
    draw = random.Random(seed)
    for operation in operations:
        trials.states(operation)
    deadline = time.monotonic() + seconds
    for number in range(count):
        if time.monotonic() > deadline:
            return
        operation = operations[number % len(operations)]
        if draw.random() < 0.5:
            room = 4096 * draw.randrange(_ROOM // 4096)
            trials.run_on(operation, f"{room} bytes left", disk.with_room(room))
        else:
            trials.run_on(operation, "full now and then", disk.full_now_and_then(draw))


def main() -> int:
    """Run the sweep that the arguments describe and say what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2_000, help="Operations to carry out.")
    parser.add_argument("--minutes", type=float, default=20, help="Time limit.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the moments.")
    options = parser.parse_args()
    light = [name for name, each in OPERATIONS.items() if not each.needs_torch]
    with small_disk() as disk:
        if disk is None:
            sys.stdout.write("a file system cannot be mounted here: no disk was filled\n")
            return 0
        with Trials(disk.folder, None) as trials:
            sweep(
                trials,
                disk,
                light,
                count=options.trials,
                seconds=60 * options.minutes,
                seed=options.seed,
            )
    sys.stdout.write("".join(f"{failure}\n" for failure in trials.report.failures))
    sys.stdout.write(f"{trials.report}\n")
    return 1 if trials.report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
