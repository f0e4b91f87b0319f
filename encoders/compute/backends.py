"""Starting the runtime that was chosen."""

from __future__ import annotations

import platform
from collections.abc import Callable

import torch

from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.export_store import ExportStore
from kosim.encoders.compute.network import Network
from kosim.encoders.compute.onnx_graph import check_onnx
from kosim.encoders.compute.onnx_runtime import OnnxRuntime
from kosim.encoders.compute.runtime import Runtime
from kosim.encoders.compute.torch_runtime import TorchRuntime
from kosim.encoders.errors import ConfigError


def check_machine(choice: ComputeChoice) -> None:
    """Check that this machine has what a choice needs.

    Raises:
        MissingExtraError: the backend's packages are not installed.
        ConfigError: the processor lacks the instructions of the precision.
    """
    if choice.backend == "torch":
        return
    check_onnx()
    if choice.precision == "int8" and not _multiplies_integers():
        raise ConfigError(
            "precision int8 needs a processor with AVX2 instructions, which this one has not; "
            "choose precision fp32, which backends torch and onnx compute on any processor"
        )


def _multiplies_integers() -> bool:
    """Return whether products of 8-bit integers are faster here than those of floats."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True  # every 64-bit ARM has them
    return torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "NO AVX")


def is_exported(choice: ComputeChoice, exports: ExportStore) -> bool:
    """Return whether a graph is there that makes the weights unnecessary.

    Raises:
        MissingExtraError: the backend's packages are not installed.
        ConfigError: the processor lacks the instructions of the precision.
    """
    if choice.backend == "torch":
        return False
    check_machine(choice)
    return exports.find(choice.precision) is not None


def start(
    choice: ComputeChoice,
    network: Network,
    exports: Callable[[], ExportStore],
    fingerprint: Callable[[], str],
) -> tuple[Runtime, str]:
    """Return the runtime for a network, whose weights are left in memory only if it uses them.

    Args:
        choice: the backend and precision.
        network: without weights only where an export is there.
        exports: returns where exported graphs are kept.
        fingerprint: computes that of the weights, while they are there.

    Returns:
        The runtime, and the fingerprint of the full weights that it computes with.

    Raises:
        MissingExtraError: the backend's packages are not installed.
        ConfigError: the processor lacks the instructions of the precision.
        BackboneError: torch cannot export this architecture.
        StorageError: an export cannot be written.
        ArtifactError: onnxruntime cannot run the export on this machine.
    """
    if choice.backend == "torch":
        full = fingerprint()
        return TorchRuntime(network, choice.precision), full
    check_machine(choice)
    store = exports()
    export = store.find(choice.precision)
    if export is None:
        export = store.make(network, choice.precision, fingerprint())
    network.model.to("meta")  # keeps shapes and settings, and frees the weights
    return OnnxRuntime(export.graph, choice.precision), export.fingerprint
