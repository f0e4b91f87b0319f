"""The processes of a training that torchrun started: which one this is, and what they do together.

A process that torchrun did not start is alone: it is the main one, and nothing here waits.

Only the main rank writes and prints. The others wait for it as long as it works, which may be
hours of evaluation; they do not wait for it when it is dead: torchrun ends all processes when
one has failed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from kosim.encoders.errors import ConfigError, KosimError, RankError

Value = TypeVar("Value")

_PATIENCE = timedelta(hours=24)
_LAUNCHED = "TORCHELASTIC_RUN_ID"


def rank() -> int:
    """Return the number of this process among all, from 0."""
    return int(os.environ["RANK"]) if _LAUNCHED in os.environ else 0


def world_size() -> int:
    """Return the number of processes, on all nodes."""
    return int(os.environ["WORLD_SIZE"]) if _LAUNCHED in os.environ else 1


def is_main() -> bool:
    """Whether this is the process that writes and prints."""
    return rank() == 0


def join() -> None:
    """Meet the other processes, once; by gloo on CPUs, by NCCL on GPUs."""
    import torch
    from torch import distributed

    if world_size() == 1 or distributed.is_initialized():
        return
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=_PATIENCE)


def has_joined() -> bool:
    """Whether this process has met others; until then all of them do the same."""
    if world_size() == 1:
        return False
    from torch import distributed

    return distributed.is_initialized()


def barrier() -> None:
    """Wait until all processes are here."""
    if world_size() == 1:
        return
    from torch import distributed

    join()
    distributed.all_gather_object([None] * world_size(), None)


def on_main(work: Callable[[], Value]) -> Value:
    """Let the main rank alone do something, and give every rank what it returned.

    Args:
        work: what the main rank calls; what it returns is pickled for the others.

    Raises:
        KosimError: on the main rank, what ``work`` raised.
        RankError: on the others, when ``work`` raised an error of ours.
    """
    if world_size() == 1:
        return work()
    from torch import distributed

    join()
    outcome: list[Any] = [None, None]
    failure: KosimError | None = None
    if is_main():
        try:
            outcome[0] = work()
        except KosimError as error:
            failure, outcome[1] = error, str(error)
    distributed.broadcast_object_list(outcome, src=0)
    if failure is not None:
        raise failure
    if outcome[1] is not None:
        raise RankError(f"the main process failed: {outcome[1]}")
    value: Value = outcome[0]
    return value


def check_shared(folder: Path) -> None:
    """Check that this process sees a folder that the main one has made.

    Raises:
        ConfigError: it does not.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"process {rank()} of {world_size()} does not see {folder}, which the main process "
            "made; give a folder that all nodes share"
        )
