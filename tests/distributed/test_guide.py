"""Every command of docs/scaling.md runs, in order, on a cluster that its own commands start."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from kosim.experiments.data.datasets import load_sample
from kosim.index.corpus_index import CorpusIndex
from kosim.index.sharding.folder import Shards
from tests.checkout import ROOT, environment
from tests.docs.walkthrough import SHORT, blocks, measure_here
from tests.experiments import tiny_artifacts
from tests.experiments.conftest import leave_undrawn, resample_less
from tests.serving.running import running

GUIDE = ROOT / "docs" / "scaling.md"
KOSIM = [sys.executable, "-m", "kosim"]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
FEWER = {"--shards 4": "--shards 2", "--num-cpus 2": "--num-cpus 1"}
"""Of what each starts a process that imports everything."""
SENTENCES = 60
SECONDS = 300


def commands() -> list[list[str]]:
    """Return the command lines of each block."""
    found = blocks(GUIDE.read_text("utf-8"))
    return [content.splitlines() for language, content in found if language == "bash"]


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@contextmanager
def node(arguments: list[str]) -> Iterator[None]:
    """Have a node of a cluster, of this process and not of the machine: that ``ray stop`` ends.

    It has no dashboard, whose dozen processes take as long to start as all the rest.
    """
    plain = ["--include-dashboard", "false"] if "--head" in arguments else []
    process = started([*RAY, *arguments, *plain, "--block"])
    said: list[str] = []
    try:
        for line in process.stdout or ():
            said.append(line)
            if "Ray runtime started" in line:
                break
        else:
            raise AssertionError("".join(said))
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def run_together(lines: list[list[str]]) -> None:
    """Run the command of each node, all at the same time."""
    running = [started(line) for line in lines]
    for process in running:
        said, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, said


def wait_for_nodes(address: str, count: int) -> None:
    """Wait until so many nodes are there."""
    deadline = time.monotonic() + SECONDS
    command = [*RAY, "status", "--address", address]
    while time.monotonic() < deadline:
        status = subprocess.run(command, capture_output=True, text=True)
        if len(re.findall(r"^ 1 node_", status.stdout, flags=re.MULTILINE)) == count:
            return
        time.sleep(0.5)
    raise AssertionError(status.stdout + status.stderr)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, where also the token of a cluster lies; Ray's own files are beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    # Ray notes there which cluster is the latest, for those who give no address. It must be short.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as short:
        monkeypatch.setenv("RAY_TMPDIR", short)
        yield tmp_path


@pytest.mark.cluster
def test_a_cluster_with_a_token_names_what_must_be_set(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_together([[*RAY, "get-auth-token", "--generate"]])
    port = free_port()
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with node(["start", "--head", "--port", port, "--num-cpus", "1", "--disable-usage-stats"]):
        monkeypatch.delenv("RAY_AUTH_MODE")
        (workplace / "sentences.txt").write_text("불 켜 줘\n불 꺼 줘\n", encoding="utf-8")
        building = ["index", "build", "sentences.txt", "--encoder", "mini-bi", "--out", "index"]
        process = started([*KOSIM, *building, "--ray", f"127.0.0.1:{port}"])
        said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "set RAY_AUTH_MODE=token" in " ".join(said.split())
    assert not (workplace / "index").exists()


@pytest.mark.cluster
@pytest.mark.timeout(1200)
def test_every_command_runs(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for less in (measure_here, leave_undrawn, resample_less):
        less(monkeypatch)
    frame = load_sample("train").frame
    pairs = frame.sample(90, random_state=1)[["sentence1", "sentence2", "label"]]
    pairs[:60].to_csv("pairs.csv", index=False)
    pairs[60:].to_csv("test.csv", index=False)
    texts = list(dict.fromkeys(frame.sentence1))[:SENTENCES]
    Path("sentences.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    ports = {"29500": free_port(), "6379": free_port()}
    nodes = 0
    with ExitStack() as cluster:
        for block in commands():
            for port, free in ports.items():
                block = [re.sub(rf"\b{port}\b", free, line) for line in block]
            for more, fewer in FEWER.items():
                block = [line.replace(more, fewer) for line in block]
            split = [shlex.split(line) for line in block]
            launched = [line for line in split if line[0] == "torchrun"]
            launcher = [sys.executable, "-m", "torch.distributed.run"]
            if any("--nnodes" in line for line in launched):
                run_together([[*launcher, *line[1:]] for line in launched])
                continue
            for program, *arguments in split:
                if program == "export":
                    monkeypatch.setenv(*arguments[0].split("=", 1))
                elif program == "torchrun":  # whose own tests launch both commands
                    tiny_artifacts.answer(*arguments[arguments.index("kosim") + 1 :])
                elif program == "ray" and arguments[0] != "start":
                    run_together([[*RAY, *arguments]])
                elif program == "ray":
                    cluster.enter_context(node(arguments))
                    nodes += 1
                    if nodes == 2:
                        wait_for_nodes(f"127.0.0.1:{ports['6379']}", nodes)
                elif arguments[0] == "serve":
                    with running(*arguments[1:]) as server:
                        if "--index" in arguments:
                            body = {"query": texts[0], "k": 1}
                            answer = httpx.post(f"{server.url}/v1/search", json=body, timeout=60)
                            assert answer.json()["hits"][0]["text"] == texts[0]
                            assert answer.json()["missing"] == []
                        assert server.end() == 0
                else:
                    assert program == "kosim"
                    more = SHORT.get(arguments[0], [])
                    if "--ray" in arguments:
                        run_together([[*KOSIM, *arguments, *more]])
                    else:
                        tiny_artifacts.answer(*arguments, *more)
    assert nodes == 2
    assert len(Shards.open("shards.index").indexes) == 2
    assert len(CorpusIndex.open("corpus.index")) == SENTENCES
    assert Path("models/bi/kosim.json").is_file()
    assert Path("models/cross/kosim.json").is_file()
