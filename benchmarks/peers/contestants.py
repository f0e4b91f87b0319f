"""Who is measured at which task, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.peers.environments import PeerError, last_line
from benchmarks.peers.materials import OURS, Materials
from benchmarks.peers.vectors import search_vectors
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.storage import write_json
from kosim.experiments.speed.measurement import Measurement, Row, Task, measure
from kosim.experiments.speed.processes import alone

PEERS: dict[str, tuple[str, ...]] = {
    "encode": ("sentence-transformers", "fastembed", "light-embed", "text2vec"),
    "score": ("sentence-transformers", "rerankers", "flagembedding"),
    "rerank": ("sentence-transformers",),
    "vectors": ("faiss", "hnswlib", "usearch"),
}
"""Who is measured at what; ``vectors`` is the search of vectors alone."""

_WORKER = Path(__file__).with_name("worker.py")
_LIMIT = 3_600
"""Seconds after which a peer is given up."""


def run_peer(python: Path, materials: Materials, peer: str, task: str) -> Measurement:
    """Return what a peer's worker measures.

    Raises:
        PeerError: it fails, or takes more than an hour.
    """
    job_path, result_path = materials.folder / "job.json", materials.folder / "result.json"
    result_path.unlink(missing_ok=True)
    write_json(job_path, {**materials.job(peer, task), "started": time.monotonic()})
    command = [str(python), str(_WORKER), str(job_path), str(result_path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"was given up after {_LIMIT} seconds") from error
    if done.returncode or not result_path.is_file():
        raise PeerError(f"cannot run: {last_line(done.stderr)}")
    result = json.loads(result_path.read_text(encoding="utf-8"))
    answer = np.load(result_path.with_suffix(".npy"), allow_pickle=False)
    return Measurement(
        cold_start=result["cold_start"],
        opening=result["opening"],
        bulk=result["bulk"],
        items=len(answer),
        singles=tuple(result["singles"]),
        peak_memory=result["peak_memory"],
        flops=None,
        answer=answer,
    )


def run_ours(
    materials: Materials, task: Task, choice: ComputeChoice, *, refined: bool = False
) -> Measurement:
    """Return what kosim measures for the same task."""
    encoder = materials.reranker if task == "score" else materials.encoder
    row = Row(task, encoder, choice)
    if task == "rerank":
        index = materials.folder / "index"
        row = replace(row, reranker=materials.reranker, index=index, refined=refined)
    return alone(measure, row, materials.workload, materials.threads)


def contestants(
    materials: Materials, task: str, pythons: Mapping[str, Path]
) -> dict[str, Callable[[], Measurement]]:
    """Return who is measured at a task, kosim first."""
    ours: dict[str, Callable[[], Measurement]]
    if task == "vectors":
        ours = {"kosim": lambda: _search_vectors(materials)}
    else:
        ours = {
            f"kosim {choice}": lambda choice=choice: run_ours(materials, task, choice)  # type: ignore[misc, arg-type]
            for choice in OURS
        }
    if task == "rerank":
        ours["kosim onnx int8, refined"] = lambda: run_ours(
            materials, "rerank", ComputeChoice("onnx", "int8"), refined=True
        )
    theirs: dict[str, Callable[[], Measurement]] = {
        peer: lambda peer=peer: run_peer(pythons[peer], materials, peer, task)  # type: ignore[misc]
        for peer in PEERS[task]
        if peer in pythons
    }
    return ours | theirs


def _search_vectors(materials: Materials) -> Measurement:
    files = (materials.folder / "index", materials.folder / "queries.npy")
    return alone(search_vectors, *files, materials.threads)
