"""The snippets of docs/integrations.md, run by the real clients against a running service.

The clients have an environment of their own, which `make clients` makes: they and their dozens of
packages stay out of the project's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.loading import load
from tests.serving.running import Running, running

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "build/clients/bin/python"
SNIPPETS = dict(
    re.findall(
        r"^```python (\S+)\n(.*?)^```$",
        (ROOT / "docs/integrations.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )
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


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_gets_what_the_encoders_say(
    name: str, bundled: Running, vectors: np.ndarray, tmp_path: Path
) -> None:
    script = tmp_path / "snippet.py"
    code = SNIPPETS[name].replace("http://127.0.0.1:8000", bundled.url)
    script.write_text(code + SAY, encoding="utf-8")
    done = subprocess.run(
        [PYTHON, script],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "HAYSTACK_TELEMETRY_ENABLED": "False", "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    if "vectors" in said:
        np.testing.assert_allclose(said["vectors"], vectors, atol=1e-4)
    else:
        assert said == {"best": 1}
