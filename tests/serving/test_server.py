"""``kosim serve`` as a process: what it refuses before it listens, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from kosim.encoders.bundle import saved_encoder
from kosim.encoders.storage import sha256
from kosim.serving.models import with_default_models
from kosim.serving.settings import ServingSettings
from tests.encoders.tiny import SENTENCES, WORDS
from tests.experiments.tiny_artifacts import answer, refusal
from tests.serving.running import Running, running
from tests.serving.test_operations import samples

LONG = " ".join(WORDS * 3)
LARGE = {
    "query": SENTENCES[0],
    "documents": [f"{WORDS[n % 30]} {WORDS[n // 30 % 30]} {n} {LONG}" for n in range(2000)],
}


def inside(url: str) -> float:
    text = httpx.get(f"{url}/metrics", timeout=30).text
    return samples(text, "kosim_requests_inside")[()]


def wait_until_inside(url: str, count: int) -> None:
    deadline = time.monotonic() + 60
    while inside(url) != count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_without_models_the_bundled_ones_are_chosen() -> None:
    chosen = with_default_models(ServingSettings())
    assert (chosen.bi, chosen.cross) == (saved_encoder("mini-bi"), saved_encoder("mini-cross"))
    assert with_default_models(ServingSettings(bi=Path("mine"))).cross is None


@pytest.mark.slow
def test_without_models_the_bundled_ones_are_served() -> None:
    with running() as server:
        asked = {"pairs": [["거실 불 꺼 줘", "거실 조명을 꺼 줄래?"]]}
        answered = httpx.post(f"{server.url}/v1/similarity", json=asked, timeout=60).json()
        assert answered["bi"]["model"] == "mini-bi"
        assert answered["cross"]["model"] == "mini-cross"
        assert server.end() == 0


def test_without_any_models_it_says_which_flags_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kosim.encoders.bundle.BUNDLED", tmp_path)
    assert "--encoder MODEL, --reranker MODEL or --index INDEX" in refusal("serve")


def test_a_wrong_call_is_refused_in_one_line(
    encoders: dict[str, Path], index: Path, tmp_path: Path
) -> None:
    bi, cross, other = (encoders[name] for name in ("bi", "cross", "other"))
    assert "does not exist" in refusal("serve", "--encoder", tmp_path / "nowhere")
    assert "is a cross-encoder" in refusal("serve", "--encoder", cross)
    assert "is a bi-encoder" in refusal("serve", "--reranker", bi)
    assert "was made with the encoder" in refusal("serve", "--index", index, "--encoder", other)
    assert "folder of an index" in refusal("serve", "--index", tmp_path / "nowhere")
    assert "--port" in refusal("serve", "--encoder", bi, "--port", 70_000)
    assert "--workers" in refusal("serve", "--encoder", bi, "--workers", 0)
    assert "cannot listen on 192.0.2.1" in refusal("serve", "--encoder", bi, "--host", "192.0.2.1")
    assert "is not available here" in refusal("serve", "--encoder", bi, "--device", "abacus")
    wrong = refusal("serve", "--encoder", bi, "--backend", "torch", "--precision", "int8")
    assert "torch does not compute in int8" in wrong
    both = ("serve", "--reranker", cross, "--index", index, "--refine")
    assert "give --index and --reranker" in refusal("serve", "--encoder", bi, "--refine")
    assert "does nothing" in refusal(*both)
    assert "not for a cluster" in refusal(*both, "--precision", "int8", "--ray", "auto")
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-some-length\n")
    keys.chmod(0o644)
    assert "chmod 600" in refusal("serve", "--encoder", bi, "--keys", keys)


def test_a_damaged_model_is_refused(encoders: dict[str, Path], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(encoders["bi"], damaged)
    with (damaged / "model.safetensors").open("r+b") as file:
        file.seek(2000)
        file.write(b"\0\1\2\3")
    assert "is damaged" in refusal("serve", "--encoder", damaged)


def test_a_model_that_cannot_be_loaded_after_all_ends_the_server(
    encoders: dict[str, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(encoders["bi"], broken)
    (broken / "model.safetensors").write_bytes(b"no weights")
    manifest = json.loads((broken / "kosim.json").read_text(encoding="utf-8"))
    manifest["files"]["model.safetensors"] = sha256(broken / "model.safetensors")
    del manifest["checksum"]
    (broken / "kosim.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert "cannot be read as weights" in refusal("serve", "--encoder", broken, "--port", 0)


def test_an_index_whose_encoder_is_gone_is_refused(
    encoders: dict[str, Path], tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(encoders["bi"], moved)
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    answer("index", "build", corpus, "--encoder", moved, "--out", tmp_path / "index")
    shutil.rmtree(moved)
    assert "say where it is with --encoder" in refusal("serve", "--index", tmp_path / "index")


def test_a_port_in_use_is_refused(encoders: dict[str, Path]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal("serve", "--encoder", encoders["bi"], "--port", port)
    assert f"port {port}" in said and "in use" in said


def test_help_names_every_option() -> None:
    said = answer("serve", "--help")
    for option in (
        "--reranker",
        "--encoder",
        "--index",
        "--host",
        "--workers",
        "--keys",
        "--no-batching",
    ):
        assert option in said


def test_it_listens_on_loopback_only_and_says_where(server: Running) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert "serves cross" in server.log


def test_a_client_that_goes_away_frees_its_place(server: Running) -> None:
    wait_until_inside(server.url, 0)
    with pytest.raises(httpx.TimeoutException):
        httpx.post(f"{server.url}/v2/rerank", json=LARGE, timeout=httpx.Timeout(30, read=0.05))
    wait_until_inside(server.url, 0)
    text = httpx.get(f"{server.url}/metrics", timeout=30).text
    assert samples(text, "kosim_clients_left_total")[()] >= 1


def test_the_event_loop_answers_while_the_network_works(server: Running) -> None:
    two = {"r1": {"sentence": SENTENCES[0]}, "r2": {"sentence": SENTENCES[1]}}

    def answered_beside_a_large_one() -> bool:
        with ThreadPoolExecutor(1) as threads:
            large = threads.submit(httpx.post, f"{server.url}/v2/rerank", json=LARGE, timeout=120)
            wait_until_inside(server.url, 1)
            assert httpx.get(f"{server.url}/healthz", timeout=10).status_code == 200
            assert httpx.post(server.url, json=two, timeout=60).status_code == 200
            ended_first = inside(server.url) == 1
            assert large.result().status_code == 200
            return ended_first

    # The large one may end meanwhile by itself, but not each time.
    assert any(answered_beside_a_large_one() for _ in range(5))


def test_a_full_queue_answers_429_and_sigterm_drains(encoders: dict[str, Path]) -> None:
    with running("--reranker", encoders["cross"], "--queue", 1) as server:
        url = f"{server.url}/v2/rerank"
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(httpx.post, url, json=LARGE, timeout=120)
            wait_until_inside(server.url, 1)
            refused = httpx.post(url, json=LARGE, timeout=60)
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) >= 1
            assert server.end(signal.SIGTERM) == 0
            assert first.result(60).status_code == 200
        assert len(first.result().json()["results"]) == len(LARGE["documents"])
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/healthz")


# A bundled encoder has its export, for which new processes need not import torch.
@pytest.mark.slow
def test_several_processes_share_port_and_metrics() -> None:
    call = {"pairs": [SENTENCES[:2]]}
    route = (("method", "POST"), ("route", "/v1/similarity"), ("status", "200"))

    def counted(url: str) -> float:
        text = httpx.get(f"{url}/metrics", timeout=60).text
        return samples(text, "kosim_requests_total")[route]

    with running("--encoder", "mini-bi", "--workers", 2) as server:
        for _ in range(20):
            response = httpx.post(f"{server.url}/v1/similarity", json=call, timeout=60)
            assert response.status_code == 200
        assert {counted(server.url) for _ in range(8)} == {20.0}
        processes = [
            child
            for child in psutil.Process(server.process.pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        ]
        assert len(processes) == 2
        processes[0].send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while len(_alive(server)) < 2 or processes[0].pid in _alive(server):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert {counted(server.url) for _ in range(8)} == {20.0}
        assert server.end() == 0
        assert not any(psutil.pid_exists(process.pid) for process in processes)


@pytest.mark.slow
def test_server_processes_end_with_their_parent() -> None:
    with running("--encoder", "mini-bi", "--workers", 2) as server:
        children = psutil.Process(server.process.pid).children()
        os.kill(server.process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(children, timeout=60)
        assert not alive


def _alive(server: Running) -> set[int]:
    return {
        child.pid
        for child in psutil.Process(server.process.pid).children()
        if child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline())
    }
