"""Whether this machine can compute as it is asked to, and what does it where nobody asks."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.export_store import ExportStore
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import ConfigError, MissingExtraError, QualityError

_PROCESSOR = Path("/proc/cpuinfo")
_GPU = Path("/dev/nvidiactl")
_FREE_OF_TORCH = 'pip install "kosim[onnx]"'


def default_backend(
    exports: ExportStore, precision: Precision, device: str | None
) -> Backend | None:
    """Return what computes a saved encoder where no backend is asked for.

    That is onnx where onnxruntime is installed and an export is there: it starts several times as
    fast, needs less memory and computes faster on a CPU. It is torch where a device is asked for,
    where there is a GPU and torch to use it, and where nothing was exported.

    Returns:
        None where the precision decides.
    """
    if precision != "fp32":
        return None
    on_gpu = _GPU.exists() and is_installed("torch")
    if device not in (None, "cpu") or on_gpu or not is_installed("onnxruntime"):
        return "torch"
    try:
        exported = exports.find("fp32") is not None
    except QualityError as error:
        exports.unusable["fp32"] = str(error)
        exported = False
    # Without torch onnx is left, which then says what is missing.
    return "onnx" if exported or not is_installed("torch") else "torch"


def check_machine(choice: ComputeChoice) -> None:
    """Check that this machine has what a choice needs.

    Raises:
        MissingExtraError: the backend's packages are not installed.
        ConfigError: the processor lacks the instructions of the precision.
    """
    if choice.backend == "torch":
        if not is_installed("torch"):
            raise MissingExtraError(
                "backend torch needs torch, which this installation leaves out: "
                "pip install kosim, or use backend onnx"
            )
        return
    if not is_installed("onnxruntime"):
        raise MissingExtraError(
            f"backend onnx needs onnxruntime, which is not installed: {_FREE_OF_TORCH}, "
            "or use backend torch"
        )
    if choice.precision == "int8" and not _multiplies_integers():
        raise ConfigError(
            "precision int8 requires AVX2, which this CPU lacks; "
            "choose precision fp32, which backends torch and onnx compute on any processor"
        )


def is_installed(package: str) -> bool:
    """Return whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def _multiplies_integers() -> bool:
    """Return whether products of 8-bit integers are faster here than those of floats."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True  # every 64-bit ARM has them
    return "avx2" in _PROCESSOR.read_text(encoding="utf-8").split()
