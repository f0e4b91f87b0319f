"""What a server needs runs where nothing that trains can be imported.

Each test is a process of its own, in which all packages that `requirements-server.txt` leaves out
are as if they were not installed.
"""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from benchmarks.startup.installation import (
    FULL,
    distributions,
    imported_names,
    server_requirements,
)
from kosim.encoders.bundle import BUNDLED
from kosim.encoders.loading import load
from tests.checkout import ROOT, environment

ABSENT = tuple(
    sorted(
        imported_names(distributions(FULL) - distributions(server_requirements()))
        - {"kosim", "pandas"}
        | {"scipy", "kiwipiepy"}
    )
)
"""What the full installation has besides that of a server."""

WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({ABSENT!r}))
class NoPandas:  # pyarrow takes None for the module
    def find_spec(self, name, *rest):
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, NoPandas())
"""
KOSIM = WITHOUT + "from kosim.experiments.cli import main; main(sys.argv[1:], prog_name='kosim')"
SENTENCES = ("거실 불 좀 꺼 줘", "거실 조명을 꺼 줄래?", "숙소가 역에서 가까웠어요.", "불 꺼")


def kosim(*arguments: object, folder: Path, expect: int = 0) -> str:
    """Run a command without the packages and return what it printed."""
    ended = subprocess.run(
        [sys.executable, "-c", KOSIM, *map(str, arguments)],
        cwd=folder,
        env={**environment(), "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == expect, (arguments, ended.stdout, ended.stderr)
    return ended.stdout if expect == 0 else ended.stderr


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that was built without the packages."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "corpus.txt").write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    kosim("index", "build", "corpus.txt", "--encoder", "mini-bi", "--out", "index", folder=folder)
    return folder / "index"


def test_score(tmp_path: Path) -> None:
    said = json.loads(kosim("score", "mini-cross", *SENTENCES[:2], "--json", folder=tmp_path))
    by_torch = load("mini-cross", backend="torch", device="cpu").score([SENTENCES[:2]])
    assert said["score"] == pytest.approx(float(by_torch[0]), abs=1e-4)


def test_load_and_encode(tmp_path: Path) -> None:
    code = (
        f"{WITHOUT}import kosim, json; e = kosim.load('mini-bi'); "
        f"print(json.dumps(e.encode({SENTENCES!r}).tolist()))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    expected = load("mini-bi", backend="torch", device="cpu").encode(SENTENCES)  # type: ignore[union-attr]
    np.testing.assert_allclose(json.loads(said.stdout), expected, atol=1e-5)


def test_torch_that_is_asked_for_is_missed_in_one_line(tmp_path: Path) -> None:
    said = kosim(
        "score", "mini-cross", *SENTENCES[:2], "--backend", "torch", folder=tmp_path, expect=2
    )
    assert "backend torch needs torch" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        (("data", "pairs.csv"), "kosim data needs pandas, which this installation leaves out"),
        pytest.param(("plan", "--help"), "kosim plan needs torch", marks=pytest.mark.slow),
        pytest.param(("compare", "quickstart"), "kosim compare needs", marks=pytest.mark.slow),
        pytest.param(
            ("serve", "--device", "cuda:0"), "backend torch needs torch", marks=pytest.mark.slow
        ),
    ],
)
def test_a_command_that_needs_more_says_so_in_one_line(
    tmp_path: Path, command: tuple[str, ...], needed: str
) -> None:
    said = kosim(*command, folder=tmp_path, expect=2)
    assert needed in said and "pip install kosim" in said
    assert len(said.splitlines()) == 1


def test_a_public_name_that_needs_more_says_so(tmp_path: Path) -> None:
    code = f"{WITHOUT}import kosim\ntry:\n    kosim.train\nexcept kosim.KosimError as e: print(e)"
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert re.match(r"kosim.train needs \w+, which this installation leaves out", said.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "bf16"])
def test_an_export_that_is_missing_is_named(tmp_path: Path, precision: str) -> None:
    said = kosim(
        *("score", "mini-cross", *SENTENCES[:2], "--precision", precision),
        folder=tmp_path,
        expect=2,
    )
    needed = {"int8": "has no int8 export", "bf16": "backend torch needs torch"}[precision]
    assert needed in " ".join(said.split()) and "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("command", ["score", "serve"])
def test_what_only_torch_could_open_is_named_in_one_line(command: str, tmp_path: Path) -> None:
    shutil.copytree(BUNDLED / "mini-cross", tmp_path / "old")
    record = tmp_path / "old/onnx/fp32/export.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "format": 3}))
    (tmp_path / "foreign").mkdir()
    shutil.copy(BUNDLED / "mini-cross/config.json", tmp_path / "foreign")
    for model, needed in (("old", "is of format 3"), ("foreign", "is a third-party model")):
        options = {
            "score": ("score", model, *SENTENCES[:2]),
            "serve": ("serve", "--reranker", model, "--port", "0"),
        }
        said = kosim(*options[command], folder=tmp_path, expect=2)
        assert needed in said and "needs torch, which" in said
        assert len(said.splitlines()) == 1


@pytest.mark.slow
def test_rerank(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("\n".join(SENTENCES[1:]) + "\n", encoding="utf-8")
    call = ("rerank", "some.txt", "--reranker", "mini-cross", "--query", SENTENCES[0], "--json")
    hits = json.loads(kosim(*call, folder=tmp_path))
    assert SENTENCES[1] in json.dumps(hits, ensure_ascii=False)


@pytest.mark.slow
def test_search(index: Path) -> None:
    call = ("search", index, SENTENCES[0], "--reranker", "mini-cross", "-k", 1, "--json")
    assert SENTENCES[0] in kosim(*call, folder=index.parent)


@pytest.mark.slow
def test_words_need_scipy(index: Path) -> None:
    said = kosim("search", index, SENTENCES[0], "--mode", "lexical", folder=index.parent, expect=2)
    assert said.splitlines()[-1].startswith("Error: indexing words needs scipy")
    assert "Traceback" not in said


@pytest.mark.slow
def test_add_and_mine(index: Path, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("id,text\nnew,날씨가 좋네요.\n", encoding="utf-8")
    kosim("index", "add", index, tmp_path / "more.csv", folder=tmp_path)
    said = kosim("mine", index.parent / "corpus.txt", "--encoder", "mini-bi", folder=tmp_path)
    assert "불" in said


def is_ready(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{url}/readyz", timeout=10).status == 200)
    except OSError:
        return False


@pytest.mark.slow
def test_serve(index: Path) -> None:
    served = ("--index", str(index), "--reranker", "mini-cross")
    server = subprocess.Popen(
        [sys.executable, "-c", KOSIM, "serve", "--port", "0", *served],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        url = re.findall(r"http://\S+", server.stderr.readline())[0]
        body = json.dumps({"query": SENTENCES[0], "k": 1}).encode()
        request = urllib.request.Request(
            f"{url}/v1/search", body, headers={"Content-Type": "application/json"}
        )
        deadline = time.monotonic() + 120
        while not is_ready(url):
            assert time.monotonic() < deadline and server.poll() is None
            time.sleep(0.05)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert SENTENCES[0] in json.dumps(json.load(answer), ensure_ascii=False)
    finally:
        server.terminate()
        server.wait(timeout=60)


def test_a_server_requires_what_kosim_requires() -> None:
    """The versions are those of setup.cfg, and what trains is left out."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = settings["options.extras_require"]
    stated = " ".join([settings["options"]["install_requires"], extras["onnx"], extras["serve"]])
    assert set(server_requirements()) <= set(stated.split())
    assert {"torch", "transformers", "sentence_transformers", "sklearn"} <= set(ABSENT)


def test_results_say_on_which_machine_they_were_made() -> None:
    describe = "from kosim.experiments.study.environment import describe_environment as describe"
    code = f"{WITHOUT}{describe}; import json; print(json.dumps(describe()))"
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["device"] == "cpu"
    assert found["threads"] >= 1
    assert found["instructions"].partition(",")[0] in ("DEFAULT", "AVX2", "AVX512")
