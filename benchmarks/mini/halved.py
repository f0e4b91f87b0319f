"""Half-precision weights in a model's folder, which every program loads in single precision."""

from __future__ import annotations

from pathlib import Path

import click
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

WEIGHTS = "model.safetensors"
MOST_BYTES = 16_000_000


def halve(folder: Path) -> None:
    """Round the weights of a folder to half precision, in place; its config names float32."""
    weights = {
        name: tensor.to(torch.float16) if tensor.is_floating_point() else tensor
        for name, tensor in load_file(folder / WEIGHTS).items()
    }
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # safetensors lets only the user read it
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    config.dtype = torch.float32
    config.save_pretrained(folder)


def checked_size(folder: Path) -> int:
    """Return the bytes of a folder's files.

    Raises:
        ClickException: they are more than a package can carry.
    """
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if size > MOST_BYTES:
        raise click.ClickException(
            f"the folder would have {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f} MB"
        )
    return size
