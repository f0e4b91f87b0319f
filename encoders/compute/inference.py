"""The one loop in which an encoder computes, whatever its kind and backend."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from tokenizers import Encoding

from kosim.encoders.compute.batches import PaddedBuffers, Rows, shared_batches
from kosim.encoders.compute.runtime import FloatArray, Runtime
from kosim.encoders.compute.text_reader import InputLayout


def outputs(
    runtime: Runtime,
    layout: InputLayout,
    encodings: Sequence[Encoding],
    *,
    batch_size: int | None = None,
    progress: bool = False,
) -> FloatArray:
    """Return the output of the network for each of n >= 1 tokenised inputs, (n, width) float32.

    Args:
        runtime: what computes.
        layout: how the encodings are padded.
        encodings: the inputs.
        batch_size: inputs of a batch at most; the runtime's token budget alone when None.
        progress: show a progress bar on standard error.
    """
    lengths = np.fromiter(map(len, encodings), dtype=np.int64, count=len(encodings))
    batches = shared_batches(lengths, runtime.token_budget, runtime.at_once, most=batch_size)
    buffers: queue.SimpleQueue[PaddedBuffers] = queue.SimpleQueue()
    for _ in range(runtime.at_once):
        buffers.put(PaddedBuffers(layout, encodings))

    def compute(rows: Rows) -> FloatArray:
        own = buffers.get()
        try:
            return runtime.run(own.batch(rows))
        finally:
            buffers.put(own)

    result: FloatArray | None = None
    with _bar(len(encodings)) if progress else nullcontext() as bar:
        for rows, output in zip(batches, runtime.map(compute, batches), strict=True):
            if result is None:
                result = np.empty((len(encodings), output.shape[1]), dtype=np.float32)
            result[rows] = output
            if bar is not None:
                bar.update(len(rows))
    if result is None:
        raise ValueError("there is nothing to compute; give at least one input")
    return result


def _bar(total: int) -> Any:
    from tqdm import tqdm  # takes a tenth of the time in which a process starts

    return tqdm(total=total)
