"""Starting the runtime that was chosen."""

from __future__ import annotations

from encoders.compute.choice import ComputeChoice
from encoders.compute.export import check_onnx
from encoders.compute.exports import Exports
from encoders.compute.network import Network
from encoders.compute.onnx_runtime import OnnxRuntime
from encoders.compute.runtime import Runtime
from encoders.compute.torch_runtime import TorchRuntime


def is_exported(choice: ComputeChoice, exports: Exports) -> bool:
    """Return whether a graph is there that makes the weights unnecessary.

    Raises:
        MissingExtraError: the backend's packages are not installed.
    """
    if choice.backend == "torch":
        return False
    check_onnx()
    return exports.find(choice.precision) is not None


def start(choice: ComputeChoice, network: Network, exports: Exports) -> Runtime:
    """Return the runtime for a network, whose weights are left in memory only if it uses them.

    Raises:
        MissingExtraError: the backend's packages are not installed.
        BackboneError: torch cannot export this architecture.
        StorageError: an export cannot be written.
        ArtifactError: onnxruntime cannot run the export on this machine.
    """
    if choice.backend == "torch":
        return TorchRuntime(network, choice.precision)
    check_onnx()
    graph = exports.find(choice.precision) or exports.make(network, choice.precision)
    network.model.to("meta")  # keeps shapes and settings, and frees the weights
    return OnnxRuntime(graph, choice.precision)
