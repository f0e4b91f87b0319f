"""Floating-point operations: how many an encoder takes, and how many a second are possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kosim.encoders.compute.threads import set_thread_count, thread_count
from kosim.experiments.study.results import seconds_of

_SIZE = 1_024
_REPEATS = 10


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


def fp32_peak(size: int = _SIZE, repeats: int = _REPEATS) -> float:
    """Return the GFLOP/s of the best of several square float32 products in torch."""
    import torch

    torch.set_num_threads(thread_count())
    matrix = torch.ones(size, size)
    other = torch.ones(size, size)
    return _best(lambda: torch.mm(matrix, other), size, repeats)


def int8_peak(size: int = _SIZE, repeats: int = _REPEATS) -> float | None:
    """Return the best GFLOP/s of square products of 8-bit integers in onnxruntime.

    Activations are unsigned and weights signed and constant, as in an exported encoder. None
    where onnx is not installed.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError:
        return None
    weights = onnx.numpy_helper.from_array(np.ones((size, size), dtype=np.int8), "weights")
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMulInteger", ["rows", "weights"], ["product"])],
        "peak",
        [tensor("rows", onnx.TensorProto.UINT8, [size, size])],
        [tensor("product", onnx.TensorProto.INT32, [size, size])],
        [weights],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count()
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows = np.ones((size, size), dtype=np.uint8)
    return _best(lambda: session.run(None, {"rows": rows}), size, repeats)


def machine_peaks(_started: float, threads: int) -> dict[str, float | None]:
    """Return the peaks by precision, in GFLOP/s with that many threads."""
    set_thread_count(threads)
    return {"fp32": fp32_peak(), "int8": int8_peak()}


def _best(product: Callable[[], object], size: int, repeats: int) -> float:
    product()
    return 2 * size**3 / min(seconds_of(product) for _ in range(repeats)) / 1e9
