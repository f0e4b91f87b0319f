"""The packages that people use, against a running server, or the requests they are known for."""

from __future__ import annotations

import numpy as np
import pytest
from fastapi.testclient import TestClient

from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from tests.encoders.tiny import SENTENCES
from tests.serving.running import Running


def test_openai(server: Running, bi: BiEncoder) -> None:
    openai = pytest.importorskip("openai", reason="needs kosim[test]")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        for options in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
            answer = client.embeddings.create(model="any", input=SENTENCES, **options)
            vectors = [one.embedding for one in answer.data]
            if options.get("encoding_format") != "base64":
                np.testing.assert_allclose(vectors, bi.encode(SENTENCES), atol=1e-5)
            assert answer.usage.total_tokens > 0
        short = client.embeddings.create(model="any", input=SENTENCES[0], dimensions=4)
        assert len(short.data[0].embedding) == 4
        assert next(model.id for model in client.models.list()).endswith("bi")
        with pytest.raises(openai.UnprocessableEntityError, match="check_embedding_ctx_length"):
            client.embeddings.create(model="any", input=[[1, 2]])


def test_cohere(server: Running, cross: CrossEncoder) -> None:
    cohere = pytest.importorskip("cohere", reason="needs kosim[test]")
    query, documents = SENTENCES[0], SENTENCES[1:]
    expected = [(hit.position, hit.score / 5) for hit in cross.rank(query, documents, top_k=3)]
    for kind in (cohere.ClientV2, cohere.Client):
        client = kind(api_key="none", base_url=server.url)
        answer = client.rerank(model="any", query=query, documents=documents, top_n=3)
        got = [(one.index, pytest.approx(one.relevance_score, abs=1e-5)) for one in answer.results]
        assert expected == got
        with pytest.raises(cohere.UnprocessableEntityError, match="query is blank"):
            client.rerank(model="any", query=" ", documents=documents)


KEY = {"Authorization": "Bearer none"}


def test_what_open_webui_sends_and_reads(
    client: TestClient, bi: BiEncoder, cross: CrossEncoder
) -> None:
    headers = {**KEY, "X-OpenWebUI-User-Name": "me", "X-OpenWebUI-User-Role": "user"}
    call = {"input": SENTENCES, "model": "any"}
    data = client.post("/v1/embeddings", json=call, headers=headers).json()["data"]
    vectors = [one["embedding"] for one in data]
    np.testing.assert_allclose(vectors, bi.encode(SENTENCES), atol=1e-5)
    query, documents = SENTENCES[0], SENTENCES[1:]
    ranking = {"model": "any", "query": query, "documents": documents, "top_n": len(documents)}
    results = client.post("/v1/rerank", json=ranking, headers=headers).json()["results"]
    scores = [one["relevance_score"] for one in sorted(results, key=lambda one: one["index"])]
    expected = cross.score([(query, text) for text in documents]) / 5
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_what_dify_sends_and_reads(client: TestClient, bi: BiEncoder, cross: CrossEncoder) -> None:
    ping = {"input": ["ping"], "model": "any", "encoding_format": "float"}
    answer = client.post("/v1/embeddings", json=ping, headers=KEY).json()
    assert len(answer["data"][0]["embedding"]) == bi.dimension
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] > 0
    query, documents = SENTENCES[0], SENTENCES[1:]
    ranking = {"model": "any", "query": query, "documents": documents, "return_documents": True}
    answer = client.post("/v1/rerank", json={**ranking, "top_n": None}, headers=KEY).json()
    found = {
        one["index"]: (one["document"]["text"], one["relevance_score"]) for one in answer["results"]
    }
    expected = cross.score([(query, text) for text in documents]) / 5
    for index, text in enumerate(documents):
        assert found[index] == (text, pytest.approx(float(expected[index]), abs=1e-5))
