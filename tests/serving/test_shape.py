"""Bodies that are small on the wire and large in memory are refused before they are parsed."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest
from fastapi.testclient import TestClient

from kosim.serving.problems import Problem
from kosim.serving.shape import DEEPEST, check_shape


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"[" + b"[]," * 500_000 + b"1]", 413, "values"),
        (b"[" + b"1," * 500_000 + b"1]", 413, "values"),
        (b'{"a":' * 60_000, 413, "fields"),
        (json.dumps({f"f{n}": n for n in range(60_000)}).encode(), 413, "fields"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), 422, "levels deep"),
        (b'{"a":' * (DEEPEST + 1), 422, "levels deep"),
    ],
)
def test_what_becomes_large_is_refused_at_once(body: bytes, status: int, said: str) -> None:
    tracemalloc.start()
    with pytest.raises(Problem, match=said) as refused:
        check_shape(body)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.status == status
    assert most < 40_000_000


@pytest.mark.parametrize(
    "value",
    [
        {"query": '[[[{"' * 1000, "documents": [",:[{" * 1000 + "\\"] * 100},
        {"input": [[n % 1000 for n in range(128)] for _ in range(2048)]},
        {"documents": [{"text": "가", "extra": {str(n): n for n in range(20)}}] * 2048},
    ],
)
def test_what_clients_send_is_not(value: object) -> None:
    check_shape(json.dumps(value).encode())
    check_shape(json.dumps(value, ensure_ascii=False, indent=1).encode())


def test_a_text_without_an_end_is_looked_at_once(client: TestClient) -> None:
    began = time.process_time()
    check_shape(b"[]" * 65 + b'"' + b'\\"' * 1_900_000)
    assert time.process_time() - began < 10
    answer = client.post("/v1/search", content=b"[" * 5000)
    assert answer.status_code == 422 and "levels deep" in answer.json()["message"]
