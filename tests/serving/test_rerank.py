"""The three forms of reranking say what the reranker's own ``rank`` says."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from kosim.encoders.cross import CrossEncoder
from tests.encoders.tiny import SENTENCES

QUERY, DOCUMENTS = SENTENCES[0], [*SENTENCES[1:], "", SENTENCES[0]]


def ranked(results: list[dict[str, Any]], score: str) -> list[tuple[int, float]]:
    return [(one["index"], pytest.approx(one[score], abs=1e-5)) for one in results]


@pytest.mark.parametrize("version", ["1", "2"])
def test_cohere_and_jina_form(client: TestClient, cross: CrossEncoder, version: str) -> None:
    call = {"model": "any", "query": QUERY, "documents": DOCUMENTS, "top_n": 3}
    answer = client.post(f"/v{version}/rerank", json=call).json()
    hits = cross.rank(QUERY, DOCUMENTS, top_k=3)
    assert [(hit.position, hit.score / 5) for hit in hits] == ranked(
        answer["results"], "relevance_score"
    )
    assert all(set(one) == {"index", "relevance_score"} for one in answer["results"])
    assert answer["meta"]["api_version"] == {"version": version}
    lengths = cross.token_lengths([(QUERY, document) for document in DOCUMENTS])
    tokens = int(lengths.sum())
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


@pytest.mark.parametrize("name", ["top_n", "top_k", "k", "limit"])
def test_names_of_other_services_mean_the_same(client: TestClient, name: str) -> None:
    call = {"query": QUERY, "documents": DOCUMENTS, name: 2}
    assert len(client.post("/v1/rerank", json=call).json()["results"]) == 2


def test_documents_can_be_objects_and_come_back(client: TestClient) -> None:
    call = {
        "query": QUERY,
        "documents": [{"text": DOCUMENTS[0]}, DOCUMENTS[1]],
        "return_documents": True,
        "top_n": 9,
    }
    results = client.post("/v1/rerank", json=call).json()["results"]
    assert [one["document"]["text"] for one in results] == [
        DOCUMENTS[one["index"]] for one in results
    ]
    assert len(results) == 2


def test_the_form_of_text_embeddings_inference(client: TestClient, cross: CrossEncoder) -> None:
    hits = cross.rank(QUERY, DOCUMENTS)
    call = {"query": QUERY, "texts": DOCUMENTS, "raw_scores": True, "return_text": True}
    answer = client.post("/rerank", json=call).json()
    assert [(hit.position, hit.raw) for hit in hits] == ranked(answer, "score")
    assert [one["text"] for one in answer] == [hit.text for hit in hits]
    plain = client.post("/rerank", json={"query": QUERY, "texts": DOCUMENTS}).json()
    assert [(hit.position, hit.score / 5) for hit in hits] == ranked(plain, "score")
    assert all(set(one) == {"index", "score"} for one in plain)


def test_rerank_without_a_version_takes_documents_too(client: TestClient) -> None:
    call = {"query": QUERY, "documents": DOCUMENTS, "top_n": 3, "return_documents": None}
    first, second = (client.post(path, json=call).json() for path in ("/rerank", "/v1/rerank"))
    assert first["results"] == second["results"] and len(first["results"]) == 3
    texts = {"query": QUERY, "texts": DOCUMENTS}
    assert client.post("/v1/rerank", json=texts).json()["results"][:3] == second["results"]


def test_hits_below_the_least_score_are_left_out(client: TestClient) -> None:
    call = {"query": QUERY, "documents": DOCUMENTS}
    scores = [
        one["relevance_score"] for one in client.post("/v1/rerank", json=call).json()["results"]
    ]
    least = scores[2]
    kept = client.post("/v1/rerank", json={**call, "min_score": least}).json()["results"]
    assert [one["relevance_score"] for one in kept] == [one for one in scores if one >= least]
