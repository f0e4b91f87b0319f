"""A network as an ONNX graph, in full precision or with integer weights."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from kosim.encoders.compute.network import Network
from kosim.encoders.compute.row_quantisation import quantise_by_row
from kosim.encoders.errors import BackboneError

if TYPE_CHECKING:
    import onnx


def export_graph(network: Network, graph: Path) -> None:
    """Write a network as a graph whose inputs are (rows, tokens) for any number of either.

    The weights stand in a file beside it, which onnxruntime maps instead of reading it into
    memory.

    Raises:
        BackboneError: torch cannot export this architecture.
    """
    # Two different sizes above 1, or the exporter takes a dimension for a constant.
    example = tuple(torch.ones((2, 3), dtype=torch.int64) for _ in network.inputs)
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens")
    device = network.model.device
    network.model.eval()
    with torch.inference_mode(), _quiet(), _plain_attention(network):
        try:
            program = torch.onnx.export(
                network.eval(),
                tuple(tensor.to(device) for tensor in example),
                dynamo=True,
                verbose=False,
                input_names=list(network.inputs),
                output_names=["output"],
                dynamic_shapes=(tuple({0: rows, 1: tokens} for _ in network.inputs),),
            )
        except Exception as error:  # the exporter's own errors derive from what torch raised
            reason = str(error).strip().splitlines()[0]
            raise BackboneError(
                f"this architecture cannot be exported to onnx: {reason}; use backend torch"
            ) from error
    if program is None:
        raise BackboneError("torch exported no graph; use backend torch")
    program.save(str(graph), external_data=True)


def quantise_graph(graph: Path, quantised: Path, *, by_row: bool = True) -> None:
    """Write a graph whose matrix products with weights are of 8-bit integers.

    Weights have one scale a column, activations one a token, found as it is computed, so that the
    output for an input does not depend on the others of its batch. The weights use 7 bits: AVX2
    adds two products in 16 bits, which saturate with 8. Embeddings and products of two activations
    stay in full precision, and so do those of a head, which has one vector a row: they cost
    nothing, and a score hangs on every digit of them.

    Args:
        graph: in full precision.
        quantised: where the other goes.
        by_row: one scale a token; without, as onnxruntime has it, one a batch.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    model = onnx.load(graph)
    add_pre_process_metadata(model)  # torch optimised it; the advice to do so is beside the point
    with tempfile.TemporaryDirectory(prefix="kosim-") as folder:
        by_tensor = Path(folder) / quantised.name
        quantize_dynamic(
            model,
            by_tensor,
            op_types_to_quantize=["MatMul"],
            nodes_to_exclude=products_of_one_vector(model),
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=True,
        )
        model = onnx.load(by_tensor)
    if by_row:
        quantise_by_row(model)
    onnx.save(model, quantised, save_as_external_data=True, location=f"{quantised.name}.data")


def products_of_one_vector(model: onnx.ModelProto) -> list[str]:
    """Return the names that onnxruntime's quantiser gives to products of one vector a row.

    The exporter writes them as ``Gemm``, which takes matrices only; products for every token have
    a dimension more. The quantiser turns each into a ``MatMul`` of a longer name. With one matrix
    for each head of the attention they have three dimensions on both sides.
    """
    dimensions = {one.name: len(one.dims) for one in model.graph.initializer}
    heads = [node.name for node in model.graph.node if node.op_type == "Gemm"]
    by_head = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and dimensions.get(node.input[1], 2) > 2
    ]
    return [*heads, *(f"{name}_MatMul" for name in heads), *by_head]


@contextmanager
def _plain_attention(network: Network) -> Iterator[None]:
    """Let attention be written as the products it consists of.

    torch's fused one is exported with guards against rows of nothing but padding, which no input
    has; they take 3 % of the time.
    """
    models = [one for one in network.modules() if isinstance(one, PreTrainedModel)]
    before = [model.config._attn_implementation for model in models]
    try:
        for model in models:
            model.set_attn_implementation("eager")
        yield
    finally:
        for model, implementation in zip(models, before, strict=True):
            model.set_attn_implementation(implementation)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back remarks about the exporter's own code, which a user cannot act on."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
