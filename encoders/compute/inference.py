"""The one loop in which an encoder computes, whatever its kind and backend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Encoding
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from encoders.compute.batches import PaddedBuffers, batches_by_tokens
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
    buffers = PaddedBuffers(tokenizer, encodings)
    result: FloatArray | None = None
    with tqdm(total=len(encodings), disable=not progress) as bar:
        for rows in batches_by_tokens(lengths, runtime.token_budget, most=batch_size):
            output = runtime.run(buffers.batch(rows))
            if result is None:
                result = np.empty((len(encodings), output.shape[1]), dtype=np.float32)
            result[rows] = output
            bar.update(len(rows))
    if result is None:
        raise ValueError("there is nothing to compute; give at least one input")
    return result
