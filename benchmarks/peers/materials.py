"""What is written once for all who are measured: texts, vectors, an index, exports."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.environments import packages_of
from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import ConfigError
from kosim.encoders.loading import export_store, load
from kosim.encoders.storage import write_json
from kosim.experiments.speed.workload import Workload
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document

WHOLE_GRAPH = "onnx/whole/model.onnx"
OURS = (
    ComputeChoice("torch", "fp32"),
    ComputeChoice("onnx", "fp32"),
    ComputeChoice("onnx", "int8"),
)
"""How kosim computes where it is measured."""


@dataclass(frozen=True)
class Materials:
    """What is written once for all workers of a run."""

    folder: Path
    encoder: Path
    reranker: Path
    prompt: str
    workload: Workload
    threads: int

    def job(self, peer: str, task: str) -> dict[str, Any]:
        """Return what a worker is told."""
        return {
            "peer": peer,
            "task": task,
            "encoder": str(self.encoder.resolve()),
            "reranker": str(self.reranker.resolve()),
            "prompt": self.prompt,
            "texts": str(self.folder / "texts.json"),
            "vectors": str(self.folder / "vectors.npy"),
            "graph": WHOLE_GRAPH,
            "query_vectors": str(self.folder / "queries.npy"),
            "candidates": self.workload.sizes.candidates,
            "threads": self.threads,
            "packages": packages_of(peer),
        }


def prepare(
    folder: Path, encoder: Path, reranker: Path, workload: Workload, threads: int
) -> Materials:
    """Write texts, vectors and an index, and export what ours need.

    The encoders are copied, so that their exports, which some peers run, lie beside them.
    """
    encoder = Path(shutil.copytree(encoder, folder / "encoder"))
    reranker = Path(shutil.copytree(reranker, folder / "reranker"))
    bi = load(encoder, device="cpu")
    if not isinstance(bi, BiEncoder):
        raise ConfigError(f"--encoder {encoder} is a cross-encoder; give a bi-encoder")
    texts = {
        "corpus": workload.texts,
        "sentences": workload.sentences,
        "pairs": workload.pairs,
        "queries": workload.queries,
        "candidates": workload.candidates,
        "singles": workload.single_texts(),
    }
    write_json(folder / "texts.json", texts)
    vectors = bi.encode(workload.texts)
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "queries.npy", vectors[: len(workload.queries)])
    documents = [Document(id=str(n), text=text) for n, text in enumerate(workload.texts)]
    identity = EncoderIdentity(bi.fingerprint(), str(encoder), bi.dimension)
    CorpusIndex.create(folder / "index", identity, [(documents, vectors)], type="flat")
    for choice in OURS:
        for saved in (encoder, reranker):
            load(saved, device="cpu", backend=choice.backend, precision=choice.precision)
    write_whole_graph(encoder)
    return Materials(folder, encoder, reranker, bi.prompt, workload, threads)


def write_whole_graph(encoder: Path) -> None:
    """Write the encoder's exported graph with its weights inside, which is what peers can open."""
    import onnx  # here, as the processes that are measured import this module

    export = export_store(encoder).find("fp32")
    if export is None:
        raise ConfigError(f"{encoder} has no export in fp32")
    model = onnx.load(export.graph, load_external_data=False)
    onnx.load_external_data_for_model(model, str(export.weights or export.folder))
    whole = encoder / WHOLE_GRAPH
    whole.parent.mkdir(parents=True)
    onnx.save(model, whole)
