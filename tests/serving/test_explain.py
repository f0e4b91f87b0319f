"""``POST /v1/explain``: the encoders' own explanations, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from fastapi.testclient import TestClient

from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from tests.encoders.tiny import SENTENCES

PAIR = {"sentence1": SENTENCES[0], "sentence2": SENTENCES[4]}


@pytest.mark.parametrize("kind", ["bi", "cross"])
@pytest.mark.parametrize("masking", ["removal", "mask"])
def test_an_explanation_is_that_of_the_encoder(
    client: TestClient, bi: BiEncoder, cross: CrossEncoder, kind: str, masking: str
) -> None:
    encoder = {"bi": bi, "cross": cross}[kind]
    expected = encoder.explain(*PAIR.values(), masking=masking)  # type: ignore[arg-type]
    call = {**PAIR, "encoder": kind, "masking": masking}
    answer = client.post("/v1/explain", json=call).json()
    for name, values in (("units1", expected.values1), ("units2", expected.values2)):
        np.testing.assert_allclose([each["value"] for each in answer[name]], values, atol=1e-4)
    np.testing.assert_allclose(answer["interaction"], expected.interaction, atol=1e-3)
    assert (answer["encoder"], answer["exact"]) == (kind, True)
    assert [each["text"] for each in answer["units1"]] == SENTENCES[0].split()


def test_the_best_encoder_explains_by_default(client: TestClient) -> None:
    assert client.post("/v1/explain", json=PAIR).json()["encoder"] == "cross"


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"sentence1": " "}, 422, "sentence1 is blank"),
        ({"sentence1": "가 " * 64}, 413, "at most 64"),
        ({"sentence1": "가 " * 30, "unit": "morpheme"}, 413, "at most 24"),
        ({"unit": "letter"}, 422, "unit"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    client: TestClient, change: dict[str, str], status: int, said: str
) -> None:
    response = client.post("/v1/explain", json={**PAIR, **change})
    assert response.status_code == status
    assert said in response.text


def test_a_text_without_spaces_counts_by_its_morphemes(client: TestClient) -> None:
    pytest.importorskip("kiwipiepy")
    call = {**PAIR, "sentence1": "나는학교에갔다" * 30, "unit": "morpheme"}
    response = client.post("/v1/explain", json=call)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_many")
    assert "morphemes; at most 96" in response.text
