"""Measures what a plan is made from: quick figures of one core of this machine."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import faiss
import numpy as np
import torch

from kosim.encoders.base import FloatArray
from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import name_of
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.dimensions import checked_dimensions, shortened
from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import ConfigError
from kosim.encoders.loading import kind_of
from kosim.experiments.speed.measurement import Measurement, Row, measure, open_encoder
from kosim.experiments.speed.planning.measurements import (
    Layout,
    Measurements,
    SizeFigures,
    layout_parts,
)
from kosim.experiments.speed.processes import alone, peak_memory
from kosim.experiments.speed.workload import Workload, WorkloadSizes
from kosim.experiments.study.environment import describe_environment
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.study.results import seconds_of
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.store.manifest import SEGMENTS, read_manifest
from kosim.index.vectors.vector_index import VectorIndex

_BLOCK = 8_192
_K = 10
_QUERIES = 100
_SCANNED_BYTES = 160_000_000
"""Of the vectors of the largest scan: more than caches hold."""
_SEED = 0

Figures = dict[Layout, list[dict[str, Any]]]


@dataclass(frozen=True)
class PlanSizes:
    """How much is measured.

    Args:
        sample: sentences that are encoded.
        vectors: rows of the largest measured index; vectors are mixed where fewer are encoded.
        pairs: scored by the reranker.
    """

    sample: int = 2_000
    vectors: int = 20_000
    pairs: int = 200

    def __post_init__(self) -> None:
        for name, least in (("sample", 10), ("vectors", 100), ("pairs", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; measure at least {least}")


def measure_machine(
    encoder: Path,
    reranker: Path | None,
    corpus: str | None,
    sizes: PlanSizes,
    *,
    choice: ComputeChoice | None = None,
    dimensions: int | None = None,
    progress: Progress = silent,
) -> Measurements:
    """Measure encoding, reranking, and an index of each layout at two sizes.

    Args:
        encoder: folder of a saved bi-encoder.
        reranker: folder of a saved cross-encoder, if queries are to be reranked.
        corpus: sentences like those of the corpus that is planned; the sample's when None.
        sizes: how much is measured.
        choice: backend and precision of the encoders; torch in fp32 when None.
        dimensions: the first ones of the encoder's vectors that are kept; all when None.
        progress: told what is being done.

    Raises:
        ArtifactError: a folder is no saved encoder.
        ConfigError: an encoder is of the other kind, or does not have so many dimensions.
        DataError: the corpus cannot be used.
    """
    choice = choice or ComputeChoice()
    _check_kind(encoder, "bi", "--encoder")
    if reranker is not None:
        _check_kind(reranker, "cross", "--reranker")
    workload = Workload.of(corpus, WorkloadSizes(sentences=sizes.sample, pairs=sizes.pairs))
    progress("encoding", 0, 3)
    encoding: Measurement = alone(measure, Row("encode", encoder, choice), workload, 1)
    encoded = np.ascontiguousarray(encoding.answer, dtype=np.float32)
    kept = checked_dimensions(encoded.shape[1], dimensions, name_of(encoder))
    encoded = np.ascontiguousarray(shortened(encoded, kept))
    progress("scoring", 1, 3)
    scoring = None
    if reranker is not None:
        scoring = alone(measure, Row("score", reranker, choice), workload, 1)
    progress("indexing", 2, 3)
    vectors = mix(encoded, sizes.vectors + _QUERIES)
    document_bytes, figures = alone(measure_indexes, vectors, workload.sentences)
    texts = workload.sentences[:_QUERIES]
    process_bytes = alone(answering_bytes, encoder, reranker, choice, texts)
    progress("indexing", 3, 3)
    return Measurements(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        encoder=name_of(encoder),
        reranker=None if reranker is None else name_of(reranker),
        corpus=workload.origin,
        dimension=kept,
        encoded_sentences=min(len(encoded), len(vectors)),
        mixed_vectors=max(0, len(vectors) - len(encoded)),
        sentences_per_second=encoding.items / encoding.bulk,
        query_seconds=float(np.median(encoding.singles)),
        pairs_per_second=None if scoring is None else scoring.items / scoring.bulk,
        process_bytes=process_bytes,
        document_bytes=document_bytes,
        types={
            type: [SizeFigures(**one) for one in measured]
            for type, measured in figures.items()
            if measured
        },
        environment={**describe_environment(), "threads": 1},
    )


def answering_bytes(
    started: float,
    encoder: Path,
    reranker: Path | None,
    choice: ComputeChoice,
    texts: list[str],
) -> int:
    """Return the most memory that is resident in a process that answers queries one by one.

    It encodes each of the texts, and with a reranker scores the first one with all.
    """
    torch.set_num_threads(1)
    opened = open_encoder(encoder, choice)
    if isinstance(opened, BiEncoder):
        for text in texts:
            opened.encode([text])
    if reranker is not None:
        open_encoder(reranker, choice).rank(texts[0], texts)
    return peak_memory()


def mix(vectors: FloatArray, count: int) -> FloatArray:
    """Return ``count`` unit vectors: those given, and as many means of two of them as lack."""
    missing = count - len(vectors)
    if missing <= 0:
        return vectors[:count]
    random = np.random.default_rng(_SEED)
    first, second = random.integers(len(vectors), size=(2, missing))
    share = random.uniform(0.5, 1.0, size=(missing, 1)).astype(np.float32)
    made = share * vectors[first] + (1 - share) * vectors[second]
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return np.concatenate([vectors, made])


def measure_indexes(started: float, vectors: FloatArray, texts: list[str]) -> tuple[float, Figures]:
    """Build and search an index of each layout at two sizes, on one core.

    The last vectors are the queries. Returns the bytes that a document takes besides its vector,
    and the figures by layout; those that need more vectors have none.
    """
    faiss.omp_set_num_threads(1)
    held, queries = vectors[:-_QUERIES], vectors[-_QUERIES:]
    figures: Figures = {layout: [] for layout in get_args(Layout)}
    document_bytes = 0.0
    for layout, measured in figures.items():
        least = max(VectorIndex.minimum_rows(layout_parts(layout)[0]), 1)
        for rows in sorted({max(least, len(held) // 4), len(held)}):
            if least <= rows <= len(held):
                one, beside = _indexed(layout, held[:rows], queries, texts)
                measured.append(one)
                document_bytes = beside / rows
    figures["flat"].append(_scanned(vectors.shape[1], queries))
    figures["flat"].sort(key=lambda one: int(one["rows"]))
    return document_bytes, figures


def _indexed(
    layout: Layout, vectors: FloatArray, queries: FloatArray, texts: list[str]
) -> tuple[dict[str, Any], float]:
    """Return the figures of one index, and the bytes of its documents."""
    rows, (type, stored) = len(vectors), layout_parts(layout)
    documents = [Document(id=str(n), text=texts[n % len(texts)]) for n in range(rows)]
    with tempfile.TemporaryDirectory(prefix="kosim-") as scratch:
        folder = Path(scratch) / "index"
        started = time.perf_counter()
        index = CorpusIndex.create(
            folder,
            EncoderIdentity("planned", "planned", vectors.shape[1]),
            (
                (documents[at : at + _BLOCK], vectors[at : at + _BLOCK])
                for at in range(0, rows, _BLOCK)
            ),
            type=type,
            vectors=stored,
        )
        built = time.perf_counter() - started
        (segment,) = read_manifest(folder)[0].segments
        named = {name: (folder / SEGMENTS / segment.name / name) for name in segment.files}
        structure = {name: named[name].stat().st_size for name in VectorIndex.files(type, stored)}
        whole = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        figures = {
            "rows": rows,
            "disk_bytes": sum(structure.values()),
            # Of two files the first is searched, and the second read for the candidates alone.
            "resident_bytes": structure[VectorIndex.files(type, stored)[0]],
            "build_seconds": built,
            "search_seconds": single_query_seconds(queries, lambda query: index.search(query, _K)),
            "recall": segment.settings["recall@10"],
        }
    return figures, whole - sum(structure.values())


def _scanned(dimension: int, queries: FloatArray) -> dict[str, Any]:
    """Return the figures of comparing more random vectors than caches hold: a scan reads all."""
    rows = _SCANNED_BYTES // (4 * dimension)
    random = np.random.default_rng(_SEED)
    started = time.perf_counter()
    index = faiss.IndexFlatIP(dimension)
    index.add(random.standard_normal((rows, dimension), dtype=np.float32))
    built = time.perf_counter() - started
    size = rows * dimension * 4
    return {
        "rows": rows,
        "disk_bytes": size,
        "resident_bytes": size,
        "build_seconds": built,
        "search_seconds": single_query_seconds(queries[:20], lambda query: index.search(query, _K)),
        "recall": 1.0,
    }


def single_query_seconds(queries: FloatArray, search: Any) -> float:
    """Return the median seconds of ``search`` with one of the queries (q, d), after a first one."""
    search(queries[:1])
    return float(np.median([seconds_of(search, one[None]) for one in queries]))


def _check_kind(folder: Path, kind: str, option: str) -> None:
    found = kind_of(folder)
    if found != kind:
        raise ConfigError(f"{folder} is a {found}-encoder; {option} takes a {kind}-encoder")
