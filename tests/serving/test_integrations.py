"""The snippets of the docs for other libraries, run by the real ones.

They meet a running service, or saved encoders in their own process. They have an environment of
their own, which `make clients` makes and which sees the project's: they and their dozens of
packages stay out of that.
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
from tests.serving.running import Running, running

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "build/clients/bin/python"
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
TEXTS = ["거실 불 좀 꺼 줘", "내일 비가 오나요?"]
SAY = """
import json
print(json.dumps({name: globals()[name] for name in ("vectors", "best") if name in globals()}))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="`make clients` installs them"),
]


@pytest.fixture(scope="module")
def bundled() -> Iterator[Running]:
    with running("--bi", "mini-bi", "--cross", "mini-cross") as server:
        yield server


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


def said_by(code: str, folder: Path) -> dict[str, Any]:
    """Run a script of the clients' in a folder, and return the last line that it prints."""
    script = folder / "snippet.py"
    script.write_text(code, encoding="utf-8")
    options = {"HAYSTACK_TELEMETRY_ENABLED": "False", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [PYTHON, script],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=folder,
        env={**os.environ, **options, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_fastembed_computes_an_export(saved: Path) -> None:
    say = "print(json.dumps([[one.tolist() for one in vectors], [float(one) for one in logits]]))"
    found, logits = said_by(f"{OTHERS['fastembed']}\nimport json\n{say}\n", saved)
    encoder = load("mini-bi", device="cpu")
    assert isinstance(encoder, BiEncoder)
    np.testing.assert_allclose(found, encoder.encode(["거실 불 꺼 줘"]), atol=1e-5)
    raw = load("mini-cross").score([("거실 불 꺼 줘", "거실 조명을 꺼 줄래?")], raw=True)
    np.testing.assert_allclose(1 / (1 + np.exp(-np.array(logits))), raw, atol=1e-5)


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_gets_what_the_encoders_say(
    name: str, bundled: Running, saved: Path, vectors: np.ndarray
) -> None:
    code = SNIPPETS[name].replace("http://127.0.0.1:8000", bundled.url)
    said = said_by(code + SAY, saved)
    if "vectors" in said:
        np.testing.assert_allclose(said["vectors"], vectors, atol=1e-4)
    else:
        assert said == {"best": 1}
