"""An encoder that was used before a fork computes in the new process, too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from kosim.encoders.errors import KosimError
from kosim.encoders.loading import load

PAIRS = [(f"거실 불 좀 꺼 줘 {n} " * (n % 7 + 1), f"조명을 꺼 {n}") for n in range(300)]


def in_a_fork(work: Callable[[], bool], seconds: float = 60) -> int | None:
    """Return the exit code of a forked process, 0 if ``work`` is right, None if it hangs."""
    child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


@pytest.mark.filterwarnings("ignore:.*fork")
@pytest.mark.parametrize("kind", ["bi", "cross"])
def test_scores_in_a_forked_process_are_the_same(encoders: dict[str, Path], kind: str) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        encoder = load(encoders[kind], device="cpu")
        expected = encoder.score(PAIRS)
        code = in_a_fork(lambda: bool(np.allclose(encoder.score(PAIRS), expected, atol=1e-5)))
    finally:
        torch.set_num_threads(before)
    assert code == 0


@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_batching_encoder_refuses_in_a_forked_process(encoders: dict[str, Path]) -> None:
    pytest.importorskip("fastapi", reason="needs kosim[serve]")
    from kosim.serving.batched_encoders import BatchedBiEncoder
    from kosim.serving.microbatch import BatchSettings

    encoder = load(encoders["bi"], device="cpu")
    batched = BatchedBiEncoder(encoder, BatchSettings(), lambda _: None)
    batched.encode(["가"])

    def refused() -> bool:
        try:
            batched.encode(["나"])
        except KosimError as error:
            return "open the encoder again" in str(error)
        return False

    assert in_a_fork(refused) == 0
    batched.close()
