"""Computing with torch, where the weights are."""

from __future__ import annotations

import os

import torch

from kosim.encoders.compute.network import Network
from kosim.encoders.compute.runtime import FloatArray, Precision, Runtime, TokenBatch
from kosim.encoders.compute.threads import thread_count

_CPU_BUDGET = 2_048
"""Padded tokens of a batch: enough to keep all cores busy, few enough for their caches."""

_ACCELERATOR_BUDGET = 32_768


class TorchRuntime(Runtime):
    """Runs the network itself, on the device and in the precision that its weights have."""

    backend = "torch"

    def __init__(self, network: Network, precision: Precision = "fp32") -> None:
        if precision == "bf16":
            network.model.to(torch.bfloat16)
        self.precision = precision
        if (threads := thread_count()) != torch.get_num_threads():
            torch.set_num_threads(threads)
        self._network = network
        self._process = os.getpid()

    @property
    def token_budget(self) -> int:
        """The padded tokens that suit the device, on which training may put the network."""
        on_cpu = self._network.model.device.type == "cpu"
        return _CPU_BUDGET if on_cpu else _ACCELERATOR_BUDGET

    @torch.inference_mode()
    def run(self, batch: TokenBatch) -> FloatArray:
        """Return the network's output for each row, (rows, width) float32."""
        if self._process != os.getpid():
            # A forked process has none of the threads that its parent computed with, and OpenMP
            # would wait for them for ever.
            torch.set_num_threads(1)
            self._process = os.getpid()
        if self._network.model.training:
            self._network.eval()
        device = self._network.model.device
        tensors = (torch.from_numpy(batch[name]).to(device) for name in self._network.inputs)
        output: FloatArray = self._network(*tensors).float().cpu().numpy()
        return output
