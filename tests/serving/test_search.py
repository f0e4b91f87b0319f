"""Search and the changes of the index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.loading import load
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.searcher import Searcher
from kosim.serving.app import create_app
from kosim.serving.settings import ServingSettings
from tests.encoders.tiny import WORDS
from tests.serving.conftest import HERE, TEXTS

QUERY = " ".join(WORDS[5:9])
NESTED: list[object] = []
for _ in range(40):
    NESTED = [NESTED]


def test_hits_are_those_of_the_searcher(
    client: TestClient, index: Path, bi: BiEncoder, cross: CrossEncoder
) -> None:
    answer = client.post("/v1/search", json={"query": QUERY, "k": 4, "candidates": 20}).json()
    (result,) = Searcher(CorpusIndex.open(index), bi, cross).search([QUERY], k=4, candidates=20)
    assert [hit["id"] for hit in answer["hits"]] == [hit.id for hit in result.hits]
    for name in ("score", "retrieval_score", "rerank_score"):
        np.testing.assert_allclose(
            [hit[name] for hit in answer["hits"]],
            [getattr(hit, name) for hit in result.hits],
            atol=1e-4,
        )
    assert [hit["extra"] for hit in answer["hits"]] == [dict(hit.extra) for hit in result.hits]
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3, 4]
    assert (answer["candidates"], answer["reranked"]) == (20, 20)


@pytest.mark.parametrize("hits", ["k", "top_k", "top_n", "limit"])
@pytest.mark.parametrize("depth", ["candidates", "depth", "rerank_depth", "rerank_candidates"])
def test_names_of_other_services_mean_the_same(client: TestClient, hits: str, depth: str) -> None:
    answer = client.post("/v1/search", json={"query": QUERY, hits: 3, depth: 7}).json()
    assert len(answer["hits"]) == 3 and answer["reranked"] == 7


def test_fewer_candidates_than_usual_where_the_limit_is_lower(client: TestClient) -> None:
    assert client.post("/v1/search", json={"query": QUERY}).json()["reranked"] == 50


def test_a_null_means_the_default(client: TestClient) -> None:
    call = {"query": QUERY, "k": None, "candidates": None, "mode": None}
    answer = client.post("/v1/search", json=call).json()
    assert answer["hits"] == client.post("/v1/search", json={"query": QUERY}).json()["hits"]


def test_hits_below_the_least_score_are_left_out(client: TestClient) -> None:
    hits = client.post("/v1/search", json={"query": QUERY}).json()["hits"]
    least = hits[3]["score"]
    kept = client.post("/v1/search", json={"query": QUERY, "min_score": least}).json()["hits"]
    assert kept == [hit for hit in hits if hit["score"] >= least]


@pytest.mark.slow
def test_refined_hits_are_those_of_a_refining_searcher(
    settings: ServingSettings, encoders: dict[str, Path], index: Path, bi: BiEncoder
) -> None:
    pytest.importorskip("onnxruntime")
    coarse, full = (
        load(encoders["cross"], backend="onnx", precision=precision)  # type: ignore[arg-type]
        for precision in ("int8", "fp32")
    )
    searcher = Searcher(CorpusIndex.open(index), bi, coarse, refiner=full)
    (result,) = searcher.search([QUERY], k=4, candidates=20)
    (unrefined,) = Searcher(CorpusIndex.open(index), bi, coarse).search([QUERY], k=4, candidates=20)
    refining = settings.model_copy(update={"precision": "int8", "refine": True})
    with TestClient(create_app(refining), base_url=HERE) as client:
        answer = client.post("/v1/search", json={"query": QUERY, "k": 4, "candidates": 20}).json()
        counted = client.get("/metrics").text
    assert [hit["id"] for hit in answer["hits"]] == [hit.id for hit in result.hits]
    scores = np.array([hit["rerank_score"] for hit in answer["hits"]])
    np.testing.assert_allclose(scores, [hit.rerank_score for hit in result.hits], atol=1e-4)
    assert np.abs(scores - [hit.rerank_score for hit in unrefined.hits]).max() > 1e-4
    assert 'kosim_batch_items_sum{encoder="refiner"} 6.0' in counted


def test_candidates_come_from_the_nearest_vectors(client: TestClient, bi: BiEncoder) -> None:
    cosines = (bi.encode([QUERY]) @ bi.encode(TEXTS).T)[0]
    nearest = {f"d{place}" for place in np.argsort(-cosines, kind="stable")[:7]}
    answer = client.post("/v1/search", json={"query": QUERY, "k": 7, "candidates": 7}).json()
    assert {hit["id"] for hit in answer["hits"]} == nearest


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_search_by_words(client: TestClient, mode: str) -> None:
    pytest.importorskip("kiwipiepy")
    answer = client.post("/v1/search", json={"query": TEXTS[3], "mode": mode, "candidates": 5})
    assert answer.status_code == 200
    assert "d3" in {hit["id"] for hit in answer.json()["hits"]}


@pytest.mark.parametrize(
    ("call", "status", "said"),
    [
        ({"query": QUERY, "k": 0}, 422, "k:"),
        ({"query": QUERY, "k": 51}, 422, "max-items"),
        ({"query": QUERY, "k": 3, "top_k": 4}, 422, "k and top_k mean the same"),
        ({"query": QUERY, "candidates": 0}, 422, "candidates"),
        ({"query": QUERY, "candidates": -3}, 422, "candidates"),
        ({"query": QUERY, "candidates": 51}, 422, "max-items"),
        ({"query": QUERY, "candidates": "all"}, 422, "candidates"),
        ({"query": QUERY, "candidates": "auto"}, 404, "kosim depth"),
        ({"query": QUERY, "mode": "magic"}, 422, "mode"),
        ({"query": QUERY, "interpolation": 1.5}, 422, "interpolation"),
        ({"query": QUERY, "interpolation": "0.5"}, 422, "interpolation"),
        ({"query": QUERY, "interpolation": 0.5}, 404, "the bi-encoder is not calibrated"),
        ({"query": QUERY, "interpolation": 1, "candidates": "auto"}, 404, "fitted on the reranker"),
        ({"query": " "}, 422, "query is blank"),
        ({"query": QUERY, "top": 3}, 422, "top"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    client: TestClient, call: dict[str, object], status: int, said: str
) -> None:
    response = client.post("/v1/search", json=call)
    assert response.status_code == status
    assert said in response.json()["message"]


def test_added_documents_are_found_at_once_and_removed_ones_are_not(
    client: TestClient, index: Path
) -> None:
    text = " ".join(WORDS[20:27])
    document = {"id": "새/문서 1", "text": text, "extra": {"tag": ["가"]}}
    added = client.post("/v1/documents", json={"documents": [document, {"text": WORDS[3]}]}).json()
    assert added["ids"][0] == "새/문서 1"
    other = added["ids"][1]
    search = {"query": text, "k": 50, "candidates": 50}
    hits = client.post("/v1/search", json=search).json()["hits"]
    assert [hit["extra"] for hit in hits if hit["id"] == "새/문서 1"] == [{"tag": ["가"]}]
    on_disk = CorpusIndex.open(index)
    assert on_disk.locate(added["ids"]).min() >= 0 and len(on_disk) == added["documents"]
    for id in ("새/문서 1", other):
        removed = client.delete(f"/v1/documents/{id}")
        assert removed.status_code == 200 and removed.json()["id"] == id
    hits = client.post("/v1/search", json=search).json()["hits"]
    assert not {hit["id"] for hit in hits} & set(added["ids"])
    assert CorpusIndex.open(index).locate(added["ids"]).tolist() == [-1, -1]
    assert client.delete(f"/v1/documents/{other}").status_code == 404


def test_an_id_that_is_there_is_refused_or_replaced(client: TestClient) -> None:
    call = {"documents": [{"id": "twice", "text": WORDS[0]}]}
    before = client.post("/v1/documents", json=call).json()["documents"]
    refused = client.post("/v1/documents", json=call)
    assert refused.status_code == 409 and "'twice'" in refused.json()["message"]
    replaced = client.post("/v1/documents", json={**call, "on_duplicate": "replace"})
    assert replaced.json()["documents"] == before
    both = {"documents": [{"id": "twice", "text": text} for text in WORDS[:2]]}
    last = client.post("/v1/documents", json={**both, "on_duplicate": "replace"})
    assert last.status_code == 200 and last.json()["documents"] == before
    assert client.delete("/v1/documents/twice").json()["documents"] == before - 1


def test_an_id_that_another_request_adds_meanwhile_is_a_conflict_too(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding = CorpusIndex.add

    def late(index: CorpusIndex, documents: Any, vectors: Any, **options: Any) -> None:
        monkeypatch.setattr(CorpusIndex, "add", adding)
        adding(index, documents, vectors, **options)  # the other one
        adding(index, documents, vectors, **options)

    monkeypatch.setattr(CorpusIndex, "add", late)
    refused = client.post("/v1/documents", json={"documents": [{"id": "race", "text": WORDS[0]}]})
    answer = refused.json()
    assert (refused.status_code, answer["error"]["code"]) == (409, "duplicate_id")
    assert answer["error"]["param"] == "documents[0].id"
    assert "nothing was added" in answer["message"]
    assert client.delete("/v1/documents/race").status_code == 200


def test_documents_that_another_process_adds_are_counted(client: TestClient, index: Path) -> None:
    before = client.get("/v1/service").json()["index"]["documents"]
    opened = CorpusIndex.open(index)
    vectors = np.eye(1, opened.encoder.dimension, dtype=np.float32)
    opened.add([Document("beside", WORDS[0])], vectors)
    assert client.get("/v1/service").json()["index"]["documents"] == before + 1
    opened.remove(["beside"])


@pytest.mark.parametrize(
    ("documents", "status", "said"),
    [
        ([], 422, "empty"),
        ([{"text": " "}], 422, "blank"),
        ([{"text": "가\0나"}], 422, "NUL"),
        ([{"id": "x" * 2000, "text": "가"}], 422, "2,000 characters"),
        ([{"id": "a", "text": "가"}, {"id": "a", "text": "나"}], 409, "appears twice"),
        ([{"id": "", "text": "가"}], 422, "the id is empty"),
        ([{"text": "가"}] * 51, 413, "max-items"),
        ([{"text": "가" * 401}], 422, "max-characters"),
        ([{"text": "가", "extra": {"a": NESTED}}], 422, "32 levels"),
        ([{"text": "가", "extra": {"a": float("nan")}}], 422, ""),
    ],
)
def test_what_cannot_be_added_is_refused_and_nothing_is(
    client: TestClient, index: Path, documents: list[object], status: int, said: str
) -> None:
    before = len(CorpusIndex.open(index))
    body = json.dumps({"documents": documents})
    kind = {"content-type": "application/json"}
    response = client.post("/v1/documents", content=body, headers=kind)
    assert response.status_code == status
    assert said in response.json()["message"]
    assert len(CorpusIndex.open(index)) == before


def test_what_another_process_adds_is_found(client: TestClient, index: Path, bi: BiEncoder) -> None:
    text = " ".join(WORDS[8:15])
    other = CorpusIndex.open(index)
    other.add([Document("from outside", text)], bi.encode([text]))
    try:
        call = {"query": text, "k": 50, "candidates": 50}
        hits = client.post("/v1/search", json=call).json()["hits"]
        assert "from outside" in {hit["id"] for hit in hits}
    finally:
        other.remove(["from outside"])
