"""Exports to onnx, of which a run of the tests makes one for each network."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from filelock import FileLock

from kosim.encoders.compute import onnx_graph
from kosim.encoders.compute.network import Network


@contextmanager
def copied_exports(folder: Path) -> Iterator[None]:
    """Copy the graph of a network whose like was exported before, by any process, from a folder."""
    export_graph = onnx_graph.export_graph

    def export(network: Network, graph: Path) -> None:
        kept = folder / digest(network)
        with FileLock(kept.with_suffix(".lock")):
            if not kept.is_dir():
                partial = Path(tempfile.mkdtemp(dir=folder))
                export_graph(network, partial / graph.name)
                partial.rename(kept)
        shutil.copytree(kept, graph.parent, dirs_exist_ok=True)

    with mock.patch.object(onnx_graph, "export_graph", export):
        yield


def digest(network: Network) -> str:
    """Return what is equal for networks whose graphs are: of weights, modules and settings."""
    found = hashlib.sha256(repr(network).encode())
    described = (network.output, network.prompt_tokens, network.inputs)
    config = getattr(network.model.transformers_model, "config", None)
    settings = {**config.to_dict(), "_name_or_path": None} if config is not None else None
    found.update(repr((described, network.computed is network.model, settings)).encode())
    for name, tensor in network.model.state_dict().items():
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().float().numpy().tobytes())
    return found.hexdigest()
