"""Computing with onnxruntime on an exported graph."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kosim.encoders.compute.runtime import (
    FloatArray,
    Item,
    Precision,
    Result,
    Runtime,
    TokenBatch,
)
from kosim.encoders.compute.threads import thread_count
from kosim.encoders.errors import ArtifactError

_TOKEN_BUDGET = 1_024
"""Padded tokens of a batch, which one core computes."""

_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"

_ITS_SOURCE = re.compile(r"/\S+\.(?:cc|h):\d+ .*\) ")
"""The function that its messages name."""

_DISABLED = ("SkipLayerNormFusion",)
"""Its kernel takes 3.5 times as long on a CPU as the addition and normalisation that it fuses."""


class OnnxRuntime(Runtime):
    """Runs an exported graph on the CPU, with `thread_count` threads.

    Each thread computes a batch of its own: so none waits for the others at the end of each of the
    graph's hundred steps, and none spins while torch or FAISS need the cores.

    Raises:
        ArtifactError: onnxruntime cannot run the graph on this machine.
    """

    backend = "onnx"

    def __init__(self, graph: Path, precision: Precision, *, weights: Path | None = None) -> None:
        """Open a graph; ``weights`` is the folder of its weights if they are not beside it."""
        import onnxruntime

        self.precision = precision
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        content: str | bytes = str(graph)
        if weights is not None:
            content = graph.read_bytes()
            options.add_session_config_entry(_WEIGHTS_FOLDER, str(weights))
        try:
            self._session = onnxruntime.InferenceSession(
                content,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=list(_DISABLED),
            )
        except Exception as error:  # onnxruntime's own types derive from Exception alone
            reason = _ITS_SOURCE.sub("", str(error).strip().splitlines()[0])
            raise ArtifactError(
                f"onnxruntime cannot run {graph} on this machine: {reason}; use backend torch, "
                "or remove that folder to have it exported again"
            ) from error
        self._inputs = [one.name for one in self._session.get_inputs()]
        self._threads = thread_count()
        self._start_threads()

    def _start_threads(self) -> None:
        self._process = os.getpid()
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="onnx")

    @property
    def width(self) -> int:
        """The width of the network's output."""
        return int(self._session.get_outputs()[0].shape[1])

    @property
    def token_budget(self) -> int:
        """The padded tokens that suit one core and its caches."""
        return _TOKEN_BUDGET

    @property
    def at_once(self) -> int:
        """One batch a thread."""
        return self._threads

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Work on the items in the threads, or here where there is one item or thread."""
        if min(len(items), self._threads) < 2:
            return super().map(work, items)
        if self._process != os.getpid():
            self._start_threads()  # a forked process has none of its parent's
        return self._pool.map(work, items)

    def run(self, batch: TokenBatch) -> FloatArray:
        """Return the network's output for each row, (rows, width) float32."""
        output: FloatArray = self._session.run(None, {name: batch[name] for name in self._inputs})[
            0
        ]
        return output
