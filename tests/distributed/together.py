"""Trainings that a test starts by torchrun, on a file of their settings, or calls in its process.

torchrun --standalone --nproc-per-node 2 -m tests.distributed.together PLAN
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback

from kosim.encoders.training import ranks
from kosim.encoders.training.run import train
from tests.encoders.tiny import TRAIN, VALIDATION, config, tiny_encoder

PAIRS = TRAIN.take(range(60))
"""Three whole batches of 16 and one of 12."""


class Kill(TrainerCallback):
    """Kills this process after a step, as the kernel kills: nothing is cleaned up."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


class Inputs(TrainerCallback):
    """Remembers the token ids of every input that the network is trained on, call by call."""

    def __init__(self) -> None:
        self.calls: list[list[list[int]]] = []

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.hook = rest["model"].register_forward_pre_hook(self.look)

    def look(self, module: torch.nn.Module, inputs: tuple[dict[str, torch.Tensor]]) -> None:
        if module.training:
            features = inputs[0]
            lengths = features["attention_mask"].sum(1).tolist()
            rows = zip(features["input_ids"].tolist(), lengths, strict=True)
            self.calls.append([row[:length] for row, length in rows])

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self.hook.remove()


def run(
    folder: Path,
    *,
    kind: str,
    backbone: str,
    kill: int | None = None,
    killed: Sequence[int] = (0, 1),
    resume: bool = False,
    **settings: Any,
) -> None:
    """Train a tiny encoder with checkpoints in ``folder``; leave there what came of it.

    With ``kill`` the ranks in ``killed`` are killed after that step.

    ``inputs-R.json`` of every rank, ``result.json`` and ``scores.npy`` of the main one, and
    ``rank-R.json``: what every rank holds in the end.
    """
    torch.set_num_threads(1)
    encoder, inputs = tiny_encoder(kind, Path(backbone)), Inputs()
    result = train(
        encoder,
        PAIRS,
        VALIDATION,
        config(**settings),
        folder=folder / "checkpoints",
        resume=resume,
        callbacks=[inputs, *([Kill(kill)] if kill and ranks.rank() in killed else [])],
    )
    scores = encoder.score(VALIDATION.pairs, raw=True)
    held = {
        "scores": scores.tolist(),
        "best_epoch": result.best_epoch,
        "threshold": encoder.threshold,
        "calibrated": encoder.calibration(scores).tolist(),
        "history": [row.model_dump() for row in result.history],
    }
    (folder / f"rank-{ranks.rank()}.json").write_text(json.dumps(held))
    (folder / f"inputs-{ranks.rank()}.json").write_text(json.dumps(inputs.calls))
    if ranks.is_main():
        (folder / "result.json").write_text(result.model_dump_json())
        np.save(folder / "scores.npy", scores)


if __name__ == "__main__":
    for plan in json.loads(Path(sys.argv[1]).read_text()):
        run(Path(plan.pop("folder")), **plan)
