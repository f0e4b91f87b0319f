"""Put exports into the folders of the two bundled encoders, so that they compute without torch.

A graph without weights is small: it takes them from ``model.safetensors`` beside it, in half
precision, and onnxruntime turns them and makes them float32 when it opens the graph.

    python -m benchmarks.mini.bundle_exports
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from kosim.encoders.artifact import read_manifest
from kosim.encoders.bundle import MINI_BI, MINI_CROSS, saved_encoder
from kosim.encoders.compute.export_store import ExportStore
from kosim.encoders.loading import load
from kosim.encoders.storage import atomic_folder, sha256

WEIGHTS = "model.safetensors"
_LEAST = 512
"""Numbers of a tensor below which it stays in the graph."""


def share_weights(model: onnx.ModelProto, weights: Path) -> int:
    """Let a graph take its large weights from a file of half-precision weights.

    Returns:
        The number of tensors that it takes from there.

    Raises:
        ValueError: the file lacks a large tensor of the graph.
    """
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    tensors = load_file(weights)
    large = [one for one in model.graph.initializer if np.prod(one.dims) >= _LEAST]
    before = []
    for one in (one for one in large if one.data_type == TensorProto.FLOAT):
        name, turned = _find(numpy_helper.to_array(one), tensors)
        begin, end = header[name]["data_offsets"]
        half = TensorProto(name=f"{one.name}.half", data_type=TensorProto.FLOAT16)
        half.dims.extend(tensors[name].shape)
        half.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", weights.name),
            ("offset", 8 + length + begin),
            ("length", end - begin),
        ):
            half.external_data.add(key=key, value=str(value))
        model.graph.initializer.remove(one)
        model.graph.initializer.append(half)
        source = half.name
        if turned:
            source = f"{one.name}.turned"
            before.append(helper.make_node("Transpose", [half.name], [source], perm=[1, 0]))
        before.append(helper.make_node("Cast", [source], [one.name], to=TensorProto.FLOAT))
    nodes = [*before, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return sum(node.op_type == "Cast" for node in before)


def _find(
    values: npt.NDArray[np.float32], tensors: dict[str, npt.NDArray[np.float16]]
) -> tuple[str, bool]:
    """Return the tensor that has these values, and whether it must be turned."""
    for name, tensor in tensors.items():
        for turned, candidate in ((False, tensor), (True, tensor.T)):
            if candidate.shape == values.shape and np.array_equal(candidate, values):
                return name, turned
    raise ValueError(f"no tensor has the values of a weight of shape {values.shape}")


def bundle_export(name: str) -> int:
    """Write the export of a bundled encoder into its folder, and return its bytes."""
    folder = saved_encoder(name)
    encoder = load(folder, backend="torch", device="cpu")
    with tempfile.TemporaryDirectory(prefix="kosim-") as scratch:
        alone = Path(shutil.copytree(folder, Path(scratch) / name, ignore=_exports))
        store = ExportStore(read_manifest(alone).measured, alone)
        export = store.make(encoder._network(), "fp32", encoder.fingerprint(), encoder.settings())
        if export.tokenizer.parent != alone:
            raise click.ClickException(f"{name}/tokenizer.json does not say what its class does")
        model = onnx.load(export.graph)
        share_weights(model, folder / WEIGHTS)
        for part in (model, model.graph, *model.graph.node, *model.graph.value_info):
            part.ClearField("doc_string")
            part.ClearField("metadata_props")
        del model.graph.value_info[:]
        with atomic_folder(folder / "onnx" / "fp32", overwrite=True) as out:
            (out / export.graph.name).write_bytes(model.SerializeToString())
            files = {file.name: sha256(file) for file in sorted(out.iterdir())}
            export.record.model_copy(update={"files": files}).write(out)
    return sum(file.stat().st_size for file in (folder / "onnx" / "fp32").iterdir())


def _exports(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "onnx"]


@click.command()
def main() -> None:
    """Write the exports of both bundled encoders."""
    for name in (MINI_BI, MINI_CROSS):
        click.echo(f"{name}: {bundle_export(name):,} bytes")


if __name__ == "__main__":
    main()
