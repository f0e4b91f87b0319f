"""Options of the commands that open saved encoders: what computes, and in which precision."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from kosim.encoders.compute.runtime import Backend, Precision
from kosim.experiments.cli.console import notes

if TYPE_CHECKING:
    from kosim.encoders.bi import BiEncoder
    from kosim.encoders.cross import CrossEncoder

_OPTIONS = [
    click.option(
        "--backend",
        type=click.Choice(get_args(Backend)),
        help="What computes; onnx is faster on a CPU. torch by default, onnx for int8.",
    ),
    click.option(
        "--precision",
        type=click.Choice(get_args(Precision)),
        default="fp32",
        show_default=True,
        help="Arithmetic of the encoders; int8 is the fastest (see kosim export).",
    ),
    click.option("--device", help="Torch device, such as cpu or cuda:0."),
]


@dataclass(frozen=True)
class ComputeOptions:
    """What the options say."""

    backend: Backend | None = None
    precision: Precision = "fp32"
    device: str | None = None

    def in_full_precision(self) -> ComputeOptions:
        """Return the same backend, to compute in full precision."""
        from kosim.encoders.compute.choice import ComputeChoice

        full = ComputeChoice.of(self.backend, self.precision).full
        return replace(self, backend=full.backend, precision=full.precision)

    def load(self, folder: str | Path) -> BiEncoder | CrossEncoder:
        """Open a saved encoder as the options say.

        Raises:
            ArtifactError: it is no encoder, or damaged.
            ConfigError: the options do not fit together.
            MissingExtraError: the backend's packages are not installed.
        """
        from kosim.encoders.bundle import is_bundled
        from kosim.encoders.compute.choice import ComputeChoice
        from kosim.encoders.compute.export_store import export_folder
        from kosim.encoders.loading import load

        backend = ComputeChoice.of(self.backend, self.precision).backend
        folder = Path(folder)
        exported = is_bundled(folder) or export_folder(folder, self.precision).is_dir()
        if backend == "onnx" and not exported:
            notes.print(f"{folder} is exported to onnx in {self.precision} once", style="dim")
        return load(folder, backend=self.backend, precision=self.precision, device=self.device)


def compute_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets them as ``compute``."""

    @functools.wraps(command)
    def with_compute(
        *args: Any, backend: Any, precision: Any, device: str | None, **options: Any
    ) -> Any:
        return command(*args, compute=ComputeOptions(backend, precision, device), **options)

    decorated: Callable[..., Any] = with_compute
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
