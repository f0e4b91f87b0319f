"""The commands that open encoders, with another backend and precision."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.loading import load
from kosim.index.reranking import NEAR
from tests.experiments.tiny_artifacts import answer, kosim, refusal, sentences

if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript")):
    pytest.skip("the extra onnx is not installed", allow_module_level=True)

TEXTS = list(dict.fromkeys(sentences(80)))[:40]
QUERY, OTHER = sentences(2, seed=5)
INT8 = ("--precision", "int8")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def index(exported: dict[str, Path], corpus: Path) -> Path:
    """An index made in full precision."""
    folder = corpus.parent / "index"
    answer("index", "build", corpus, "--encoder", exported["bi"], "--out", folder)
    return folder


def test_an_index_of_full_precision_is_searched_in_int8(
    exported: dict[str, Path], index: Path
) -> None:
    rerank = ("--reranker", exported["cross"], "--candidates", 10, "-k", 5)
    searched = kosim("search", index, QUERY, *rerank, *INT8, "--json")
    assert "int8 finds" in searched.stderr
    result = json.loads(searched.stdout)
    encoder, reranker = (load(exported[kind], precision="int8") for kind in ("bi", "cross"))
    full = load(exported["bi"])
    assert isinstance(encoder, BiEncoder)
    assert isinstance(full, BiEncoder)
    cosines = full.encode(TEXTS) @ encoder.encode([QUERY])[0]
    candidates = np.argsort(-cosines)[:10]
    raw = reranker.score([(QUERY, TEXTS[place]) for place in candidates], raw=True)
    expected = [TEXTS[candidates[place]] for place in np.argsort(-raw)[:5]]
    assert [hit["text"] for hit in result["hits"]] == expected
    assert [hit["rerank_score"] for hit in result["hits"]] == pytest.approx(
        np.sort(raw)[::-1][:5].tolist(), abs=1e-6
    )


def test_refining_scores_the_hits_around_the_last_one_in_full_precision(
    exported: dict[str, Path], index: Path
) -> None:
    rerank = ("--reranker", exported["cross"], "--candidates", 30, "-k", 5)
    result = json.loads(answer("search", index, QUERY, *rerank, *INT8, "--refine", "--json"))
    full = load(exported["cross"], backend="onnx")
    for hit in result["hits"][-NEAR:]:
        expected = full.score([(QUERY, hit["text"])], raw=True)[0]
        assert hit["rerank_score"] == pytest.approx(float(expected), abs=1e-6)


def test_refining_without_a_reranker_or_in_full_precision_is_refused(
    exported: dict[str, Path], index: Path
) -> None:
    assert "needs a --reranker" in refusal("search", index, QUERY, *INT8, "--refine")
    rerank = ("--reranker", exported["cross"])
    assert "computes in fp32" in refusal("search", index, QUERY, *rerank, "--refine")


def test_score_is_that_of_the_chosen_precision(exported: dict[str, Path]) -> None:
    result = json.loads(answer("score", exported["cross"], QUERY, OTHER, *INT8, "--json"))
    [expected] = load(exported["cross"], precision="int8").score([(QUERY, OTHER)])
    [full] = load(exported["cross"]).score([(QUERY, OTHER)])
    assert result["score"] == pytest.approx(expected, abs=1e-6)
    assert result["score"] != pytest.approx(full, abs=1e-6)


def test_rerank_and_mine_take_a_backend(exported: dict[str, Path], corpus: Path) -> None:
    options = ("--encoder", exported["bi"], "--backend", "onnx")
    hits = json.loads(answer("rerank", *options, "--query", QUERY, corpus, "--json"))["hits"]
    torch = load(exported["bi"], backend="torch").rank(QUERY, TEXTS)
    assert [hit["score"] for hit in hits] == pytest.approx([hit.score for hit in torch], abs=1e-4)
    mined = answer("mine", corpus, *options, "--top-k", 3, "--json")
    of_torch = ("--encoder", exported["bi"], "--backend", "torch")
    plain = answer("mine", corpus, *of_torch, "--top-k", 3, "--json")
    scores = [[json.loads(line)["score"] for line in out.splitlines()] for out in (mined, plain)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_the_first_use_says_that_it_exports(exported: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported["bi"], tmp_path / "bi"))
    shutil.rmtree(folder / "onnx" / "int8")
    first, second = (kosim("score", folder, QUERY, OTHER, *INT8) for _ in "ab")
    assert "/bi is exported to onnx in int8 once" in " ".join(first.stderr.split())
    assert "exported" not in second.stderr


def test_what_does_not_fit_is_refused(exported: dict[str, Path]) -> None:
    line = refusal("score", exported["bi"], QUERY, OTHER, "--backend", "torch", *INT8)
    assert "backend torch does not compute in int8" in line
