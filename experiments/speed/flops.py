"""How many floating-point operations a transformer encoder takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def encoder_flops(
    config: Any, lengths: npt.NDArray[np.int64], *, first_token_only: bool = False
) -> float:
    """Return the operations of encoding sequences of ``lengths`` tokens, padding not counted.

    A layer of width h with an inner width i takes, for n tokens, 2 n (4 h^2 + 2 h i) operations in
    its six matrix products with weights, and 4 n^2 h in the two of attention; a product and its
    sum count as two operations. Computed for the first token alone
    (`first_token`) the last layer, of a heads, takes
    2 (4 h^2 + 2 h i) and 4 n h a. Normalisation, softmax, embeddings and the head are left
    out, which are below a hundredth of it.

    Args:
        config: the transformers configuration of a BERT-like encoder.
        lengths: (n,) tokens of each sequence, as they are computed.
        first_token_only: whether the last layer is computed for the first token alone.
    """
    hidden, inner, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
    tokens, squares = float(lengths.sum()), float((lengths.astype(np.float64) ** 2).sum())
    a_token = 2 * (4 * hidden**2 + 2 * hidden * inner)
    layer = tokens * a_token + 4 * squares * hidden
    last = len(lengths) * a_token + 4 * tokens * hidden * heads if first_token_only else layer
    return float((config.num_hidden_layers - 1) * layer + last)
