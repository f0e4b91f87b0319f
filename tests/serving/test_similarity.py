"""``POST /`` and ``POST /v1/similarity``: the encoders' own scores under the documented names."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient

from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.serving.app import create_app
from kosim.serving.settings import ServingSettings
from tests.encoders.tiny import SENTENCES
from tests.serving.conftest import HERE

PAIRS = [(SENTENCES[0], SENTENCES[4]), (SENTENCES[1], SENTENCES[3]), (SENTENCES[2],) * 2]


def test_the_documented_call_has_exactly_its_field_names(
    client: TestClient, cross: CrossEncoder
) -> None:
    verdicts = set()
    scores = cross.score([(a, b) for a in SENTENCES for b in SENTENCES])
    for number, expected in enumerate(scores.tolist()):
        first, second = SENTENCES[number // 5], SENTENCES[number % 5]
        call = {"r1": {"sentence": first}, "r2": {"sentence": second}}
        response = client.post("/", json=call)
        assert response.status_code == 200
        answer = json.loads(response.content)
        score = answer.pop("문장유사도 점수(5점 만점 중)")
        assert score == pytest.approx(expected, abs=1e-4)
        verdict = "유사함" if score >= 3 else "유사하지 않음"
        assert answer == {"Sentence1": first, "Sentence2": second, "결론": verdict}
        verdicts.add(verdict)
    assert len(verdicts) == 2


def test_both_encoders_score_the_pairs_with_verdicts_and_times(
    client: TestClient, bi: BiEncoder, cross: CrossEncoder
) -> None:
    answer = client.post("/v1/similarity", json={"pairs": PAIRS}).json()
    for kind, encoder in (("bi", bi), ("cross", cross)):
        result = answer[kind]
        scores = [one["score"] for one in result["scores"]]
        np.testing.assert_allclose(scores, encoder.score(PAIRS), atol=1e-4)
        raw = [one["raw"] for one in result["scores"]]
        np.testing.assert_allclose(raw, encoder.score(PAIRS, raw=True), atol=1e-5)
        assert result["threshold"] == encoder.threshold
        assert [one["similar"] for one in result["scores"]] == [
            score >= encoder.threshold for score in scores
        ]
        assert result["seconds"] > 0


@pytest.mark.parametrize(("asked", "given"), [("bi", ["bi"]), ("cross", ["cross"])])
def test_one_encoder_alone(client: TestClient, asked: str, given: list[str]) -> None:
    answer = client.post("/v1/similarity", json={"pairs": PAIRS, "encoder": asked}).json()
    assert [kind for kind, result in answer.items() if result is not None] == given


def test_symmetric_averages_both_orders(client: TestClient, cross: CrossEncoder) -> None:
    call = {"pairs": PAIRS, "encoder": "cross", "symmetric": True}
    answer = client.post("/v1/similarity", json=call).json()
    raw = [one["raw"] for one in answer["cross"]["scores"]]
    np.testing.assert_allclose(raw, cross.score(PAIRS, raw=True, symmetric=True), atol=1e-5)


def test_another_backend_serves_the_same_scores(
    settings: ServingSettings, cross: CrossEncoder
) -> None:
    pytest.importorskip("onnxruntime", reason="needs kosim[onnx]")
    app = create_app(settings.model_copy(update={"backend": "onnx"}))
    with TestClient(app, base_url=HERE) as client:
        answer = client.post("/v1/similarity", json={"pairs": PAIRS}).json()
        hits = client.post("/v1/search", json={"query": PAIRS[0][0], "k": 3}).json()
        served = app.state.service.models.served
    raw = [one["raw"] for one in answer["cross"]["scores"]]
    np.testing.assert_allclose(raw, cross.score(PAIRS, raw=True), atol=1e-5)
    assert {encoder.backend for encoder in served.values()} == {"onnx"}
    assert len(hits["hits"]) == 3
