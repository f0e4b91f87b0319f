"""OpenAI's form of sentence vectors."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from fastapi.testclient import TestClient

from kosim.encoders.bi import BiEncoder
from tests.encoders.tiny import SENTENCES


def test_vectors_and_usage_are_the_encoders_own(client: TestClient, bi: BiEncoder) -> None:
    texts = [*SENTENCES, SENTENCES[0]]
    answer = client.post("/v1/embeddings", json={"input": texts, "model": "any"}).json()
    vectors = [one["embedding"] for one in answer["data"]]
    np.testing.assert_allclose(vectors, bi.encode(texts), atol=1e-5)
    assert [one["index"] for one in answer["data"]] == list(range(len(texts)))
    tokens = int(bi.token_lengths([(text, text) for text in texts]).sum())
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_base64_is_little_endian_float32(client: TestClient, bi: BiEncoder) -> None:
    call = {"input": SENTENCES[1], "encoding_format": "base64"}
    (one,) = client.post("/v1/embeddings", json=call).json()["data"]
    vector = np.frombuffer(base64.b64decode(one["embedding"]), dtype="<f4")
    np.testing.assert_allclose(vector, bi.encode([SENTENCES[1]])[0], atol=1e-5)


def test_fewer_dimensions_are_the_first_ones_at_unit_length(
    client: TestClient, bi: BiEncoder
) -> None:
    call = {"input": SENTENCES[:2], "dimensions": 5}
    answer = client.post("/v1/embeddings", json=call).json()
    first = bi.encode(SENTENCES[:2])[:, :5]
    expected = first / np.linalg.norm(first, axis=1, keepdims=True)
    np.testing.assert_allclose([one["embedding"] for one in answer["data"]], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"input": [1, 2, 3]}, "token ids"),
        ({"input": [[1, 2], [3]]}, "token ids"),
        ({"input": []}, "empty"),
        ({"input": "  "}, "blank"),
        ({"input": "가", "dimensions": 10_000}, "dimensions is 10,000"),
        ({"input": "가", "dimensions": 0}, "dimensions"),
        ({"input": "가", "encoding_format": "int8"}, "encoding_format"),
    ],
)
def test_what_cannot_be_encoded_is_refused(
    client: TestClient, call: dict[str, object], said: str
) -> None:
    response = client.post("/v1/embeddings", json=call)
    assert response.status_code == 422
    assert said in response.json()["error"]["message"]


def test_models_are_listed(client: TestClient) -> None:
    listed = client.get("/v1/models").json()["data"]
    assert [one["id"].rpartition("/")[2] for one in listed] == ["bi", "cross"]
