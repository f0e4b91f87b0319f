"""What clients of other services send and expect: nulls, token ids, models, and TEI's forms."""

from __future__ import annotations

import numpy as np
import pytest
from fastapi.testclient import TestClient

from kosim.encoders.bi import BiEncoder
from tests.encoders.tiny import SENTENCES

OPTIONAL = ("model", "encoding_format", "dimensions", "user")


def test_a_null_is_as_good_as_nothing(client: TestClient) -> None:
    call = {"input": SENTENCES[:2]}
    nulls = {**call, **dict.fromkeys(OPTIONAL)}
    with_nulls = client.post("/v1/embeddings", json=nulls)
    assert with_nulls.status_code == 200
    assert with_nulls.json() == client.post("/v1/embeddings", json=call).json()
    assert client.post("/v1/embeddings", json={"input": None}).status_code == 422


@pytest.mark.parametrize("special", [True, False])
def test_ids_of_our_tokenizer_are_its_texts(
    client: TestClient, bi: BiEncoder, special: bool
) -> None:
    ids = bi.tokenizer(SENTENCES, add_special_tokens=special)["input_ids"]
    answer = client.post("/v1/embeddings", json={"input": ids})
    assert answer.status_code == 200, answer.text
    vectors = [one["embedding"] for one in answer.json()["data"]]
    np.testing.assert_allclose(vectors, bi.encode(SENTENCES), atol=1e-5)
    first = client.post("/v1/embeddings", json={"input": bi.tokenizer(SENTENCES[0])["input_ids"]})
    assert first.json()["data"][0]["embedding"] == pytest.approx(vectors[0], abs=1e-5)


@pytest.mark.parametrize("ids", [[[5]], [[1, 0, 1, 0, 1, 0, 1, 0, 1]], [[100_000]], [[-1]], [7, 7]])
def test_ids_of_another_tokenizer_are_refused_with_what_to_do(
    client: TestClient, ids: object
) -> None:
    answer = client.post("/v1/embeddings", json={"input": ids})
    assert answer.status_code == 422
    assert "check_embedding_ctx_length=False" in answer.json()["detail"]


def test_a_model_is_described(client: TestClient, bi: BiEncoder) -> None:
    listed = client.get("/v1/models").json()["data"]
    for entry in listed:
        assert client.get(f"/v1/models/{entry['id']}").json()["max_length"] == entry["max_length"]
    assert listed[0]["max_length"] == bi.max_length
    missing = client.get("/v1/models/gpt-4")
    assert missing.status_code == 404 and listed[0]["id"] in missing.json()["message"]


def test_vectors_in_the_form_of_text_embeddings_inference(
    client: TestClient, bi: BiEncoder
) -> None:
    call = {"inputs": SENTENCES[:3], "truncate": True, "prompt_name": None, "normalize": True}
    np.testing.assert_allclose(
        client.post("/embed", json=call).json(), bi.encode(SENTENCES[:3]), atol=1e-5
    )
    assert len(client.post("/embed", json={"inputs": SENTENCES[0]}).json()) == 1
    info = client.get("/info").json()
    assert info["max_input_length"] == bi.max_length and info["auto_truncate"] is True
    assert info["model_type"] == {"embedding": {"pooling": "mean"}}
    assert client.get("/health").status_code == 200
