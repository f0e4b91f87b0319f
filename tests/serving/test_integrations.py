"""The snippets of the docs for other libraries, run by the real ones.

They meet a running service, or saved encoders in their own process. They have an environment of
their own, which `make clients` makes and which sees the project's: they and their dozens of
packages stay out of that. Most of a snippet's time is the import of its libraries, so one process
runs all that meet the service, and one all that do not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.loading import load
from tests.checkout import CLIENTS, ROOT, needs_clients
from tests.serving.running import running

SNIPPETS, OTHERS = (
    dict(
        re.findall(
            r"^```python (\S+)\n(.*?)^```$",
            (ROOT / "docs" / page).read_text(encoding="utf-8"),
            flags=re.MULTILINE | re.DOTALL,
        )
    )
    for page in ("integrations.md", "models.md")
)
ADDRESS = "http://127.0.0.1:8000"
TEXTS = ["거실 불 좀 꺼 줘", "내일 비가 오나요?"]
RUN_ALL = """
import json, runpy, sys, traceback
said = {}
for script in sys.argv[1:]:
    try:
        scope = runpy.run_path(script)
        said[script] = {name: scope[name] for name in ("vectors", "best") if name in scope}
    except Exception:
        said[script] = traceback.format_exc()
print(json.dumps(said))
"""

pytestmark = [pytest.mark.slow, needs_clients]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    encoder = load("mini-bi", device="cpu")
    assert isinstance(encoder, BiEncoder)
    return encoder.encode(TEXTS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``models/bi`` and ``models/cross``, each with its export."""
    folder = tmp_path_factory.mktemp("saved")
    for kind in ("bi", "cross"):
        load(f"mini-{kind}", device="cpu").save(folder / "models" / kind)
        load(folder / "models" / kind, backend="onnx")
    return folder


@pytest.fixture(scope="module")
def said(saved: Path) -> Iterator[dict[str, Any]]:
    """What each snippet found, or how it failed."""
    with running("--encoder", "mini-bi", "--reranker", "mini-cross") as server:
        for name, code in SNIPPETS.items():
            (saved / name).write_text(code.replace(ADDRESS, server.url), encoding="utf-8")
        remote = [name for name, code in SNIPPETS.items() if ADDRESS in code]
        local = [name for name in SNIPPETS if name not in remote]
        yield {**said_by(saved, RUN_ALL, *remote), **said_by(saved, RUN_ALL, *local)}


def said_by(folder: Path, code: str, *arguments: str) -> dict[str, Any]:
    """Run code in the clients' environment, and return what its last line says in JSON."""
    options = {
        "HAYSTACK_TELEMETRY_ENABLED": "False",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NUMBA_DISABLE_JIT": "1",  # BERTopic imports UMAP, which compiles itself for a minute.
        "PYTHONPATH": "",
    }
    done = subprocess.run(
        [CLIENTS / "python", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=folder,
        env={**os.environ, **options},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_fastembed_computes_an_export(saved: Path) -> None:
    say = (
        "import json\nvectors = [one.tolist() for one in vectors]\n"
        'print(json.dumps({"vectors": vectors, "logits": [float(one) for one in logits]}))'
    )
    said = said_by(saved, OTHERS["fastembed"] + say)
    encoder = load("mini-bi", device="cpu")
    assert isinstance(encoder, BiEncoder)
    np.testing.assert_allclose(said["vectors"], encoder.encode(["거실 불 꺼 줘"]), atol=1e-5)
    raw = load("mini-cross").score([("거실 불 꺼 줘", "거실 조명을 꺼 줄래?")], raw=True)
    np.testing.assert_allclose(1 / (1 + np.exp(-np.array(said["logits"]))), raw, atol=1e-5)


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_gets_what_the_encoders_say(
    name: str, said: dict[str, Any], vectors: np.ndarray
) -> None:
    found = said[name]
    assert isinstance(found, dict), found
    if "vectors" in found:
        np.testing.assert_allclose(found["vectors"], vectors, atol=1e-4)
    else:
        assert found == {"best": 1}
