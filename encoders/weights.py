"""What needs the weights themselves, and torch: the fingerprint of a model, and its files."""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from kosim.encoders.classic_layout import write_classic_layout
from kosim.encoders.compute.text_reader import remove_call_settings
from kosim.encoders.tokenizers.composition import pipeline_content, uncomposed
from kosim.encoders.tokenizers.text_step import step_of


def fingerprint_of(model: Any, settings: dict[str, Any], *, composed: bool) -> str:
    """Return a SHA-256 over weights, tokenizer with its text step, and settings.

    Args:
        model: of sentence-transformers.
        settings: what else changes a score.
        composed: whether it covers that texts are composed.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    if (step := step_of(model.tokenizer)) is not None:
        settings = {**settings, "text_step": f"{step.name} {step.version}"}
    for part in (pipeline_content(model.tokenizer, composed=composed), settings):
        digest.update(json.dumps(part, sort_keys=True, ensure_ascii=False).encode())
    return digest.hexdigest()


def write_model(model: Any, folder: Path, *, composed: bool, max_length: int) -> None:
    """Write a model's files, in a layout that older versions of its library read.

    Args:
        model: of sentence-transformers.
        folder: is being filled.
        composed: False for an encoder of version 0.1, which keeps the tokenizer by which its
            fingerprint was taken.
        max_length: tokens after which an input is cut.
    """
    if model.tokenizer.is_fast:
        remove_call_settings(model.tokenizer.backend_tokenizer)
    with nullcontext() if composed else uncomposed(model.tokenizer):
        model.save(str(folder))
    write_classic_layout(
        folder, max_length=max_length, tokenizer_inputs=model.tokenizer.model_input_names
    )
