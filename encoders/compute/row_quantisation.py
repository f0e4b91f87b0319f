"""Integer products whose activations have one scale a token, so that no input changes another.

onnxruntime's dynamic quantisation takes one scale for a whole batch: a score then depends on what
else is computed with it. Here every token of every input has a scale of its own. Its product with
the scales of the columns must not stand in the graph: onnxruntime would fuse it into a kernel that
takes the first token's scale for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

_MIDDLE = 128
"""The unsigned integer that stands for zero; the greatest activation of a token becomes 255."""

_KERNELS = "com.microsoft"
"""onnxruntime's own operators: one multiplies integers and scales the columns in one pass."""

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
        "row_most": np.array(1 / 127, dtype=np.float32),
        "row_least": np.array(_LEAST, dtype=np.float32),
        "row_zero": np.array(_MIDDLE, dtype=np.uint8),
        "row_one": np.array(1, dtype=np.float32),
    }
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    middle = helper.make_tensor("middle", TensorProto.UINT8, [1], [_MIDDLE])
    by_scale = {
        node.output[1]: f"{node.input[0]}_scale"
        for node in graph.node
        if node.op_type == "DynamicQuantizeLinear"
    }
    products: dict[str, onnx.NodeProto] = {}
    scales: dict[str, tuple[str, str]] = {}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        first, *rest = node.input
        if node.op_type == "DynamicQuantizeLinear":
            nodes += _by_row(node, middle)
        elif node.op_type == "MatMulInteger":
            products[node.output[0]] = node
        elif node.op_type == "Cast" and first in products:
            products[node.output[0]] = products[first]
        elif first in by_scale:
            scales[node.output[0]] = (by_scale[first], rest[0])
        elif first in products:
            nodes += _scaled(products[first], *scales[rest[0]], node.output[0])
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    if _KERNELS not in {one.domain for one in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(_KERNELS, 1))


def _scaled(product: onnx.NodeProto, row: str, column: str, output: str) -> list[onnx.NodeProto]:
    """Return an integer product times the scales of its columns, and then of its rows."""
    from onnx import helper

    integers, weights, *zeros = product.input
    by_column = f"{output}_columns"
    return [
        helper.make_node(
            "MatMulIntegerToFloat",
            [integers, weights, "row_one", column, *zeros],
            [by_column],
            domain=_KERNELS,
        ),
        helper.make_node("Mul", [by_column, row], [output]),
    ]


def _by_row(node: onnx.NodeProto, middle: onnx.TensorProto) -> list[onnx.NodeProto]:
    """Return what replaces the quantisation of a whole tensor."""
    from onnx import helper

    (given,), (integers, _, zero) = node.input, node.output
    names = (
        "max",
        "min",
        "low",
        "most",
        "scale",
        "flat",
        "rows",
        "count",
        "middles",
        "int",
        "shape",
    )
    most, least, low, greatest, scale, flat, by_row, count, middles, flat_integers, shape = (
        f"{given}_{name}" for name in names
    )
    return [
        helper.make_node("ReduceMax", [given, "row_last"], [most], keepdims=1),
        helper.make_node("ReduceMin", [given, "row_last"], [least], keepdims=1),
        helper.make_node("Neg", [least], [low]),
        helper.make_node("Max", [most, low, "row_least"], [greatest]),
        helper.make_node("Mul", [greatest, "row_most"], [scale]),
        helper.make_node("Reshape", [scale, "row_last"], [by_row]),
        helper.make_node("Shape", [by_row], [count]),
        helper.make_node("ConstantOfShape", [count], [middles], value=middle),
        helper.make_node("Flatten", [given], [flat], axis=-1),
        helper.make_node("QuantizeLinear", [flat, by_row, middles], [flat_integers], axis=0),
        helper.make_node("Shape", [given], [shape]),
        helper.make_node("Reshape", [flat_integers, shape], [integers]),
        helper.make_node("Identity", ["row_zero"], [zero]),
    ]
