"""Which training an encoder gets that is told nothing else, by its kind and the backbone's size.

Both kinds get equal care: the same pairs, the same ceiling of epochs, the same patience. What
differs is the batch and the peak of the learning rate. For backbones up to ``MINI_WIDTH`` they were
measured with the bundled one (benchmarks/results/training). Up to ``SMALL_WIDTH`` the rate is that
of the committed comparison from e5-small-ko, above it KoELECTRA's documented one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kosim.encoders.records import Kind
from kosim.encoders.training.config import TrainingConfig

if TYPE_CHECKING:
    import torch

MINI_WIDTH = 256
SMALL_WIDTH = 512

_LEARNING_RATES: dict[Kind, tuple[float, float, float]] = {
    "bi": (2e-4, 1e-4, 5e-5),
    "cross": (5e-4, 1e-4, 5e-5),
}
"""The peak for backbones as wide as ``MINI_WIDTH``, as ``SMALL_WIDTH``, and wider."""

_BATCHES: dict[Kind, int] = {"bi": 32, "cross": 16}


def default_training(kind: Kind, hidden_size: int | None = None, **changes: Any) -> TrainingConfig:
    """Return the training of an encoder, as far as ``changes`` do not say otherwise.

    Epochs are a ceiling: training ends when the validation value has not risen for three.

    Args:
        kind: bi or cross.
        hidden_size: width of the backbone's network; a base model's (768) when None.
        changes: fields of `TrainingConfig` that replace a default.

    Raises:
        ConfigError: a change is unknown or impossible.
    """
    return TrainingConfig(**{**defaults(kind, hidden_size), **changes})


def multiplies_in_bf16(device: torch.device) -> bool:
    """Return whether a device has instructions for products of bfloat16 matrices.

    Of processors those with AMX or AVX-512's products of bfloat16: on a busy one with AMX a step of
    the bundled backbone took .64 to 1.0 of its time in fp32, on one with AVX-512 alone .57 to .73,
    and one of e5-small .54 to .66 (both kinds, batches of 16 and 32).
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("amx_bf16") or able.get("avx512_bf16"))


def defaults(kind: Kind, hidden_size: int | None) -> dict[str, Any]:
    """Return the fields in which `default_training` differs from the plain settings."""
    mini, small, base = _LEARNING_RATES[kind]
    rate = base
    if hidden_size is not None and hidden_size <= SMALL_WIDTH:
        rate = mini if hidden_size <= MINI_WIDTH else small
    return {
        "epochs": 10,
        "patience": 3,
        "learning_rate": rate,
        "warmup": 0.2,
        "batch_size": _BATCHES[kind],
        "precision": "auto",
    }
