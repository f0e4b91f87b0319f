"""Every command that takes a model takes one that others made, as it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import pearsonr
from sentence_transformers import CrossEncoder as PairClassifier
from sentence_transformers import SentenceTransformer, util
from sentence_transformers.base.modules import Dense

from tests.conftest import make_once
from tests.docs.walkthrough import measure_here
from tests.encoders.test_foreign import PROMPTED, write_bi, write_cross
from tests.encoders.tiny import SENTENCES, TRAIN, VALIDATION
from tests.experiments.tiny_artifacts import answer, sentences

SMALL = (
    *("--sentences", 20, "--pairs", 20, "--queries", 5, "--candidates", 12, "--singles", 3),
    *("--rounds", 1, "--threads", 1),
)


@pytest.fixture(scope="session")
def models(koelectra: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``bi`` and ``cross``, written by sentence-transformers alone."""

    def write(folder: Path) -> None:
        write_bi(koelectra, folder / "bi", "mean", [Dense(32, 6)], **PROMPTED)
        write_cross(koelectra, folder / "cross", torch.nn.Sigmoid())

    return make_once(tmp_path_factory, "foreign", write)


@pytest.fixture
def place(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with links to the models, a corpus, queries, pairs, items and judged groups."""
    for kind in ("bi", "cross"):
        (tmp_path / kind).symlink_to(models / kind)
    measure_here(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    texts = list(dict.fromkeys(sentences(90)))
    Path("corpus.txt").write_text("\n".join(texts), encoding="utf-8")
    Path("queries.txt").write_text("\n".join(SENTENCES[:2]), encoding="utf-8")
    for name, pairs in (("train.csv", TRAIN), ("pairs.csv", VALIDATION)):
        rows = [
            f"{first},{second},{label:.9f}"
            for (first, second), label in zip(pairs.pairs, pairs.labels, strict=True)
        ]
        text = "\n".join(["sentence1,sentence2,label", *rows])
        Path(name).write_text(text, encoding="utf-8")
    items = [f"{texts[n]},{texts[n]},{texts[n + 1]}" for n in range(8)]
    Path("items.csv").write_text("\n".join(["sentence,same,different", *items]), encoding="utf-8")
    groups = [f"{n // 2},{text}" for n, text in enumerate(texts[:12])]
    Path("groups.csv").write_text("\n".join(["group,text", *groups]), encoding="utf-8")
    return tmp_path


PAIR = (SENTENCES[0], SENTENCES[1])
SCALE = ("--label-scale", "0:5")
TEST = ("--test", "pairs.csv", *SCALE, "--json")
VALIDATE = ("--validation", "pairs.csv", *SCALE, "--json")
QUICK: dict[str, tuple[Any, ...]] = {
    "score": ("cross", *PAIR, "--json"),
    "explain": ("bi", *PAIR, "--json"),
    "rerank": ("--reranker", "cross", "--query", PAIR[0], "corpus.txt", "--json"),
    "index build": ("corpus.txt", "--encoder", "bi", "--out", "index"),
    "mine": ("corpus.txt", "--encoder", "bi", "--reranker", "cross", "-k", 3, "--json"),
    "evaluate": ("cross", *TEST),
    "probe": ("bi", "cross", "--items", "items.csv", "--json"),
    "evaluate-retrieval": (
        *("--groups", "groups.csv", "--encoder", "bi", "--reranker", "cross"),
        *("--candidates", 3, "--latency-queries", 1, "--json"),
    ),
    "data": ("pairs.csv", *SCALE, "--backbone", "bi", "--json"),
    "adopt": ("cross", *VALIDATE, "--out", "adopted"),
}
SLOW: dict[str, tuple[Any, ...]] = {
    "bench": (
        *("--encoder", "bi", "--reranker", "cross", "--compare", "torch:fp32", *SMALL, "--json"),
        *("--corpus", "corpus.txt"),
    ),
    "plan": (
        *("--sentences", "1e6", "--queries-per-second", 1, "--encoder", "bi"),
        *("--reranker", "cross", "--sample", 20, "--vectors", 200, "--sample-pairs", 10, "--json"),
        *("--corpus", "corpus.txt"),
    ),
    "train": (
        *("bi", "--backbone", "bi", "--train", "train.csv", *SCALE, "--epochs", 1),
        *("--out", "trained"),
    ),
    "distill": (
        *("corpus.txt", "--teacher", "bi", "--student", "mini", "--steps", 2, "--out", "student"),
    ),
}


@pytest.mark.parametrize(
    "command", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_a_command_takes_it(command: str, place: Path) -> None:
    assert answer(*command.split(), *({**QUICK, **SLOW}[command]))


def test_an_index_of_one_is_searched_and_grows(place: Path) -> None:
    answer("index", "build", "corpus.txt", "--encoder", "bi", "--out", "index")
    found = json.loads(answer("search", "index", SENTENCES[0], "--reranker", "cross", "--json"))
    assert found["calibrated"] is False and len(found["hits"]) == 10
    Path("more.csv").write_text(f"id,text\nnew,{SENTENCES[0]}", encoding="utf-8")
    answer("index", "add", "index", "more.csv")
    best = json.loads(answer("search", "index", SENTENCES[0], "--json"))["hits"][0]
    assert (best["id"], best["retrieval_score"]) == ("new", pytest.approx(1, abs=1e-5))


@pytest.mark.slow
def test_a_comparison_of_two_is_that_of_their_own_library(place: Path) -> None:
    results = json.loads(answer("compare", "--bi", "bi", "--cross", "cross", *TEST))
    first, second = (list(side) for side in zip(*VALIDATION.pairs, strict=True))
    bi = SentenceTransformer("bi", device="cpu")
    cosines = util.pairwise_cos_sim(bi.encode(first), bi.encode(second)).numpy()
    scores = PairClassifier("cross", device="cpu").predict(list(VALIDATION.pairs))
    for kind, theirs in (("bi", cosines), ("cross", scores)):
        (seed,) = results["encoders"][kind]["seeds"].values()
        found = seed["test"]["pearson"]["value"]
        assert found == pytest.approx(pearsonr(theirs, VALIDATION.labels).statistic, abs=1e-5)


@pytest.mark.slow
def test_an_export_lies_in_the_cache_and_scores_alike(place: Path) -> None:
    before = sorted(Path("cross/").iterdir())
    made = json.loads(answer("export", "cross", "--precision", "fp32", *VALIDATE))
    assert place / "cache" in Path(made["export"]).parents
    assert sorted(Path("cross/").iterdir()) == before
    assert made["check"]["pearson_change"] == pytest.approx(0, abs=1e-4)
