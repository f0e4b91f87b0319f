"""The recall of an index on its own documents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import ConfigError, CorpusIndexError
from kosim.encoders.loading import load
from kosim.index.build import build_index
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.measured_recall import kept_recall, measured_recall
from tests.encoders.tiny import WORDS


def make(folder: Path, vectors: np.ndarray) -> CorpusIndex:
    documents = [Document(str(i), f"글 {i}") for i in range(len(vectors))]
    identity = EncoderIdentity("f", "encoder", vectors.shape[1])
    return CorpusIndex.create(folder, identity, [(documents, vectors)], type="flat")


def unit(rows: int, *, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("rows", [2, 5, 300])
def test_exact_search_finds_all(tmp_path: Path, rows: int) -> None:
    assert measured_recall(make(tmp_path / "index", unit(rows)), 50) == 1.0


def test_equal_documents_are_as_good_as_each_other(tmp_path: Path) -> None:
    vectors = np.repeat(unit(10), 30, axis=0)
    assert measured_recall(make(tmp_path / "index", vectors), 50) == 1.0


def test_what_the_search_misses_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = make(tmp_path / "index", unit(300))
    search = type(index.snapshot).search

    def lossy(self: object, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores, places = search(self, queries, k + 3)  # type: ignore[arg-type]
        kept = [0, *range(4, k + 3)]
        return scores[:, kept], places[:, kept]

    monkeypatch.setattr(type(index.snapshot), "search", lossy)
    # Of the ten nearest others the first three are lost.
    assert measured_recall(index, 50) == pytest.approx(0.7)


def test_removed_documents_are_no_queries_and_no_answers(tmp_path: Path) -> None:
    index = make(tmp_path / "index", unit(100))
    index.remove([str(i) for i in range(60)])
    assert measured_recall(index, 100) == 1.0


def test_one_document_has_no_recall(tmp_path: Path) -> None:
    assert measured_recall(make(tmp_path / "index", unit(1))) is None


@pytest.mark.parametrize("options", [{"sample": 0}, {"k": 0}])
def test_impossible_number_is_refused(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="is 0"):
        measured_recall(make(tmp_path / "index", unit(3)), **options)


TEXTS = [" ".join(WORDS[first : first + length]) for first in range(15) for length in (2, 4, 7)]


@pytest.fixture
def sentences(tmp_path: Path, bi: BiEncoder) -> tuple[CorpusIndex, BiEncoder]:
    """An index of sentences, and its encoder in half precision."""
    documents = [Document(str(i), text) for i, text in enumerate(TEXTS)]
    index = build_index(documents, bi, tmp_path / "index", type="flat")
    bi.save(tmp_path / "encoder")
    lowered = load(tmp_path / "encoder", precision="bf16")
    assert isinstance(lowered, BiEncoder)
    return index, lowered


def test_recall_of_another_precision_is_that_of_brute_force(
    sentences: tuple[CorpusIndex, BiEncoder], bi: BiEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, lowered = sentences
    assert measured_recall(index, encoder=bi, k=3) == 1.0
    # Half precision loses nothing among so few sentences; three levels a component do.
    encode = lowered.encode
    monkeypatch.setattr(lowered, "encode", lambda texts: np.sign(np.round(20 * encode(texts))))
    exact, asked = bi.encode(TEXTS), lowered.encode(TEXTS)
    shares = []
    for row in range(len(TEXTS)):
        truth = np.delete(exact @ exact[row], row)
        found = np.argsort(-np.delete(exact @ asked[row], row), kind="stable")[:3]
        shares.append(np.mean(truth[found] >= np.sort(truth)[-3] - 1e-6))
    assert 0 < np.mean(shares) < 1
    assert measured_recall(index, encoder=lowered, k=3) == pytest.approx(np.mean(shares))


def test_kept_recall_is_measured_once_a_generation(
    sentences: tuple[CorpusIndex, BiEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, lowered = sentences
    first = kept_recall(index, lowered)
    assert first == measured_recall(index, encoder=lowered)
    monkeypatch.setattr(lowered, "encode", lambda *_: pytest.fail("measured again"))
    assert kept_recall(index, lowered) == first
    monkeypatch.undo()
    index.remove(["0", "1"])
    index.compact()
    assert kept_recall(index, lowered) == measured_recall(index, encoder=lowered)


def test_recall_with_another_encoder_is_refused(tmp_path: Path, bi: BiEncoder) -> None:
    with pytest.raises(CorpusIndexError, match="made with the encoder"):
        measured_recall(make(tmp_path / "index", unit(5)), encoder=bi)
