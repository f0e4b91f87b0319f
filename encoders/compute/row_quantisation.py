"""Integer products whose activations have one scale a token, so that no input changes another.

onnxruntime's dynamic quantisation takes one scale for a whole batch: a score then depends on what
else is computed with it. Here every token of every input has a scale of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

_MIDDLE = 128
"""The unsigned integer that stands for zero; the greatest activation of a token becomes 255."""

_LEAST = 1e-12
"""A scale for tokens whose activations are all zero."""


def quantise_by_row(model: onnx.ModelProto) -> None:
    """Replace the quantisation of whole tensors in a graph by one of each token; in place.

    With x (rows, tokens, h), the scale of a token is s = max |x| / 127, and it becomes
    round(x / s) + 128. The product of the integers is multiplied by s afterwards.

    Args:
        model: what onnxruntime's ``quantize_dynamic`` wrote.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    constants = {
        "row_last": np.array([-1], dtype=np.int64),
        "row_all": np.array([-1], dtype=np.int64),
        "row_most": np.array(1 / 127, dtype=np.float32),
        "row_least": np.array(_LEAST, dtype=np.float32),
        "row_zero": np.array(_MIDDLE, dtype=np.uint8),
    }
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    middle = helper.make_tensor("middle", TensorProto.UINT8, [1], [_MIDDLE])
    nodes = []
    for node in graph.node:
        if node.op_type != "DynamicQuantizeLinear":
            nodes.append(node)
            continue
        (given,), (integers, scale, zero) = node.input, node.output
        new = [f"{given}_{part}" for part in ("max", "min", "low", "most", "raw", "flat")]
        most, least, low, greatest, raw, flat = new
        by_row, sizes, zeros, shape = (f"{given}_{part}" for part in ("row", "n", "zeros", "shape"))
        nodes += [
            helper.make_node("ReduceMax", [given, "row_last"], [most], keepdims=1),
            helper.make_node("ReduceMin", [given, "row_last"], [least], keepdims=1),
            helper.make_node("Neg", [least], [low]),
            helper.make_node("Max", [most, low, "row_least"], [greatest]),
            helper.make_node("Mul", [greatest, "row_most"], [scale]),
            helper.make_node("Reshape", [scale, "row_all"], [by_row]),
            helper.make_node("Shape", [by_row], [sizes]),
            helper.make_node("ConstantOfShape", [sizes], [zeros], value=middle),
            helper.make_node("Shape", [given], [shape]),
            helper.make_node("Flatten", [given], [raw], axis=-1),
            helper.make_node("QuantizeLinear", [raw, by_row, zeros], [flat], axis=0),
            helper.make_node("Reshape", [flat, shape], [integers]),
            helper.make_node("Identity", ["row_zero"], [zero]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
