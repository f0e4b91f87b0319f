"""One row of a speed benchmark, measured in the process that runs it and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.threads import set_thread_count
from kosim.encoders.errors import ConfigError
from kosim.encoders.loading import load
from kosim.encoders.records import Pair
from kosim.experiments.speed.flops import encoder_flops
from kosim.experiments.speed.processes import peak_memory
from kosim.experiments.speed.results import Task
from kosim.experiments.speed.workload import Workload
from kosim.experiments.study.results import seconds_of
from kosim.index.corpus_index import CorpusIndex
from kosim.index.searcher import Searcher

Answer = npt.NDArray[Any]
_K = 10


@dataclass(frozen=True)
class Row:
    """What is measured: a task by saved encoders, with one backend and precision.

    ``encoder`` does it; ``reranker`` and ``index`` belong to the tasks that search. What is
    ``refined`` encodes queries, and scores the candidates around the last hit again, in full
    precision.
    """

    task: Task
    encoder: Path
    choice: ComputeChoice
    reranker: Path | None = None
    index: Path | None = None
    refined: bool = False


@dataclass(frozen=True)
class Measurement:
    """What one process measured.

    Args:
        cold_start: seconds from the start of the process to its first answer.
        opening: seconds of these in which the encoders were opened.
        bulk: seconds of the bulk job.
        items: sentences, pairs or queries in it.
        singles: seconds of each call with a single sentence or query.
        peak_memory: bytes of resident memory at most.
        flops: floating-point operations of the bulk job; None where searching is part of it.
        answer: the bulk job's result: vectors (n, d), raw scores (n,), or the numbers of the ids
            of the hits (n, 10).
    """

    cold_start: float
    opening: float
    bulk: float
    items: int
    singles: tuple[float, ...]
    peak_memory: int
    flops: float | None
    answer: Answer


@dataclass(frozen=True)
class Job:
    """What is timed: all of it in one call, and one text (or vector) in a call.

    ``flops`` counts the operations of the bulk; it may load torch, so it is called last.
    """

    bulk: Callable[[], Answer]
    single: Callable[[Any], object]
    items: int
    flops: Callable[[], float] | None = None


def measure(started: float, row: Row, workload: Workload, threads: int) -> Measurement:
    """Measure a row; see `alone` for ``started``."""
    faiss.omp_set_num_threads(threads)
    set_thread_count(threads)

    def prepare() -> Job:
        job = _job(row, workload)
        set_thread_count(threads)  # of torch, if opening the encoders imported it
        return job

    return timed(started, prepare, workload.single_texts())


def timed(started: float, prepare: Callable[[], Job], singles: Sequence[Any]) -> Measurement:
    """Prepare a job and time it: its first call, its single calls, its bulk."""
    began = time.monotonic()
    job = prepare()
    opened = time.monotonic()
    job.single(singles[0])
    first = time.monotonic()
    calls = tuple(seconds_of(job.single, one) for one in singles)
    answers: list[Answer] = []
    bulk = seconds_of(lambda: answers.append(job.bulk()))
    memory = peak_memory()
    return Measurement(
        cold_start=first - started,
        opening=opened - began,
        bulk=bulk,
        items=job.items,
        singles=calls,
        peak_memory=memory,
        flops=None if job.flops is None else job.flops(),
        answer=answers[0],
    )


def _job(row: Row, workload: Workload) -> Job:
    encoder = open_encoder(row.encoder, row.choice.full if row.refined else row.choice)
    if row.task == "score":
        return _scoring(encoder, workload)
    if not isinstance(encoder, BiEncoder):
        raise ConfigError(
            f"{row.encoder} is a {encoder.kind}-encoder; {row.task} needs a bi-encoder"
        )
    if row.task == "encode":
        return _encoding(encoder, workload)
    return _searching(encoder, row, workload)


def _scoring(encoder: PairEncoder, workload: Workload) -> Job:
    pairs, candidates = workload.pairs, workload.candidates
    return Job(
        bulk=lambda: encoder.score(pairs, raw=True),
        single=lambda query: encoder.rank(query, candidates),
        items=len(pairs),
        flops=lambda: _flops(encoder, pairs),
    )


def _encoding(encoder: BiEncoder, workload: Workload) -> Job:
    sentences = workload.sentences
    return Job(
        bulk=lambda: encoder.encode(sentences),
        single=lambda text: encoder.encode([text]),
        items=len(sentences),
        flops=lambda: _flops(encoder, [(text, text) for text in sentences]),
    )


def _searching(encoder: BiEncoder, row: Row, workload: Workload) -> Job:
    index = CorpusIndex.open(row.index)  # type: ignore[arg-type]
    reranker = None if row.reranker is None else open_encoder(row.reranker, row.choice)
    refiner = open_encoder(row.reranker, row.choice.full) if row.reranker and row.refined else None
    searcher = Searcher(index, encoder, reranker, refiner=refiner)
    queries, candidates = workload.queries, workload.sizes.candidates

    def search(some: Sequence[str]) -> Answer:
        results = searcher.search(some, k=_K, candidates=candidates)
        ids = np.full((len(some), _K), -1, dtype=np.int64)
        for query, result in enumerate(results):
            ids[query, : len(result.hits)] = [int(hit.id) for hit in result.hits]
        return ids

    return Job(
        bulk=lambda: search(queries), single=lambda query: search([query]), items=len(queries)
    )


def open_encoder(folder: Path, choice: ComputeChoice) -> PairEncoder:
    """Load a saved encoder onto the CPU, to compute as chosen."""
    return load(folder, device="cpu", backend=choice.backend, precision=choice.precision)


def _flops(encoder: PairEncoder, pairs: list[Pair]) -> float:
    """Return the operations of scoring pairs, each different sequence encoded once."""
    if not encoder.order_matters:
        pairs = [(text, text) for text in dict.fromkeys(text for pair in pairs for text in pair)]
    lengths = np.minimum(encoder.token_lengths(pairs), encoder.max_length)
    return encoder_flops(
        encoder.model.transformers_model.config, lengths, first_token_only=encoder.first_token_only
    )
