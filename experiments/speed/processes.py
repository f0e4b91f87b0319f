"""Running a task in a process of its own, so that its memory and its start are its own."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, TypeVar

from kosim.encoders.errors import KosimError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def alone(
    task: Callable[Concatenate[float, Arguments], Result],
    /,
    *arguments: Arguments.args,
    **options: Arguments.kwargs,
) -> Result:
    """Return what ``task`` returns in a new process.

    It is first given the reading of `monotonic` at which the process was started; all
    processes of a machine share that clock.

    Raises:
        KosimError: the process was killed, or what the task itself raises.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(task, time.monotonic(), *arguments, **options).result()
        except BrokenProcessPool as error:
            raise KosimError(
                "a measuring process was killed, most likely because memory ran out; measure less "
                "at a time"
            ) from error


def peak_memory(process: int | Literal["self"] = "self") -> int:
    """Return the most resident memory that a process has had, in bytes; this one's by default.

    Not getrusage's, which a process inherits from the one that started it.
    """
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
