"""The roof of the roofline: what this machine's matrix products reach at most."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from kosim.experiments.study.results import seconds_of

_SIZE = 1_024
_REPEATS = 10


def fp32_peak(size: int = _SIZE, repeats: int = _REPEATS) -> float:
    """Return the GFLOP/s of the best of several square float32 products in torch."""
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
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows = np.ones((size, size), dtype=np.uint8)
    return _best(lambda: session.run(None, {"rows": rows}), size, repeats)


def machine_peaks(_started: float, threads: int) -> dict[str, float | None]:
    """Return the peaks by precision, in GFLOP/s with that many threads."""
    torch.set_num_threads(threads)
    return {"fp32": fp32_peak(), "int8": int8_peak()}


def _best(product: Callable[[], object], size: int, repeats: int) -> float:
    product()
    return 2 * size**3 / min(seconds_of(product) for _ in range(repeats)) / 1e9
