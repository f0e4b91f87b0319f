"""The speed benchmark: every row in processes of its own, the rows taking turns."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.errors import ConfigError
from kosim.encoders.language import Line
from kosim.encoders.loading import kind_of, load
from kosim.experiments.speed.flops import machine_peaks
from kosim.experiments.speed.measurement import Measurement, Row, measure
from kosim.experiments.speed.processes import alone
from kosim.experiments.speed.results import SpeedResults, SpeedRow, Task
from kosim.experiments.speed.workload import Workload
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.study.results import Latency, header
from kosim.index.build import build_index
from kosim.index.documents import Document

_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class BenchSettings:
    """How the benchmark is run.

    Args:
        choices: backends and precisions to compare; the first is what the others are compared to.
        rounds: times that every row is measured, taking turns.
        threads: of torch, onnxruntime and FAISS; as many as there are cores when None.
    """

    choices: tuple[ComputeChoice, ...] = (
        ComputeChoice("torch", "fp32"),
        ComputeChoice("onnx", "fp32"),
        ComputeChoice("onnx", "int8"),
    )
    rounds: int = 3
    threads: int | None = None

    def __post_init__(self) -> None:
        if not self.choices or len(set(self.choices)) < len(self.choices):
            raise ConfigError("name each backend and precision once, and at least one")
        for name, value in (("rounds", self.rounds), ("threads", self.threads or 1)):
            if value < 1:
                raise ConfigError(f"{name} is {value}; give at least 1")


def run_bench(
    encoders: Sequence[Path],
    workload: Workload,
    settings: BenchSettings,
    *,
    name: str = "bench",
    progress: Progress = silent,
) -> SpeedResults:
    """Measure all encoders.

    Every encoder scores pairs; a bi-encoder also encodes sentences and, the first one, searches
    them; every cross-encoder reranks what it finds.

    Args:
        encoders: folders of saved encoders.
        workload: the texts.
        settings: what is compared, and how often.
        name: of the report.
        progress: told what is being done.

    Raises:
        ArtifactError: a folder is no saved encoder.
        ConfigError: there is no encoder.
        MissingExtraError: a backend's packages are not installed.
    """
    if not encoders:
        raise ConfigError("no encoder is given; name one with --encoder or --reranker")
    kinds = {folder: kind_of(folder) for folder in encoders}
    threads = settings.threads or len(os.sched_getaffinity(0))
    _export(encoders, settings.choices, progress)
    with _indexed(kinds, workload) as index:
        jobs = _jobs(kinds, index)
        rows = [
            [Row(choice=choice, **job) for choice in settings.choices]
            + [Row(choice=choice, refined=True, **job) for choice in _refined(job, settings)]
            for job in jobs
        ]
        measured = _in_turns(rows, workload, settings.rounds, threads, progress)
    peaks = alone(machine_peaks, threads)
    return SpeedResults(
        **header(name, threads=threads),
        rows=[
            _figures(row, measured[row], measured[group[0]], peaks)
            for group in rows
            for row in group
        ],
        peak_gflops=peaks,
        settings={
            "choices": [str(choice) for choice in settings.choices],
            "rounds": settings.rounds,
            "threads": threads,
            **asdict(workload.sizes),
        },
        corpus={"origin": workload.origin, "sentences": len(workload.texts)},
    )


def _export(encoders: Sequence[Path], choices: Sequence[ComputeChoice], progress: Progress) -> None:
    """Export what will be needed, so that no measured start pays for it.

    A lower precision is refined in the full one of its backend.
    """
    used = dict.fromkeys([*choices, *(one.full for one in choices)])
    needed = [(folder, one) for folder in encoders for one in used if one.backend == "onnx"]
    for done, (folder, choice) in enumerate(needed):
        progress(Line("exporting", "내보내기"), done, len(needed))
        load(folder, device="cpu", backend=choice.backend, precision=choice.precision)


@contextmanager
def _indexed(kinds: Mapping[Path, str], workload: Workload) -> Iterator[Path | None]:
    """Yield an index of all texts by the first bi-encoder, or None where there is none."""
    bi = next((folder for folder, kind in kinds.items() if kind == "bi"), None)
    if bi is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="kosim-") as scratch:
        encoder = load(bi, device="cpu")
        documents = (Document(id=str(n), text=text) for n, text in enumerate(workload.texts))
        if isinstance(encoder, BiEncoder):
            build_index(documents, encoder, Path(scratch) / "index", type="flat")
        yield Path(scratch) / "index"


def _jobs(kinds: Mapping[Path, str], index: Path | None) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = []
    for folder, kind in kinds.items():
        tasks: list[Task] = ["encode", "score"] if kind == "bi" else ["score"]
        jobs += [{"task": task, "encoder": folder} for task in tasks]
    if index is not None:
        bi = next(folder for folder, kind in kinds.items() if kind == "bi")
        searching = {"encoder": bi, "index": index}
        jobs.append({"task": "search", **searching})
        jobs += [
            {"task": "rerank", "reranker": folder, **searching}
            for folder, kind in kinds.items()
            if kind == "cross"
        ]
    return jobs


def _refined(job: Mapping[str, Any], settings: BenchSettings) -> list[ComputeChoice]:
    """Return the choices in which a job is also measured with refining."""
    if job["task"] != "rerank":
        return []
    return [choice for choice in settings.choices if choice.precision != "fp32"]


def _in_turns(
    groups: Sequence[Sequence[Row]],
    workload: Workload,
    rounds: int,
    threads: int,
    progress: Progress,
) -> dict[Row, list[Measurement]]:
    """Measure every row in every round; the rows that are compared follow one another."""
    measured: dict[Row, list[Measurement]] = {row: [] for group in groups for row in group}
    done = 0
    for number in range(rounds):
        for group in groups:
            # Whatever the machine does meanwhile then falls on each row as often as the first.
            turned = group if number % 2 == 0 else list(reversed(group))
            for row in turned:
                measured[row].append(alone(measure, row, workload, threads))
                done += 1
                progress(Line("measuring", "측정"), done, rounds * len(measured))
    return measured


def _figures(
    row: Row,
    measured: Sequence[Measurement],
    reference: Sequence[Measurement],
    peaks: Mapping[str, float | None],
) -> SpeedRow:
    bulk = float(np.median([one.bulk for one in measured]))
    first = measured[0]
    gflops = None if first.flops is None else first.flops / bulk / 1e9
    peak = peaks.get(row.choice.precision)
    return SpeedRow(
        task=row.task,
        encoder=str(row.encoder),
        reranker=None if row.reranker is None else str(row.reranker),
        backend=row.choice.backend,
        precision=row.choice.precision,
        refined=row.refined,
        items=first.items,
        bulk_seconds=[one.bulk for one in measured],
        items_per_second=first.items / bulk,
        times_faster=_times_faster(measured, reference),
        latency_ms=Latency.of([one.singles for one in measured]),
        cold_start_seconds=float(np.median([one.cold_start for one in measured])),
        opening_seconds=float(np.median([one.opening for one in measured])),
        peak_memory_mib=float(np.median([one.peak_memory for one in measured])) / _MEBIBYTE,
        gflops=gflops,
        peak_share=None if gflops is None or not peak else gflops / peak,
        agreement=agreement(row.task, reference[0], first),
    )


def _times_faster(measured: Sequence[Measurement], reference: Sequence[Measurement]) -> float:
    """Return the median over the rounds of the reference's bulk seconds by these."""
    return float(
        np.median([one.bulk / own.bulk for one, own in zip(reference, measured, strict=True)])
    )


def agreement(task: Task, reference: Measurement, other: Measurement) -> float:
    """Return how far two measurements of a task agree in what they found; 1 is equality.

    The mean cosine of the vectors, the Pearson correlation of the scores, or the share of the
    reference's hits that the other has too.
    """
    if task == "encode":
        return float(np.einsum("ij,ij->i", reference.answer, other.answer).mean())
    if task == "score":
        return float(np.corrcoef(reference.answer, other.answer)[0, 1])
    hits = [set(row[row >= 0]) for row in reference.answer]
    found = [set(row) for row in other.answer]
    return float(np.mean([len(one & two) / len(one) for one, two in zip(hits, found, strict=True)]))
