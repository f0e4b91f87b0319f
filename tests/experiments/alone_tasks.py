"""Tasks for processes of their own, and their stand-in; without libraries, so quick to import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from kosim.experiments.speed.processes import peak_memory


def in_this_process(task: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Do what `alone` does without the seconds in which a new process imports the libraries."""
    return task(time.monotonic(), *arguments, **options)


def report(started: float) -> tuple[float, int, int]:
    return started, os.getpid(), peak_memory()


def touch(_started: float, mebibytes: int) -> int:
    bytearray(b"x") * (mebibytes << 20)
    return peak_memory()


def die(_started: float) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
