"""Texts that are too long are cut as the encoder cuts them, and the answer says how many."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.text_reader import TextReader
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.loading import load
from kosim.serving.batched_encoders import BatchedBiEncoder, BatchedCrossEncoder
from kosim.serving.limits import TRUNCATED
from kosim.serving.microbatch import BatchSettings
from tests.encoders.tiny import SENTENCES, WORDS
from tests.serving.conftest import TEXTS

LONG = " ".join(WORDS * 20)[:390]
LONGER = " ".join(WORDS * 40)
"""Over the limit of 400 characters, too."""


@pytest.mark.parametrize(
    ("path", "call", "count"),
    [
        ("/v1/embeddings", {"input": [SENTENCES[0], LONG, LONGER, LONG]}, 3),
        ("/embed", {"inputs": [LONG, SENTENCES[0]]}, 1),
        ("/v1/rerank", {"query": SENTENCES[0], "documents": [LONG, SENTENCES[1], LONGER]}, 2),
        ("/rerank", {"query": SENTENCES[0], "texts": [LONGER, SENTENCES[1]]}, 1),
        ("/v1/similarity", {"pairs": [[SENTENCES[0], LONGER], SENTENCES[:2]]}, 1),
        ("/", {"r1": {"sentence": LONG}, "r2": {"sentence": SENTENCES[0]}}, 1),
        ("/v1/search", {"query": LONGER, "k": 1, "candidates": 4}, 5),
    ],
)
def test_a_long_text_is_cut_and_told(
    client: TestClient, path: str, call: dict[str, Any], count: int
) -> None:
    answer = client.post(path, json=call)
    assert answer.status_code == 200, answer.text
    assert answer.headers[TRUNCATED] == str(count)
    told = answer.json()
    if path == "/v1/similarity":
        assert (told["bi"]["truncated"], told["cross"]["truncated"]) == (1, 1)
    elif isinstance(told, dict) and path != "/":
        assert told["truncated"] == count


def test_nothing_is_said_where_nothing_was_cut(client: TestClient) -> None:
    answer = client.post("/v1/embeddings", json={"input": SENTENCES})
    assert TRUNCATED not in answer.headers and answer.json()["truncated"] == 0


def test_a_document_is_stored_whole_and_its_cut_vector_told(client: TestClient) -> None:
    try:
        call = {"documents": [{"id": "long", "text": LONG}, {"id": "short", "text": TEXTS[0]}]}
        answer = client.post("/v1/documents", json=call)
        assert answer.headers[TRUNCATED] == "1" and answer.json()["truncated"] == 1
        found = client.post("/v1/search", json={"query": LONG, "k": 50}).json()["hits"]
        assert LONG in [hit["text"] for hit in found]
    finally:
        for name in ("long", "short"):
            client.delete(f"/v1/documents/{name}")


def test_the_cut_is_the_encoders_own(
    client: TestClient, bi: BiEncoder, cross: CrossEncoder
) -> None:
    vectors = [
        one["embedding"]
        for one in client.post("/v1/embeddings", json={"input": [LONG, LONGER]}).json()["data"]
    ]
    np.testing.assert_allclose(vectors, bi.encode([LONG, LONGER]), atol=1e-5)
    call = {"query": LONG, "texts": [LONGER, SENTENCES[1]], "raw_scores": True}
    scored = {one["index"]: one["score"] for one in client.post("/rerank", json=call).json()}
    raw = cross.score([(LONG, LONGER), (LONG, SENTENCES[1])], raw=True)
    np.testing.assert_allclose([scored[0], scored[1]], raw, atol=1e-5)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each call of a tokenizer got."""
    calls: list[int] = []
    encoded = TextReader._encoded

    def counting(self: TextReader, texts: list[str], **options: Any) -> Any:
        calls.extend([len(texts)] if texts else [])
        return encoded(self, texts, **options)

    monkeypatch.setattr(TextReader, "_encoded", counting)
    return calls


@pytest.mark.parametrize("kind", ["bi", "cross"])
def test_each_text_becomes_tokens_once(
    encoders: dict[str, Any], kind: str, counted: list[int]
) -> None:
    encoder = load(encoders[kind], device="cpu")
    expected = encoder.score([[SENTENCES[0], LONG], [SENTENCES[0], SENTENCES[2]]])
    counted.clear()
    batched: Callable[..., Any] = BatchedBiEncoder if kind == "bi" else BatchedCrossEncoder
    served = batched(encoder, BatchSettings(), lambda _: None)
    try:
        scores = served.score([[SENTENCES[0], LONG], [SENTENCES[0], SENTENCES[2]]])
        assert counted == [3]
        served.score([SENTENCES[:2]], symmetric=True)
    finally:
        served.close()
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert counted == [3, 2]


def test_tokens_are_counted_beside_the_event_loop(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    for name in ("texts", "pairs"):
        read = getattr(TextReader, name)

        def noting(self: TextReader, inputs: Any, read: Any = read) -> Any:
            threads.append(threading.current_thread().name)
            return read(self, inputs)

        monkeypatch.setattr(TextReader, name, noting)
    client.post("/v1/rerank", json={"query": SENTENCES[0], "documents": SENTENCES})
    client.post("/v1/embeddings", json={"input": SENTENCES})
    client.post("/v1/search", json={"query": SENTENCES[0]})
    assert len(threads) == 4 and all(name.startswith("request") for name in threads)


def test_tokens_are_those_of_the_encoder(bi: BiEncoder, cross: CrossEncoder) -> None:
    texts = ["", "가", LONG, LONGER, *SENTENCES[:3]]
    pairs = [(one, other) for one in texts for other in texts]
    whole = {encoder.kind: copy.deepcopy(encoder.tokenizer) for encoder in (bi, cross)}
    read = bi.reader.texts(texts)
    own = whole["bi"](texts, truncation=True, max_length=bi.max_length)
    assert [one.ids for one in read.encodings] == own["input_ids"]
    both = cross.reader.pairs(pairs)
    firsts, seconds = (list(side) for side in zip(*pairs, strict=True))
    cut = whole["cross"](firsts, seconds, truncation="longest_first", max_length=cross.max_length)
    assert [one.ids for one in both.encodings] == cut["input_ids"]
    assert [one.type_ids for one in both.encodings] == cut["token_type_ids"]
    uncut = whole["cross"](firsts, seconds, truncation=False, verbose=False)["input_ids"]
    assert both.lengths.tolist() == cross.token_lengths(pairs).tolist() == [*map(len, uncut)]
