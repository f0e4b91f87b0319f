"""The speed benchmark: what it counts, what it compares, and that each row stands alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.startup.measure import run
from kosim.encoders.compute.network import Network
from kosim.encoders.errors import ConfigError, DataError, KosimError
from kosim.encoders.loading import KINDS
from kosim.encoders.scratch import build_scratch_backbone
from kosim.experiments.cli.bench import parse_choices
from kosim.experiments.speed.bench import BenchSettings, agreement
from kosim.experiments.speed.flops import encoder_flops, fp32_peak, int8_peak
from kosim.experiments.speed.measurement import Job, Measurement, timed
from kosim.experiments.speed.processes import alone
from kosim.experiments.speed.workload import Workload, WorkloadSizes
from tests.experiments.alone_tasks import die, in_this_process, report, touch
from tests.experiments.tiny_artifacts import answer, refusal, sentences

SMALL = (
    *("--sentences", 20, "--pairs", 20, "--queries", 5, "--candidates", 12, "--singles", 3),
    *("--rounds", 1, "--threads", 1),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("\n".join(dict.fromkeys(sentences(80))) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["bi", "cross"])
def test_operations_are_those_that_torch_counts(kind: str, tmp_path: Path) -> None:
    build_scratch_backbone(sentences(50), tmp_path / "backbone", hidden=64, layers=2, heads=2)
    encoder = KINDS[kind].from_backbone(str(tmp_path / "backbone"), device="cpu")
    encoder.model.transformers_model.set_attn_implementation("eager")  # torch counts its products
    ids = torch.ones((3, 17), dtype=torch.int64)
    network = Network(encoder.model, encoder.output, first_token=encoder.first_token_only)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(*(torch.ones_like(ids) for _ in network.inputs))
    head = 3 * 2 * (64 * 64 + 64) if kind == "cross" else 0
    counted = encoder_flops(
        encoder.model.transformers_model.config,
        np.array([17, 17, 17]),
        first_token_only=encoder.first_token_only,
    )
    assert counted + head == pytest.approx(counter.get_total_flops(), rel=1e-6)


def test_peaks_are_above_nothing() -> None:
    assert fp32_peak(size=64, repeats=2) > 0
    peak = int8_peak(size=64, repeats=2)
    assert peak is None or peak > 0


def test_a_task_alone_has_a_process_and_a_clock_of_its_own() -> None:
    before = time.monotonic()
    started, process, memory = alone(report)
    assert before <= started <= time.monotonic()
    assert process != os.getpid()
    assert memory > 1 << 20


def test_a_measurement_imports_nothing_that_the_encoder_does_not_need() -> None:
    heavy = "{'torch', 'transformers', 'sentence_transformers', 'pandas', 'sklearn'}"
    code = f"import sys, kosim.experiments.speed.measurement; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_operations_are_counted_when_all_has_been_timed() -> None:
    calls: list[str] = []

    def called(name: str) -> np.ndarray:
        calls.append(name)
        return np.zeros(1)

    def flops() -> float:
        calls.append("flops")
        return 7.0

    job = Job(lambda: called("bulk"), lambda one: called(one), 1, flops)
    assert timed(time.monotonic(), lambda: job, ["a", "b"]).flops == 7.0
    assert calls == ["a", "a", "b", "bulk", "flops"]


def test_the_peak_of_memory_is_seen_after_it_is_given_back() -> None:
    before = alone(touch, 0)
    after = alone(touch, 200)
    assert 190 < (after - before) / (1 << 20) < 260


def test_a_killed_process_is_an_error_of_ours() -> None:
    with pytest.raises(KosimError, match="measuring process was killed"):
        alone(die)


def test_a_start_has_the_memory_of_its_command_and_not_of_who_starts_it() -> None:
    held = b"x" * (100 << 20)
    started = run([sys.executable, "-I", "-S", "-c", f"b'x' * {50 << 20}"])
    assert 50 << 20 < started.memory < len(held)
    assert 0 < started.cpu_seconds < started.seconds * 1.5


def measured(found: np.ndarray) -> Measurement:
    return Measurement(1.0, 1.0, 1.0, len(found), (1.0,), 1, None, found)


def test_agreement_is_cosine_correlation_or_shared_hits() -> None:
    vectors = np.eye(2, dtype=np.float32)
    turned = np.array([[1, 0], [0.6, 0.8]], dtype=np.float32)
    assert agreement("encode", measured(vectors), measured(turned)) == pytest.approx(0.9)
    scores, other = np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0, 8.0])
    assert agreement("score", measured(scores), measured(other)) == pytest.approx(1)
    hits, found = np.array([[1, 2, 3, -1], [4, 5, -1, -1]]), np.array([[3, 9, 1, 7], [4, 5, 6, -1]])
    assert agreement("rerank", measured(hits), measured(found)) == pytest.approx((2 / 3 + 1) / 2)


def test_a_workload_is_distinct_texts_and_pairs_in_an_order_of_its_seed(corpus: Path) -> None:
    sizes = WorkloadSizes(sentences=30, pairs=100, queries=4, candidates=5, singles=3)
    one, same, other = (Workload.of(corpus, sizes, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.texts != other.texts
    assert set(one.texts) == set(other.texts) == set(corpus.read_text().split("\n")) - {""}
    assert len(one.sentences) == len(set(one.sentences)) == 30
    assert len(one.pairs) == len(set(one.pairs)) == 100
    assert all(first != second for first, second in one.pairs)
    assert (len(one.queries), len(one.candidates), len(one.single_texts())) == (4, 5, 3)


def test_a_corpus_that_is_too_small_is_refused(tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("하나\n둘\n하나\n")
    with pytest.raises(DataError, match="has 2 different sentences"):
        Workload.of(tmp_path / "few.txt", WorkloadSizes())


def test_impossible_settings_are_refused() -> None:
    for given in ("torch", "torch:int8", "tpu:fp32"):
        with pytest.raises(ConfigError):
            parse_choices(given)
    with pytest.raises(ConfigError, match="each backend and precision once"):
        BenchSettings(choices=parse_choices("torch:fp32,torch:fp32"))
    with pytest.raises(ConfigError, match="rounds is 0"):
        BenchSettings(rounds=0)
    with pytest.raises(ConfigError, match="pairs is 0"):
        WorkloadSizes(pairs=0)


def test_bench_of_a_cross_encoder(
    own_encoders: dict[str, Path],
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kosim.experiments.speed.bench.alone", in_this_process)
    out = tmp_path / "bench"
    options = ("--corpus", corpus, "--compare", "torch:fp32,torch:bf16", "--out", out)
    printed = json.loads(
        answer("bench", "--encoder", own_encoders["cross"], *options, *SMALL, "--json")
    )
    assert printed == json.loads((out / "results.json").read_text())
    full, half = printed["rows"]
    assert [row["precision"] for row in (full, half)] == ["fp32", "bf16"]
    assert full["times_faster"] == 1
    assert full["agreement"] == pytest.approx(1)
    assert 0.9 < half["agreement"] < 1
    for row in (full, half):
        assert row["items"] == 20
        assert row["items_per_second"] == pytest.approx(20 / row["bulk_seconds"][0])
        assert 0 < row["latency_ms"]["p50"] <= row["latency_ms"]["p95"]
        assert 0 < row["opening_seconds"] < row["cold_start_seconds"]
        assert row["peak_memory_mib"] > 100
    assert half["times_faster"] == pytest.approx(full["bulk_seconds"][0] / half["bulk_seconds"][0])
    assert "Scoring pairs, cross" in (out / "report.md").read_text()
    assert "<svg" in (out / "report.html").read_text()


@pytest.mark.slow
def test_bench_of_both_kinds_and_backends(
    own_encoders: dict[str, Path],
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("onnxruntime")
    first = iter([alone])  # one row has a process of its own, as each has otherwise

    def run(task: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return next(first, in_this_process)(task, *arguments, **options)

    monkeypatch.setattr("kosim.experiments.speed.bench.alone", run)
    given = ("--encoder", own_encoders["bi"], "--encoder", own_encoders["cross"])
    options = ("--corpus", corpus, "--compare", "torch:fp32,onnx:int8", "--out", tmp_path / "b")
    results = json.loads(answer("bench", *given, *options, *SMALL, "--json"))
    tasks = [(row["task"], row["backend"]) for row in results["rows"]]
    expected = ["encode", "score", "score", "search", "rerank"]
    pairs = [(task, backend) for task in expected for backend in ("torch", "onnx")]
    assert tasks == [*pairs, ("rerank", "onnx")]
    assert [row["refined"] for row in results["rows"]] == [False] * len(pairs) + [True]
    assert all(0.5 < row["agreement"] <= 1 + 1e-6 for row in results["rows"])


def test_bench_refuses_what_it_cannot_measure(
    own_encoders: dict[str, Path], tmp_path: Path
) -> None:
    assert "does not exist" in refusal("bench", "--encoder", tmp_path / "none")
    line = refusal("bench", "--encoder", own_encoders["bi"], "--compare", "torch:int8")
    assert "does not compute in int8" in line
