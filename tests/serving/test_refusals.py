"""Limits, hostile bodies and missing parts: the right status, the limit named, never a 5xx."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from kosim.serving.app import create_app
from kosim.serving.settings import ServingSettings
from tests.serving.conftest import HERE
from tests.serving.hostile import BODIES, ENDPOINTS

LONG = "가" * 401


@pytest.mark.parametrize(
    ("path", "call", "status", "said"),
    [
        ("/v1/documents", {"documents": [{"text": LONG}]}, 422, "max-characters is 400"),
        ("/", {"r1": {"sentence": ""}, "r2": {"sentence": "가"}}, 422, "r1.sentence is blank"),
        ("/", {"r1": {"sentence": "가"}}, 422, "r2"),
        ("/v1/similarity", {"pairs": [["가", "나"]] * 51}, 413, "max-items is 50"),
        ("/v1/similarity", {"pairs": [["가"]]}, 422, "pairs.0"),
        ("/v1/similarity", {"pairs": [["가", " "]]}, 422, "pairs[0][1]"),
        ("/v1/similarity", {"pairs": []}, 422, "pairs is empty"),
        ("/v1/rerank", {"query": "가", "documents": ["나"] * 51}, 413, "max-items is 50"),
        ("/v2/rerank", {"query": "", "documents": ["나"]}, 422, "query is blank"),
        ("/rerank", {"query": "가"}, 422, "either texts or documents"),
        ("/rerank", {"query": "가", "texts": ["나"], "documents": ["나"]}, 422, "either texts or"),
        ("/embed", {"inputs": "가", "normalize": False}, 422, "normalize"),
        ("/embed", {"inputs": "가", "dimensions": True}, 422, "dimensions: it should be a number"),
        ("/rerank", {"query": "가", "texts": ["나"], "top_n": "1"}, 422, "top_n: it should be a"),
        (
            "/rerank",
            {"query": "가", "texts": ["나"], "min_score": "1"},
            422,
            "min_score: it should",
        ),
        ("/rerank", {"query": "가", "texts": ["나"], "raw_scores": "yes"}, 422, "raw_scores"),
        ("/v1/search", {"query": "가", "candidates": "5"}, 422, "candidates"),
        ("/v1/search", {"query": "가", "min_score": 6}, 422, "min_score: Input should be less"),
        ("/v1/search", {"query": "가", "min_score": -0.1}, 422, "min_score"),
        ("/v1/rerank", {"query": "가", "documents": ["나"], "min_score": 1.1}, 422, "min_score"),
        (
            "/v1/documents",
            {"documents": [{"text": "가"}, {"text": "나\0"}]},
            422,
            "documents[1]: the",
        ),
        ("/v1/embeddings", {"input": ["가"] * 51}, 413, "max-items is 50"),
    ],
)
def test_a_limit_is_named(
    client: TestClient, path: str, call: object, status: int, said: str
) -> None:
    response = client.post(path, json=call)
    assert response.status_code == status
    answer = response.json()
    assert (
        said in answer["message"]
        and answer["message"] == answer["detail"] == answer["error"]["message"]
    )


def test_a_limit_that_is_no_number_is_refused(client: TestClient) -> None:
    kind = {"content-type": "application/json"}
    for path, body in (
        ("/v1/search", '{"query": "가", "min_score": NaN}'),
        ("/v1/rerank", '{"query": "가", "documents": ["나"], "min_score": NaN}'),
    ):
        response = client.post(path, content=body.encode(), headers=kind)
        assert response.status_code == 422, path
        assert "min_score" in response.json()["message"]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
def test_json_that_is_not_sent_as_json_is_told_how(client: TestClient, kind: str) -> None:
    body = '{"r1": {"sentence": "가"}, "r2": {"sentence": "나"}}'.encode()
    response = client.post("/", content=body, headers={"content-type": kind})
    assert response.status_code == 422
    assert "Content-Type: application/json" in response.json()["message"]


def test_a_body_in_another_encoding_is_told_which(client: TestClient) -> None:
    body = '{"query": "가", "documents": ["나"]}'.encode("cp949")
    response = client.post("/v1/rerank", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert "send JSON in UTF-8" in response.json()["message"]


def test_a_body_that_is_too_large_gets_413(client: TestClient) -> None:
    call = {"query": "가", "documents": ["나" * 40_000]}
    response = client.post("/v1/rerank", json=call)
    assert response.status_code == 413
    assert "max-bytes, 100,000" in response.json()["message"]

    def in_pieces() -> object:
        yield from (b"[" * 10_000 for _ in range(20))

    assert client.post("/v1/rerank", content=in_pieces()).status_code == 413  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_hostile_bodies_are_refused_without_a_5xx(client: TestClient, path: str) -> None:
    for name, body in BODIES.items():
        headers = {"content-type": "application/json"}
        response = client.post(path, content=body, headers=headers)
        assert response.status_code < 500, (name, response.text)
        json.loads(response.content.decode("utf-8"))


@pytest.mark.parametrize(
    "text",
    ["👩‍👩‍👧‍👦 가족 🏠", "שלום عالم", "\u202e거꾸로\u202c", "한\0글", "\ufeff", "e\u0301" * 50],
)
def test_unusual_but_whole_texts_are_scored(client: TestClient, text: str) -> None:
    response = client.post("/v1/similarity", json={"pairs": [[text, "가"]]})
    assert response.status_code == (422 if not text.strip() else 200)
    rerank = client.post("/v1/rerank", json={"query": "가", "documents": [text, ""]})
    assert rerank.status_code == 200


def test_wrong_methods_and_places(client: TestClient) -> None:
    wrong = client.get("/v1/similarity")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert client.put("/").headers["Allow"] == "GET, POST"
    assert client.post("/v1/nowhere", json={}).status_code == 404
    assert client.get("/assets/../settings.py").status_code == 404
    assert client.get("/assets/%2e%2e/settings.py").status_code == 404


def test_what_is_not_served_is_said(encoders: dict[str, Path]) -> None:
    with TestClient(create_app(ServingSettings(cross=encoders["cross"])), base_url=HERE) as client:
        for path, call, said in (
            ("/v1/embeddings", {"input": "가"}, "--encoder"),
            ("/v1/search", {"query": "가"}, "--index"),
            ("/v1/documents", {"documents": [{"text": "가"}]}, "--index"),
            ("/v1/similarity", {"pairs": [["가", "나"]], "encoder": "bi"}, "bi-encoder"),
        ):
            response = client.post(path, json=call)
            assert response.status_code == 404 and said in response.json()["message"]
        assert client.delete("/v1/documents/a").status_code == 404
        answer = client.post("/v1/similarity", json={"pairs": [["가", "나"]]}).json()
        assert answer["bi"] is None and answer["cross"]
        assert client.get("/v1/service").json()["index"] is None


def test_a_bi_encoder_alone_serves_everything_but_search(encoders: dict[str, Path]) -> None:
    with TestClient(create_app(ServingSettings(bi=encoders["bi"])), base_url=HERE) as client:
        two = {"r1": {"sentence": "가"}, "r2": {"sentence": "나"}}
        assert client.post("/", json=two).status_code == 200
        assert client.post("/rerank", json={"query": "가", "texts": ["나"]}).status_code == 200
