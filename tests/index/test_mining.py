"""Mined pairs against scores of all pairs, with untrained encoders."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kosim.index.mining
from kosim.encoders.bi import BiEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import ConfigError, CorpusIndexError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.mining import MinedPair, mine, mine_texts
from tests.encoders.tiny import labelled_pairs

TEXTS = list(dict.fromkeys(labelled_pairs(30, seed=3).sentence1))
DOCUMENTS = [Document(f"d{row:02}", text) for row, text in enumerate(TEXTS)]
ALL = list(combinations(range(len(TEXTS)), 2))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, bi: BiEncoder) -> CorpusIndex:
    folder = tmp_path_factory.mktemp("mining") / "index"
    return make_index(folder, bi, DOCUMENTS)


def make_index(folder: Path, bi: BiEncoder, documents: list[Document]) -> CorpusIndex:
    identity = EncoderIdentity(bi.fingerprint(), "tiny-bi", bi.dimension)
    vectors = bi.encode([document.text for document in documents])
    return CorpusIndex.create(folder, identity, [(documents, vectors)])


def names(pairs: list[MinedPair]) -> list[tuple[str, str]]:
    return [(pair.id1, pair.id2) for pair in pairs]


def texts_of(rows: list[tuple[int, int]]) -> list[tuple[str, str]]:
    return [(TEXTS[one], TEXTS[other]) for one, other in rows]


def best(
    scores: np.ndarray, count: int, rows: list[tuple[int, int]] = ALL
) -> list[tuple[str, str]]:
    order = np.argsort(-scores, kind="stable")[:count]
    return [(f"d{rows[i][0]:02}", f"d{rows[i][1]:02}") for i in order]


def test_pairs_are_those_with_the_highest_cosines(corpus: CorpusIndex, bi: BiEncoder) -> None:
    pairs = mine(corpus, encoder=bi, top=25)
    raw = bi.score(texts_of(ALL), raw=True)
    assert names(pairs) == best(raw, 25)
    expected = np.sort(raw)[::-1][:25]
    np.testing.assert_allclose([pair.retrieval_score for pair in pairs], expected, atol=1e-5)
    np.testing.assert_allclose([pair.score for pair in pairs], bi.calibration(expected), atol=1e-4)
    assert [pair.rank for pair in pairs] == list(range(1, 26))
    assert {pair.rerank_score for pair in pairs} == {None}


def test_reranking_all_pairs_orders_by_symmetric_scores(
    corpus: CorpusIndex, cross: CrossEncoder
) -> None:
    pairs = mine(corpus, top=25, reranker=cross)
    raw = cross.score(texts_of(ALL), raw=True, symmetric=True)
    expected = np.sort(raw)[::-1][:25]
    assert names(pairs) == best(raw, 25)
    np.testing.assert_allclose([pair.rerank_score for pair in pairs], expected, atol=1e-5)
    np.testing.assert_allclose(
        [pair.score for pair in pairs], cross.calibration(expected), atol=1e-4
    )


def test_reranking_sees_only_the_candidates(
    corpus: CorpusIndex, bi: BiEncoder, cross: CrossEncoder
) -> None:
    order = np.argsort(-bi.score(texts_of(ALL), raw=True), kind="stable")[:12]
    rows = [ALL[i] for i in sorted(order)]
    raw = cross.score(texts_of(rows), raw=True, symmetric=True)
    assert names(mine(corpus, top=5, reranker=cross, candidates=12)) == best(raw, 5, rows)


def test_least_score_alone_gives_all_pairs_of_at_least_it(
    corpus: CorpusIndex, bi: BiEncoder
) -> None:
    scores = bi.score(texts_of(ALL))
    least = float(np.median(scores))
    pairs = mine(corpus, encoder=bi, top=None, min_score=least)
    assert len(pairs) == pytest.approx(np.sum(scores >= least), abs=1)
    assert min(pair.score for pair in pairs) >= least
    assert len(mine(corpus, encoder=bi, top=3, min_score=least)) == 3


def test_least_score_counts_after_reranking(corpus: CorpusIndex, cross: CrossEncoder) -> None:
    scores = cross.score(texts_of(ALL), symmetric=True)
    least = float(np.quantile(scores, 0.9))
    pairs = mine(corpus, top=None, min_score=least, reranker=cross)
    assert len(pairs) == pytest.approx(np.sum(scores >= least), abs=1)


def test_same_sentence_under_two_ids_is_a_pair(tmp_path: Path, bi: BiEncoder) -> None:
    twin = Document("twin", TEXTS[4])
    pair = mine(make_index(tmp_path / "index", bi, [*DOCUMENTS, twin]), encoder=bi, top=1)[0]
    assert (pair.id1, pair.id2, pair.text1 == pair.text2) == ("d04", "twin", True)
    assert pair.retrieval_score == pytest.approx(1, abs=1e-5)


def test_removed_documents_are_in_no_pair(tmp_path: Path, bi: BiEncoder) -> None:
    changed = make_index(tmp_path / "index", bi, DOCUMENTS)
    changed.remove(["d00", "d05"])
    pairs = mine(changed, encoder=bi, top=10_000)
    expected = list(combinations([d.id for d in DOCUMENTS], 2))
    assert sorted(names(pairs)) == [p for p in expected if not {"d00", "d05"} & set(p)]


def test_texts_give_the_pairs_of_their_index(
    corpus: CorpusIndex, bi: BiEncoder, cross: CrossEncoder
) -> None:
    for reranker in (None, cross):
        ours = mine_texts(DOCUMENTS, bi, top=9, reranker=reranker, candidates=40)
        theirs = mine(corpus, encoder=bi, top=9, reranker=reranker, candidates=40)
        assert names(ours) == names(theirs)


def test_large_index_is_mined_by_its_neighbours(
    corpus: CorpusIndex, bi: BiEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = mine(corpus, encoder=bi, top=20)
    monkeypatch.setattr(kosim.index.mining, "EXACT_DOCUMENTS", 10)
    assert names(mine(corpus, encoder=bi, top=20)) == names(exact)


def test_hard_pairs_are_those_that_the_bi_encoder_scores_highest_above_the_reranker(
    corpus: CorpusIndex, bi: BiEncoder, cross: CrossEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="is not calibrated"):
        mine(corpus, encoder=bi, reranker=cross, hard=True)
    with pytest.raises(ConfigError, match="give both"):
        mine(corpus, encoder=bi, hard=True)
    calibration = MonotoneCalibration.fit([0.0, 0.5, 1.0], [0.5, 2.0, 4.5])
    monkeypatch.setattr(bi, "calibration", calibration)
    monkeypatch.setattr(cross, "calibration", calibration)
    gaps = bi.score(texts_of(ALL)) - cross.score(texts_of(ALL), symmetric=True)
    pairs = mine(corpus, encoder=bi, reranker=cross, top=10, candidates=len(ALL), hard=True)
    wanted = min(10, int((gaps > 0.01).sum()))
    assert wanted > 0
    assert names(pairs) == best(gaps, wanted)
    expected = np.sort(gaps)[::-1][:wanted]
    np.testing.assert_allclose([pair.gap or 0.0 for pair in pairs], expected, atol=1e-4)


def test_the_same_sentence_twice_is_no_hard_pair(
    tmp_path: Path, bi: BiEncoder, cross: CrossEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = [Document("again", f"  {TEXTS[0]} "), *DOCUMENTS]
    index = make_index(tmp_path / "index", bi, twice)
    high = MonotoneCalibration.fit(np.linspace(-1, 1, 11), np.linspace(4, 5, 11))
    low = MonotoneCalibration.fit(np.linspace(-9, 9, 11), np.linspace(0, 1, 11))
    monkeypatch.setattr(bi, "calibration", high)
    monkeypatch.setattr(cross, "calibration", low)
    pairs = mine(index, encoder=bi, reranker=cross, hard=True, top=1_000)
    assert len(pairs) > 100
    assert ("again", "d00") not in names(pairs)


def test_it_is_said_that_not_all_pairs_were_looked_at(
    corpus: CorpusIndex, bi: BiEncoder, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    mine(corpus, encoder=bi, top=None, min_score=0.0)
    assert caplog.messages == []
    monkeypatch.setattr(kosim.index.mining, "MOST_PAIRS", 50)
    assert len(mine(corpus, encoder=bi, top=None, min_score=0.0)) <= 50
    assert "only the 50 pairs with the highest cosines were looked at" in caplog.messages[0]


def test_rounding_makes_no_hard_pair(
    corpus: CorpusIndex, bi: BiEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bi, "calibration", MonotoneCalibration.fit([0.0, 1.0], [0.5, 4.5]))
    assert mine(corpus, encoder=bi, reranker=bi, candidates=len(ALL), hard=True) == []


def test_corpus_of_one_sentence_has_no_pair(bi: BiEncoder, cross: CrossEncoder) -> None:
    assert mine_texts(DOCUMENTS[:1], bi) == []
    assert mine_texts([], bi, reranker=cross) == []


def test_pairs_are_plain_values(corpus: CorpusIndex, cross: CrossEncoder) -> None:
    pair = mine(corpus, top=1, reranker=cross)[0]
    assert json.loads(json.dumps(asdict(pair)))["id1"] == pair.id1
    assert {type(pair.score), type(pair.retrieval_score), type(pair.rerank_score)} == {float}


def test_progress_names_its_stage(corpus: CorpusIndex, cross: CrossEncoder) -> None:
    seen: list[tuple[str, int, int]] = []
    mine(corpus, top=2, reranker=cross, candidates=3, progress=lambda *step: seen.append(step))
    assert seen == [("compare", len(TEXTS), len(TEXTS)), ("rerank", 3, 3)]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"top": 0}, "top is 0"),
        ({"candidates": 0}, "candidates is 0"),
        ({"min_score": 5.5}, "min_score is 5.5"),
        ({"min_score": float("nan")}, "min_score is nan"),
        ({"top": None}, "neither top nor min_score"),
    ],
)
def test_impossible_settings_are_refused(
    corpus: CorpusIndex, bi: BiEncoder, setting: dict[str, float | None], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        mine(corpus, encoder=bi, **setting)  # type: ignore[arg-type]


def test_another_encoder_is_refused(corpus: CorpusIndex, koelectra: Path) -> None:
    other = BiEncoder.from_backbone(str(koelectra), pooling="cls", device="cpu")
    with pytest.raises(CorpusIndexError, match="was made with the encoder tiny-bi"):
        mine(corpus, encoder=other)


def test_nothing_to_score_with_is_refused(corpus: CorpusIndex) -> None:
    with pytest.raises(ConfigError, match=r"need an encoder .*tiny-bi"):
        mine(corpus)
