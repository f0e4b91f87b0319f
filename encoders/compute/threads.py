"""How many threads a network computes with, whether or not torch is in this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_chosen: int | None = None


def thread_count() -> int:
    """Return the threads that one network computes with.

    They are as many as were set, as torch has where it is imported, as ``OMP_NUM_THREADS`` says,
    or one for each core that this process may use.
    """
    if _chosen is not None:
        return _chosen
    if (torch := sys.modules.get("torch")) is not None:
        return int(torch.get_num_threads())
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(wanted)) if wanted.isdigit() else _cores()


def set_thread_count(count: int) -> None:
    """Set the threads that networks opened from now on compute with, in torch too."""
    global _chosen
    _chosen = count
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(count)


def _cores() -> int:
    """Return the number of cores whose threads this process may use; two threads share one."""
    usable = os.sched_getaffinity(0)
    try:
        siblings = {
            (_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text()
            for cpu in usable
        }
    except OSError:
        return len(usable)
    return len(siblings)
