"""Computing with onnxruntime on an exported graph."""

from __future__ import annotations

from pathlib import Path

import torch

from encoders.compute.runtime import CPU_TOKEN_BUDGET, FloatArray, Precision, Runtime, TokenBatch
from encoders.errors import ArtifactError

_DISABLED = ("SkipLayerNormFusion",)
"""Its kernel takes 3.5 times as long on a CPU as the addition and normalisation that it fuses."""


class OnnxRuntime(Runtime):
    """Runs an exported graph on the CPU, with as many threads as torch has.

    Threads that have nothing to do sleep instead of spinning, so that they do not take the
    cores from torch and FAISS.

    Raises:
        ArtifactError: onnxruntime cannot run the graph on this machine.
    """

    backend = "onnx"

    def __init__(self, graph: Path, precision: Precision) -> None:
        import onnxruntime

        self.precision = precision
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(graph),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=list(_DISABLED),
            )
        except Exception as error:  # onnxruntime's own types derive from Exception alone
            reason = str(error).strip().splitlines()[0]
            raise ArtifactError(
                f"onnxruntime cannot run {graph} on this machine: {reason}; use backend torch, "
                "or remove that folder to have it exported again"
            ) from error
        self._inputs = [one.name for one in self._session.get_inputs()]

    @property
    def token_budget(self) -> int:
        """The padded tokens that suit a CPU."""
        return CPU_TOKEN_BUDGET

    def run(self, batch: TokenBatch) -> FloatArray:
        """Return the network's output for each row, (rows, width) float32."""
        output: FloatArray = self._session.run(None, {name: batch[name] for name in self._inputs})[
            0
        ]
        return output
