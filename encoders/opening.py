"""What both kinds need when they bring a network into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from kosim.encoders.errors import BackboneError, ConfigError, KosimError

FULL_PRECISION: dict[str, Any] = {"dtype": torch.float32}
"""transformers keeps a checkpoint's own type, and half precision is slow on a CPU."""


def saved_model_arguments(device: str | None, *, weights: bool) -> dict[str, Any]:
    """Return how sentence-transformers is to open an artifact's folder.

    Without its weights a model has its shapes, settings and tokenizer, and takes no memory:
    what is needed of it where an exported graph computes.
    """
    placed: dict[str, Any] = {} if weights else {"device_map": "meta"}
    return {
        "device": device if weights else None,
        "model_kwargs": {**FULL_PRECISION, **placed},
        "local_files_only": True,
    }


@contextmanager
def opening(what: str) -> Iterator[None]:
    """Turn whatever a loader raises on damaged or foreign files into one clear line.

    Raises:
        BackboneError: ``what`` could not be loaded.
    """
    try:
        yield
    except KosimError:
        raise
    except Exception as error:  # a damaged file can make a loader fail in any way
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BackboneError(f"{what} could not be loaded: {reason}") from error


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw new weights from ``seed`` without touching the caller's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def limited_length(wanted: int, network: Any, name: str) -> int:
    """Return ``wanted`` tokens if the network has that many positions.

    Raises:
        ConfigError: it has fewer, or ``wanted`` leaves no room for text.
    """
    positions = getattr(network.transformers_model.config, "max_position_embeddings", None)
    if wanted < 8 or (positions is not None and wanted > positions):
        raise ConfigError(
            f"a maximum length of {wanted} tokens is not possible with backbone {name}; "
            f"choose 8 to {positions or 'any number'}"
        )
    return wanted
