"""A client that is generated from the OpenAPI document reads answers and refusals."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kosim.serving.app import create_app
from kosim.serving.problems import Problem
from kosim.serving.settings import ServingSettings
from tests.checkout import CLIENTS, needs_clients

STATUSES = (400, 401, 403, 404, 413, 422, 429, 503)

pytestmark = [pytest.mark.slow, needs_clients]

READ = """
import json, sys
import httpx
from generated.client import Client
from generated.api.rerank import rerank_texts_rerank_post
from generated.api.search import search_v1_search_post as search
from generated.models import Refusal, SearchAnswer, SearchCall, TextsCall

client = Client(base_url="http://localhost")
refused = json.loads(sys.argv[1])
for status, body in refused.items():
    read = search._parse_response(client=client, response=httpx.Response(int(status), json=body))
    assert isinstance(read, Refusal) and read.error.code == f"code_{status}", (status, read)
    assert read.message == read.detail == f"what to do about {status}"
answer = {"query": "a", "hits": [], "candidates": 3, "reranked": 3, "seconds": 0.1, "truncated": 0}
read = search._parse_response(client=client, response=httpx.Response(200, json=answer))
assert isinstance(read, SearchAnswer) and read.candidates == 3
assert SearchCall(query="a", k=3).to_dict() == {"query": "a", "k": 3, "candidates": 100,
                                                "mode": "dense", "interpolation": 0.0}
assert TextsCall(query="a", texts=["b"]).to_dict()["texts"] == ["b"]
"""


def test_refusals_are_read(tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(create_app(ServingSettings()).openapi()), encoding="utf-8")
    command = [CLIENTS / "openapi-python-client", "generate", "--path", document, "--meta", "none"]
    generated = tmp_path / "generated"
    done = subprocess.run(
        [*command, "--output-path", generated], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and "WARNING parsing" not in done.stdout + done.stderr, done.stdout
    bodies = {
        status: json.loads(
            bytes(Problem(status, f"code_{status}", f"what to do about {status}").response().body)
        )
        for status in STATUSES
    }
    read = subprocess.run(
        [CLIENTS / "python", "-c", READ, json.dumps(bodies)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert read.returncode == 0, read.stderr[-2000:]
