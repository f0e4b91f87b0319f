"""The one loop in which an encoder computes, whatever its kind and backend."""

from __future__ import annotations

import queue
from collections.abc import Sequence

import numpy as np
from tokenizers import Encoding
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from encoders.compute.batches import PaddedBuffers, shared_batches
from encoders.compute.runtime import FloatArray, Runtime


def outputs(
    runtime: Runtime,
    tokenizer: PreTrainedTokenizerBase,
    encodings: Sequence[Encoding],
    *,
    batch_size: int | None = None,
    progress: bool = False,
) -> FloatArray:
    """Return the output of the network for each of n >= 1 tokenised inputs, (n, width) float32.

    Args:
        runtime: what computes.
        tokenizer: made the encodings; says how they are padded.
        encodings: the inputs.
        batch_size: inputs of a batch at most; the runtime's token budget alone when None.
        progress: show a progress bar on standard error.
    """
    lengths = np.fromiter(map(len, encodings), dtype=np.int64, count=len(encodings))
    batches = shared_batches(lengths, runtime.token_budget, runtime.at_once, most=batch_size)
    done: list[FloatArray] = [np.empty(0, dtype=np.float32)] * len(batches)
    buffers: queue.SimpleQueue[PaddedBuffers] = queue.SimpleQueue()
    for _ in range(runtime.at_once):
        buffers.put(PaddedBuffers(tokenizer, encodings))
    with tqdm(total=len(encodings), disable=not progress) as bar:

        def compute(number: int) -> None:
            own = buffers.get()
            done[number] = runtime.run(own.batch(batches[number]))
            buffers.put(own)
            bar.update(len(batches[number]))

        runtime.each(compute, range(len(batches)))
    result = np.empty((len(encodings), done[0].shape[1]), dtype=np.float32)
    result[np.concatenate(batches)] = np.concatenate(done)
    return result
