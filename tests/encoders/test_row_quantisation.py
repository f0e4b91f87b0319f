"""Integer products with one scale a token, against the products of floats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxscript", reason="the extra onnx is not installed")

import onnx
import onnxruntime

from kosim.encoders.compute.onnx_graph import quantise_graph

WIDTH = 64


def outputs(graph: Path, values: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(graph), options, ["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": values})[0])


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Two layers with a bias, quantised by row and by tensor."""
    folder = tmp_path_factory.mktemp("graphs")
    random = np.random.default_rng(0)
    weights = [random.normal(size=(WIDTH, WIDTH)).astype(np.float32) / 8 for _ in range(2)]
    held = [*weights, random.normal(size=WIDTH).astype(np.float32)]
    names = ("first", "second", "bias")
    shape = ["rows", "tokens", WIDTH]
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("MatMul", ["x", "first"], ["a"], "one"),
            onnx.helper.make_node("Add", ["a", "bias"], ["b"]),
            onnx.helper.make_node("MatMul", ["b", "second"], ["y"], "two"),
        ],
        "layers",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)],
        [
            onnx.numpy_helper.from_array(value, name)
            for value, name in zip(held, names, strict=True)
        ],
    )
    opset = onnx.helper.make_opsetid("", 20)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), folder / "fp32")
    for by_row in (True, False):
        quantise_graph(folder / "fp32", folder / str(by_row), by_row=by_row)
    return {by_row: folder / str(by_row) for by_row in (True, False)}


@pytest.fixture
def values() -> np.ndarray:
    """Tokens of which the greatest is a thousand times the least, one of them all zero."""
    values = np.random.default_rng(1).normal(size=(3, 5, WIDTH)).astype(np.float32)
    values *= np.logspace(0, 3, 15, dtype=np.float32).reshape(3, 5, 1)
    values[0, 2] = 0
    return values


def test_every_token_keeps_its_own_precision(graphs: dict[bool, Path], values: np.ndarray) -> None:
    full = outputs(graphs[True].parent / "fp32", values)
    errors = {
        by_row: np.abs(outputs(graph, values) - full).mean(axis=-1) / np.abs(full).mean(axis=-1)
        for by_row, graph in graphs.items()
    }
    assert errors[True].max() < 0.05
    assert errors[False].max() > 0.5  # one scale leaves the small tokens nothing


def test_a_token_does_not_depend_on_the_others(
    graphs: dict[bool, Path], values: np.ndarray
) -> None:
    together = outputs(graphs[True], values)
    alone = np.stack([outputs(graphs[True], row[None])[0] for row in values])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-4)
    by_tensor = np.stack([outputs(graphs[False], row[None])[0] for row in values])
    assert np.abs(by_tensor - outputs(graphs[False], values)).max() > 0.1
