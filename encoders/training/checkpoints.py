"""The checkpoints of a training run: which one to go on from, and whether the best is in memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from kosim.encoders.errors import TrainingError

STATE = "trainer_state.json"


def last_whole_checkpoint(folder: Path) -> Path | None:
    """Return the latest finished checkpoint in ``folder`` and remove unfinished ones.

    The trainer writes its state file last, so a checkpoint with a readable one is whole.
    """
    whole = []
    for path in folder.glob("checkpoint-*"):
        if _is_whole(path):
            whole.append(path)
        else:
            shutil.rmtree(path)
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return True


def file_problem(error: Exception) -> str | None:
    """Return why a checkpoint file could not be written or read; None if that is not the error.

    A full disk is an `OSError` to Python only: safetensors has its own error, and PyTorch
    raises a `RuntimeError` that names its archive writer.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    pytorch = isinstance(error, RuntimeError) and (
        "inline_container" in str(error) or "PytorchStream" in str(error)
    )
    if isinstance(error, OSError | SafetensorError) or pytorch:
        return str(error).splitlines()[0]
    return None


def verify_best(model: Any, checkpoint: str | None) -> None:
    """Check that the best weights are in memory: the trainer only logs when they are not.

    Raises:
        TrainingError: they are not, or there is no best checkpoint.
    """
    if checkpoint is None:
        raise TrainingError(
            "no epoch could be chosen: the validation value was never a number; "
            "lower the learning rate"
        )
    try:
        saved = model.__class__(checkpoint, device="cpu").state_dict()
    except Exception as error:  # whatever a loader raises on a damaged checkpoint
        raise TrainingError(
            f"the best checkpoint {checkpoint} cannot be loaded again: "
            f"{(str(error).strip() or type(error).__name__).splitlines()[0]}; train again"
        ) from error
    current = model.state_dict()
    different = [
        name
        for name, tensor in saved.items()
        if name not in current or not torch.equal(tensor, current[name].cpu())
    ]
    if different or len(saved) != len(current):
        raise TrainingError(
            f"the best checkpoint {checkpoint} was not restored ({len(different)} weights "
            "differ); train again"
        )
