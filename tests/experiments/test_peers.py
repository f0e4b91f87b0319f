"""The benchmark of peers: its ratios, its page, and that it lists a peer that fails."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.peers.contestants import PEERS
from benchmarks.peers.environments import REQUIREMENTS, PeerError, last_line, packages_of
from benchmarks.peers.report import markdown
from benchmarks.peers.run import compare, figures, main
from kosim.experiments.speed.measurement import Measurement
from tests.experiments.alone_tasks import in_this_process
from tests.experiments.tiny_artifacts import sentences
from tests.forked import interpreter


def measured(bulk: float, single: float) -> Measurement:
    return Measurement(2.0, 1.0, bulk, 10, (single,) * 4, 1 << 20, None, np.eye(10))


def test_a_ratio_is_the_median_over_the_rounds() -> None:
    peer = [measured(bulk, 0.010) for bulk in (3.0, 8.0, 10.0)]
    ours = [measured(bulk, 0.004) for bulk in (1.0, 4.0, 2.0)]
    row = figures("encode", "kosim", "peer", {"peer": peer, "kosim": ours})
    assert row["times_faster"] == pytest.approx(3)  # of 3, 2 and 5
    assert row["p50_share"] == row["p95_share"] == pytest.approx(0.4)
    assert row["items_per_second"] == pytest.approx(5)
    assert row["p50_ms"] == pytest.approx(4)
    assert row["agreement"] == pytest.approx(1)


def test_who_fails_is_listed_with_the_reason_and_the_others_go_on() -> None:
    def fail() -> Measurement:
        raise PeerError("cannot run: no such model")

    calls: list[str] = []

    def run(name: str) -> Measurement:
        calls.append(name)
        return measured(1.0, 0.1)

    absent: dict[str, str] = {}
    runners = {"kosim": lambda: run("kosim"), "bad": fail, "good": lambda: run("good")}
    rows = compare("encode", runners, 2, absent)
    assert [row["name"] for row in rows] == ["kosim", "good"]
    assert {row["compared_with"] for row in rows} == {"good"}
    assert absent == {"bad (encode)": "cannot run: no such model"}
    assert calls == ["kosim", "good", "good", "kosim"]


def test_the_page_has_every_row_and_every_absent_peer() -> None:
    row = figures("encode", "peer", "peer", {"peer": [measured(1.0, 0.1)]})
    page = markdown(
        {
            "rows": [row],
            "absent": {"other": "cannot be installed: no wheel"},
            "settings": {"rounds": 1, "threads": 2},
            "corpus": {"origin": "texts.txt", "sentences": 10},
            "environment": {"processor": "a processor"},
        }
    )
    assert "| peer | 10.0 | 1.00 | 100 ms | 1.00 |" in page
    assert "* other: cannot be installed: no wheel" in page


def test_every_peer_has_requirements_and_a_worker() -> None:
    source = (REQUIREMENTS.parent / "worker.py").read_text()
    for task, peers in PEERS.items():
        for peer in peers:
            assert packages_of(peer)
            assert f"def {peer.replace('-', '_')}_{task}(" in source


def test_the_last_line_of_an_error_is_the_reason() -> None:
    assert last_line("Traceback\n  line\nValueError: no\n\n") == "ValueError: no"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_peer_runs_beside_ours(
    tmp_path: Path, own_encoders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("the extra onnx is not installed")
    monkeypatch.setattr("benchmarks.peers.contestants.alone", in_this_process)
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(dict.fromkeys(sentences(60))), encoding="utf-8")
    sizes = "--sentences 20 --pairs 10 --queries 3 --candidates 5 --singles 2 --rounds 1"
    arguments = [str(corpus), "--encoder", str(own_encoders["bi"])]
    arguments += [
        "--reranker",
        str(own_encoders["cross"]),
        "--environments",
        str(tmp_path / "none"),
    ]
    arguments += ["--peer", "sentence-transformers", "--peer", "faiss", "--threads", "1"]
    for peer in ("sentence-transformers", "faiss"):
        arguments += ["--python", f"{peer}={interpreter()}"]
    arguments += [*sizes.split(), "--out", str(tmp_path / "peers")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    rows = json.loads((tmp_path / "peers.json").read_text())["rows"]
    by_task = {task: [row for row in rows if row["task"] == task] for task in PEERS}
    assert [len(by_task[task]) for task in PEERS] == [4, 4, 5, 2]
    exact = [row for row in rows if "int8" not in row["name"]]
    assert all(row["agreement"] == pytest.approx(1, abs=1e-3) for row in exact)
