"""``kosim search`` and ``kosim mine``: what they find, print and refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.loading import load
from kosim.experiments.cli import search as search_module
from tests.experiments.tiny_artifacts import (
    answer,
    checksum,
    kosim,
    name_encoder,
    refusal,
    sentences,
)

TEXTS = list(dict.fromkeys(sentences(80)))[:40]
QUERIES = sentences(3, seed=5)


@pytest.fixture(scope="module")
def bi(encoders: dict[str, Path]) -> BiEncoder:
    encoder = load(encoders["bi"], device="cpu")
    assert isinstance(encoder, BiEncoder)
    return encoder


@pytest.fixture(scope="module")
def cross(encoders: dict[str, Path]) -> CrossEncoder:
    encoder = load(encoders["cross"], device="cpu")
    assert isinstance(encoder, CrossEncoder)
    return encoder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    records = [{"id": f"d{i}", "text": text, "n": i} for i, text in enumerate(TEXTS)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture(scope="module")
def index(encoders: dict[str, Path], corpus: Path) -> Path:
    folder = corpus.parent / "index"
    answer("index", "build", corpus, "--encoder", encoders["bi"], "--out", folder)
    return folder


def found(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_json_has_one_object_a_query_with_the_nearest_hits(index: Path, bi: BiEncoder) -> None:
    results = found(answer("search", index, *QUERIES, "-k", 4, "--json"))
    assert [result["query"] for result in results] == QUERIES
    cosines = bi.encode(QUERIES) @ bi.encode(TEXTS).T
    for row, result in enumerate(results):
        nearest = np.argsort(-cosines[row], kind="stable")[:4]
        hits = result["hits"]
        assert [hit["id"] for hit in hits] == [f"d{place}" for place in nearest]
        assert [hit["rank"] for hit in hits] == [1, 2, 3, 4]
        assert [hit["text"] for hit in hits] == [TEXTS[place] for place in nearest]
        assert [hit["extra"] for hit in hits] == [{"n": place} for place in nearest]
        scores = [hit["retrieval_score"] for hit in hits]
        np.testing.assert_allclose(scores, cosines[row, nearest], atol=1e-5)
        wanted = bi.calibration(cosines[row, nearest])
        np.testing.assert_allclose([hit["score"] for hit in hits], wanted, atol=1e-4)
        assert all(hit["rerank_score"] is None for hit in hits)
        assert result["seconds"] > 0


def test_reranker_orders_by_its_own_scores(
    index: Path, encoders: dict[str, Path], cross: CrossEncoder
) -> None:
    options = ("--reranker", encoders["cross"], "--candidates", 40, "-k", 5, "--json")
    (result,) = found(answer("search", index, QUERIES[0], *options))
    wanted = cross.rank(QUERIES[0], TEXTS, top_k=5)
    assert [hit["id"] for hit in result["hits"]] == [f"d{hit.position}" for hit in wanted]
    scores = [hit["rerank_score"] for hit in result["hits"]]
    np.testing.assert_allclose(scores, [hit.raw for hit in wanted], atol=1e-5)
    assert result["candidates"] == 40


def test_more_hits_than_documents_gives_all_of_them_once(index: Path) -> None:
    (result,) = found(answer("search", index, QUERIES[0], "-k", 1000, "--json"))
    assert sorted(hit["id"] for hit in result["hits"]) == sorted(f"d{i}" for i in range(40))


@pytest.mark.parametrize("way", ["argument", "file", "dash", "pipe", "table"])
def test_queries_come_in_every_way(index: Path, tmp_path: Path, way: str) -> None:
    lines = "\n".join(QUERIES) + "\n"
    (tmp_path / "q.txt").write_text(lines)
    (tmp_path / "q.csv").write_text("no,body\n" + "".join(f"1,{query}\n" for query in QUERIES))
    table = ["--queries", tmp_path / "q.csv", "--text-column", "body"]
    arguments: dict[str, tuple[list[Any], str | None]] = {
        "argument": (list(QUERIES), None),
        "file": (["--queries", tmp_path / "q.txt"], None),
        "dash": (["-"], lines),
        "pipe": ([], lines),
        "table": (table, None),
    }
    given, text = arguments[way]
    results = found(answer("search", index, *given, "-k", 1, "--json", text=text))
    assert [result["query"] for result in results] == QUERIES


def test_more_queries_than_fit_one_call_are_all_answered(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "_TOGETHER", 2)
    results = found(answer("search", index, *TEXTS[:5], "-k", 1, "--json"))
    assert [result["hits"][0]["text"] for result in results] == TEXTS[:5]


def test_prompt_asks_until_an_empty_line(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "_is_terminal", lambda: True)
    lines = f"{TEXTS[0]}\n{TEXTS[1]}\n\n{TEXTS[2]}\n"
    results = found(answer("search", index, "-k", 1, "--json", text=lines))
    assert [result["hits"][0]["text"] for result in results] == TEXTS[:2]


def test_prompt_ends_with_the_input(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "_is_terminal", lambda: True)
    results = found(answer("search", index, "-k", 1, "--json", text=TEXTS[0] + "\n"))
    assert len(results) == 1


def test_people_see_all_that_was_said_of_a_hit(index: Path, encoders: dict[str, Path]) -> None:
    said = answer("search", index, TEXTS[3], "-k", 2, "--reranker", encoders["cross"])
    for part in ("rank", "score", "text", "id", "retrieval", "rerank", "n: ", TEXTS[3]):
        assert part in said


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_words_are_found_in_other_modes(index: Path, mode: str) -> None:
    pytest.importorskip("kiwipiepy")
    (result,) = found(answer("search", index, TEXTS[7], "-k", 3, "--mode", mode, "--json"))
    assert TEXTS[7] in [hit["text"] for hit in result["hits"]]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["좋다", "-k", "0"], "-k is 0"),
        (["좋다", ""], "query 2 is empty"),
        ([" "], "query 1 is empty"),
        (["좋다", "--candidates", "0"], "--candidates is '0'"),
        (["좋다", "--candidates", "many"], "--candidates is 'many'"),
        (["좋다", "--candidates", "auto"], "needs a reranker"),
        (["좋다", "--interpolation", "0.5"], "which needs a --reranker"),
        (["좋다", "--interpolation", "1.5"], "0<=x<=1"),
        (["좋다", "--queries", "q.txt"], "queries are given twice"),
        (["--queries", "/none.txt"], "No such file"),
    ],
)
def test_impossible_search_is_refused(index: Path, arguments: list[str], said: str) -> None:
    before = checksum(index)
    assert said in refusal("search", index, *arguments)
    assert checksum(index) == before


@pytest.mark.parametrize(
    "text, said", [("좋다\n\n", "line 2: the text is blank"), ("", "holds no sentence")]
)
def test_blank_query_of_standard_input_is_refused(index: Path, text: str, said: str) -> None:
    result = kosim("search", index, "-", "--json", text=text)
    assert result.exit_code == 2
    assert said in result.stderr


def test_other_encoder_is_refused_and_both_are_named(
    index: Path, encoders: dict[str, Path], bi: BiEncoder
) -> None:
    said = refusal("search", index, "좋다", "--encoder", encoders["other"])
    for encoder in (bi, load(encoders["other"], device="cpu")):
        assert encoder.fingerprint()[:12] in said


def test_cross_encoder_in_place_of_the_encoder_is_refused(
    index: Path, encoders: dict[str, Path]
) -> None:
    said = refusal("search", index, "좋다", "--encoder", encoders["cross"])
    assert "is a cross-encoder" in said


def test_moved_encoder_is_asked_for_and_given(
    index: Path, encoders: dict[str, Path], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(index, tmp_path / "index"))
    moved = shutil.copytree(encoders["bi"], tmp_path / "moved")
    name_encoder(copy, "/gone/bi")
    assert "/gone/bi" in (said := refusal("search", copy, "좋다"))
    assert "--encoder" in said
    assert answer("search", copy, "좋다", "--encoder", moved)


@pytest.mark.parametrize("command", ["search", "mine"])
def test_folder_that_is_no_index_is_refused(tmp_path: Path, command: str) -> None:
    arguments = ["좋다"] if command == "search" else []
    assert "is not an index" in refusal(command, tmp_path, *arguments)


def best_pairs(similarity: np.ndarray, count: int) -> list[tuple[str, str]]:
    first, second = np.triu_indices(len(TEXTS), 1)
    order = np.argsort(-similarity[first, second], kind="stable")[:count]
    return [(f"d{first[place]}", f"d{second[place]}") for place in order]


@pytest.mark.parametrize("source", ["index", "corpus"])
def test_mining_finds_the_nearest_pairs(
    source: str, index: Path, corpus: Path, encoders: dict[str, Path], bi: BiEncoder
) -> None:
    given = [index] if source == "index" else [corpus, "--encoder", encoders["bi"]]
    pairs = found(answer("mine", *given, "--top-k", 5, "--json"))
    vectors = bi.encode(TEXTS)
    assert [(pair["id1"], pair["id2"]) for pair in pairs] == best_pairs(vectors @ vectors.T, 5)
    assert [pair["rank"] for pair in pairs] == [1, 2, 3, 4, 5]
    texts = {f"d{i}": text for i, text in enumerate(TEXTS)}
    for pair in pairs:
        assert (pair["text1"], pair["text2"]) == (texts[pair["id1"]], texts[pair["id2"]])
        assert pair["rerank_score"] is None
    assert sorted(path.name for path in corpus.parent.iterdir()) == ["corpus.jsonl", "index"]


def test_mining_with_a_reranker_scores_both_orders(
    index: Path, encoders: dict[str, Path], cross: CrossEncoder
) -> None:
    options = ("--reranker", encoders["cross"], "--top-k", 3, "--candidates", 780, "--json")
    pairs = found(answer("mine", index, *options))
    every = [(one, other) for one in TEXTS for other in TEXTS]
    scores = cross.score(every, raw=True, symmetric=True).reshape(40, 40)
    assert [(pair["id1"], pair["id2"]) for pair in pairs] == best_pairs(scores, 3)


def test_mining_leaves_out_pairs_below_a_score(index: Path) -> None:
    pairs = found(answer("mine", index, "--min-score", 4.8, "--json"))
    assert pairs
    assert all(pair["score"] >= 4.8 for pair in pairs)
    assert len(found(answer("mine", index, "--json"))) == 100


def test_people_see_both_sentences_of_a_pair(index: Path, encoders: dict[str, Path]) -> None:
    (pair,) = found(answer("mine", index, "--top-k", 1, "--json"))
    said = answer("mine", index, "--top-k", 1)
    assert pair["text1"] in said
    assert pair["text2"] in said


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--top-k", "0"], "--top-k is 0"),
        (["--candidates", "0"], "--candidates is 0"),
        (["--min-score", "7"], "7.0 is not in the range 0<=x<=5"),
    ],
)
def test_impossible_mining_is_refused(index: Path, arguments: list[str], said: str) -> None:
    assert said in refusal("mine", index, *arguments)


def test_corpus_to_mine_needs_an_encoder(corpus: Path) -> None:
    assert "needs --encoder" in refusal("mine", corpus)


def test_bad_corpus_to_mine_is_refused(encoders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("하나\n\n")
    said = refusal("mine", tmp_path / "c.txt", "--encoder", encoders["bi"])
    assert "line 2: the text is blank" in said


@pytest.mark.parametrize("command", ["search", "mine", "depth", "evaluate-retrieval", "index"])
def test_every_command_has_help(command: str) -> None:
    assert "Usage:" in answer(command, "--help")
    assert command in answer("--help")
