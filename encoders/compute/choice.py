"""Which backend computes, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, get_args

from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import ConfigError

PRECISIONS: dict[Backend, tuple[Precision, ...]] = {
    "torch": ("fp32", "bf16"),
    "onnx": ("fp32", "int8"),
}
"""What each backend computes in."""


@dataclass(frozen=True)
class ComputeChoice:
    """A backend and a precision that go together."""

    backend: Backend = "torch"
    precision: Precision = "fp32"

    def __str__(self) -> str:
        return f"{self.backend} {self.precision}"

    @classmethod
    def of(cls, backend: Backend | None, precision: Precision) -> Self:
        """Return the choice; without a backend torch, or the one that has the precision.

        Raises:
            ConfigError: the backend or the precision is unknown, or the backend has it not.
        """
        if precision not in get_args(Precision):
            raise ConfigError(
                f"precision {precision!r} is unknown; choose from {', '.join(get_args(Precision))}"
            )
        able = next(name for name in PRECISIONS if precision in PRECISIONS[name])
        if backend is None:
            return cls(able, precision)
        if backend not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise ConfigError(f"backend {backend!r} is unknown; choose from {known}")
        if precision not in PRECISIONS[backend]:
            raise ConfigError(
                f"backend {backend} does not compute in {precision}; choose "
                f"{' or '.join(PRECISIONS[backend])}, or backend {able}"
            )
        return cls(backend, precision)

    @property
    def full(self) -> ComputeChoice:
        """The same backend in full precision."""
        return ComputeChoice(self.backend, "fp32")

    def device(self, wanted: str | None) -> str | None:
        """Return the torch device on which to open the weights.

        Raises:
            ConfigError: onnx is to compute elsewhere than on the CPU, or the device is not there.
        """
        if self.backend == "torch":
            if wanted not in (None, "cpu"):
                _check_device(wanted)
            return wanted
        if wanted not in (None, "cpu"):
            raise ConfigError(
                f"backend onnx computes on the CPU, not on {wanted}; leave the device out, or "
                "choose backend torch"
            )
        return "cpu"


def _check_device(wanted: str) -> None:
    try:
        import torch
    except ImportError:  # which is said where torch is needed
        return
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:  # unknown, not compiled in, or not there
        raise ConfigError(
            f"device {wanted!r} is not available here; leave it out, or give cpu"
        ) from error
