"""How many floating-point operations a transformer encoder takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def encoder_flops(config: Any, lengths: npt.NDArray[np.int64]) -> float:
    """Return the operations of encoding sequences of ``lengths`` tokens, padding not counted.

    A layer of width h with an inner width i takes, for n tokens, 2 n (4 h^2 + 2 h i) operations in
    its six matrix products with weights, and 4 n^2 h in the two of attention; a product and its
    sum count as two operations. Normalisation, softmax, embeddings and the head are left out,
    which are below a hundredth of it.

    Args:
        config: the transformers configuration of a BERT-like encoder.
        lengths: (n,) tokens of each sequence, as they are computed.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    tokens, squares = float(lengths.sum()), float((lengths.astype(np.float64) ** 2).sum())
    layer = 2 * tokens * (4 * hidden**2 + 2 * hidden * inner) + 4 * squares * hidden
    return float(config.num_hidden_layers * layer)
