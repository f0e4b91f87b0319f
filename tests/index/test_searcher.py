"""Search against brute force over all documents, with untrained encoders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import ConfigError
from kosim.index.adaptive.deep_lists import sample_deep_lists
from kosim.index.adaptive.policy import RELEVANT, CandidatePolicy, PolicyIdentity
from kosim.index.corpus_index import CorpusIndex, Snapshot
from kosim.index.documents import Document
from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.ranking import Ranking, reciprocal_rank_fusion
from kosim.index.reranking import raw_score, score_pairs
from kosim.index.searcher import Mode, Searcher, SearchHit
from tests.index.searching import DOCUMENTS, QUERIES, TEXTS, make_index


def rows(hits: tuple[SearchHit, ...]) -> list[int]:
    return [hit.extra["row"] for hit in hits]


def test_without_a_reranker_hits_are_those_of_the_bi_encoder(
    dense: Searcher, bi: BiEncoder
) -> None:
    for query, result in zip(QUERIES, dense.search(QUERIES, k=5), strict=True):
        expected = bi.rank(query, TEXTS, top_k=5)
        assert rows(result.hits) == [hit.position for hit in expected]
        assert [hit.text for hit in result.hits] == [hit.text for hit in expected]
        assert [hit.rank for hit in result.hits] == [1, 2, 3, 4, 5]
        np.testing.assert_allclose(
            [(hit.score, hit.retrieval_score) for hit in result.hits],
            [(hit.score, hit.raw) for hit in expected],
            rtol=1e-5,
        )
        assert {hit.rerank_score for hit in result.hits} == {None}
        assert (result.query, result.candidates, result.reranked) == (query, 5, 0)


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_reranking_the_whole_corpus_is_ranking_it_with_the_cross_encoder(
    reranking: Searcher, cross: CrossEncoder, mode: str
) -> None:
    results = reranking.search(QUERIES, k=7, candidates=10 * len(TEXTS), mode=mode)  # type: ignore[arg-type]
    for query, result in zip(QUERIES, results, strict=True):
        expected = cross.rank(query, TEXTS, top_k=7)
        assert rows(result.hits) == [hit.position for hit in expected]
        np.testing.assert_allclose(
            [(hit.score, hit.rerank_score) for hit in result.hits],
            [(hit.score, hit.raw) for hit in expected],
            rtol=1e-5,
        )
        assert result.candidates == result.reranked == len(TEXTS)


def test_reranking_sees_only_the_candidates(
    reranking: Searcher, bi: BiEncoder, cross: CrossEncoder
) -> None:
    result = reranking.search(QUERIES[:1], k=4, candidates=9)[0]
    near = [hit.position for hit in bi.rank(QUERIES[0], TEXTS, top_k=9)]
    expected = cross.rank(QUERIES[0], [TEXTS[row] for row in near], top_k=4)
    assert rows(result.hits) == [near[hit.position] for hit in expected]
    assert (result.candidates, result.reranked) == (9, 9)


@pytest.fixture
def calibrated(
    searched: CorpusIndex, bi: BiEncoder, cross: CrossEncoder, monkeypatch: pytest.MonkeyPatch
) -> Searcher:
    """A searcher whose encoders have calibrations of different shape."""
    labels = np.linspace(0, 5, 21)
    monkeypatch.setattr(bi, "calibration", MonotoneCalibration.fit(labels / 5, labels))
    monkeypatch.setattr(cross, "calibration", MonotoneCalibration.fit(4 * labels - 10, labels))
    return Searcher(searched, bi, cross)


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_interpolation_mixes_the_scores_of_both(
    calibrated: Searcher, bi: BiEncoder, cross: CrossEncoder, mode: Mode, share: float
) -> None:
    results = calibrated.search(QUERIES, k=6, candidates=9, mode=mode, interpolation=share)
    _, found = calibrated.retrieve(QUERIES, 9, mode)
    for query, result, positions in zip(QUERIES, results, found, strict=True):
        pairs = [(query, TEXTS[row]) for row in positions if row >= 0]
        mixed = share * bi.score(pairs) + (1 - share) * cross.score(pairs)
        order = np.argsort(-mixed, kind="stable")[:6]
        assert [hit.text for hit in result.hits] == [pairs[at][1] for at in order]
        np.testing.assert_allclose([hit.score for hit in result.hits], mixed[order], rtol=1e-4)
        raw = cross.score([pairs[at] for at in order], raw=True)
        np.testing.assert_allclose([hit.rerank_score for hit in result.hits], raw, rtol=1e-4)


def test_half_of_each_differs_from_either_alone(calibrated: Searcher) -> None:
    none, half, whole = (
        [rows(one.hits) for one in calibrated.search(QUERIES, candidates=20, interpolation=share)]
        for share in (0.0, 0.5, 1.0)
    )
    assert none != half
    assert half != whole


def test_fewer_candidates_than_hits_are_raised(reranking: Searcher) -> None:
    result = reranking.search(QUERIES[:1], k=6, candidates=2)[0]
    assert len(result.hits) == result.candidates == result.reranked == 6


def test_lexical_hits_are_those_of_bm25(
    dense: Searcher, searched: CorpusIndex, bi: BiEncoder
) -> None:
    query = TEXTS[3]
    scores, found = LexicalIndex(searched.folder).search(searched.snapshot, [query], 5)
    result = dense.search([query], k=5, mode="lexical")[0]
    assert result.hits[0].text == query
    assert rows(result.hits) == [row for row in found[0] if row >= 0]
    np.testing.assert_allclose(
        [hit.retrieval_score for hit in result.hits], scores[0][found[0] >= 0], rtol=1e-5
    )
    pairs = [(query, hit.text) for hit in result.hits]
    np.testing.assert_allclose([hit.score for hit in result.hits], bi.score(pairs), rtol=1e-4)


def test_hybrid_hits_are_those_of_the_fused_rankings(
    dense: Searcher, searched: CorpusIndex, bi: BiEncoder
) -> None:
    _, by_vector = searched.search(bi.encode(QUERIES), 12)
    _, by_word = LexicalIndex(searched.folder).search(searched.snapshot, QUERIES, 12)
    scores, places = reciprocal_rank_fusion([by_vector, by_word], 5)
    results = dense.search(QUERIES, k=5, candidates=12, mode="hybrid")
    assert [rows(result.hits) for result in results] == places.tolist()
    found = [[hit.retrieval_score for hit in result.hits] for result in results]
    np.testing.assert_allclose(found, scores, rtol=1e-5)


def test_k_beyond_the_corpus_gives_every_document_once(
    dense: Searcher, reranking: Searcher
) -> None:
    for searcher in (dense, reranking):
        hits = searcher.search(QUERIES[:1], k=10**9)[0].hits
        assert sorted(rows(hits)) == list(range(len(TEXTS)))


def test_word_that_no_document_has_gives_no_hit(dense: Searcher, reranking: Searcher) -> None:
    for searcher in (dense, reranking):
        result = searcher.search(["xylophon"], mode="lexical")[0]
        assert result.hits == ()
        assert result.candidates == result.reranked == 0


def test_empty_index_gives_no_hit(tmp_path: Path, bi: BiEncoder, cross: CrossEncoder) -> None:
    searched = make_index(tmp_path / "index", bi, DOCUMENTS[:2])
    searched.remove(["d0", "d1"])
    for mode in ("dense", "lexical", "hybrid"):
        assert Searcher(searched, bi, cross).search(QUERIES, mode=mode)[2].hits == ()


def test_removed_documents_do_not_show_and_added_ones_do(
    tmp_path: Path, bi: BiEncoder, cross: CrossEncoder
) -> None:
    searched = make_index(tmp_path / "index", bi, DOCUMENTS)
    searcher = Searcher(searched, bi, cross)
    searcher.search(QUERIES, mode="hybrid")
    searched.remove(["d0", "d7"])
    searched.add([Document("new", QUERIES[0])], bi.encode(QUERIES[:1]))
    for mode in ("dense", "hybrid"):
        ids = {hit.id for hit in searcher.search(QUERIES[:1], k=100, mode=mode)[0].hits}
        assert ids == {document.id for document in DOCUMENTS} - {"d0", "d7"} | {"new"}


class Meddling(LexicalIndex):
    """A lexical searched during whose first search another thread moves all rows."""

    def __init__(self, searched: CorpusIndex) -> None:
        super().__init__(searched.folder)
        self.index = searched
        self.moved = False

    def search(
        self,
        snapshot: Snapshot,
        queries: Sequence[str],
        k: int,
        *,
        statistics: WordStatistics | None = None,
    ) -> Ranking:
        if not self.moved:
            self.moved = True
            self.index.remove(["d0"])
            self.index.compact()
            super().search(self.index.snapshot, queries, k)
        return super().search(snapshot, queries, k, statistics=statistics)


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_change_between_two_retrievals_is_not_mixed_up(
    tmp_path: Path, bi: BiEncoder, mode: Mode
) -> None:
    searched = make_index(tmp_path / "index", bi, DOCUMENTS)
    searcher = Searcher(searched, bi)
    searched.lexical = Meddling(searched)
    assert searcher.search([TEXTS[3]], k=1, mode=mode)[0].hits[0].id == "d3"


def test_identical_texts_tie_and_keep_the_order_of_the_corpus(
    tmp_path: Path, bi: BiEncoder, cross: CrossEncoder
) -> None:
    twins = [Document(f"twin{row}", TEXTS[1]) for row in range(4)]
    searched = make_index(tmp_path / "index", bi, [*DOCUMENTS[5:], *twins])
    hits = Searcher(searched, bi, cross).search(QUERIES[:1], k=100)[0].hits
    found = [hit for hit in hits if hit.text == TEXTS[1]]
    assert [hit.id for hit in found] == ["twin0", "twin1", "twin2", "twin3"]
    assert len({hit.rerank_score for hit in found}) == 1


def test_several_queries_find_what_each_finds_alone(reranking: Searcher) -> None:
    together = reranking.search([*QUERIES, QUERIES[0]], k=5, candidates=10)
    alone = [reranking.search([query], k=5, candidates=10)[0] for query in QUERIES]
    assert [rows(result.hits) for result in together[:3]] == [rows(one.hits) for one in alone]
    assert together[3].hits == together[0].hits


def test_results_are_plain_values(dense: Searcher, reranking: Searcher) -> None:
    for searcher in (dense, reranking):
        for result in searcher.search(QUERIES, k=3):
            again = json.loads(json.dumps(asdict(result)))
            assert again["hits"][0]["text"] == result.hits[0].text
            assert type(result.seconds) is float
            assert result.seconds > 0
            assert type(result.hits[0].score) is float
            assert type(result.candidates) is int


def test_scores_of_retrieval_are_cosines(tmp_path: Path, bi: BiEncoder) -> None:
    """Vectors whose length is 1 but for float32's last bits have products above 1."""
    vectors = bi.encode(TEXTS) * np.float32(1 + 3e-6)
    identity = EncoderIdentity(bi.fingerprint(), "tiny-bi", bi.dimension)
    index = CorpusIndex.create(tmp_path / "index", identity, [(DOCUMENTS, vectors)])
    searcher = Searcher(index, bi)
    assert index.search(vectors[:1], 1)[0][0, 0] > 1
    (result,) = searcher.search(TEXTS[:1], k=2)
    assert result.hits[0].retrieval_score == 1
    found, _ = searcher.retrieve(vectors[:1], len(TEXTS) + 1)
    assert found[0, 0] == 1 and found[0, -1] == -np.inf


def test_no_queries_give_no_results(reranking: Searcher) -> None:
    assert reranking.search([]) == []


def test_retrieval_alone_pads_what_is_not_there(dense: Searcher, bi: BiEncoder) -> None:
    scores, places = dense.retrieve(QUERIES, len(TEXTS) + 2)
    same = dense.retrieve(bi.encode(QUERIES), len(TEXTS) + 2)
    np.testing.assert_array_equal(places, same[1])
    assert places.shape == (3, len(TEXTS) + 2)
    assert (places[:, -2:] == -1).all()
    assert (scores[:, -2:] == -np.inf).all()


def test_reranking_alone_scores_what_is_there(reranking: Searcher, cross: CrossEncoder) -> None:
    places = np.array([[4, -1, 2], [-1, -1, 4], [0, 1, 2]])
    scores = reranking.rerank(QUERIES, places)
    expected = np.full((3, 3), -np.inf, dtype=np.float32)
    for row, column in np.argwhere(places >= 0):
        pair = (QUERIES[row], TEXTS[places[row, column]])
        expected[row, column] = cross.score([pair], raw=True)[0]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_pairs_are_scored_once_and_reported(cross: CrossEncoder) -> None:
    pairs = [(QUERIES[0], TEXTS[0]), (QUERIES[1], TEXTS[1]), (QUERIES[0], TEXTS[0])]
    done: list[tuple[int, int]] = []
    scores = score_pairs(cross, pairs, symmetric=True, progress=lambda *counts: done.append(counts))
    np.testing.assert_allclose(scores, cross.score(pairs, raw=True, symmetric=True), rtol=1e-5)
    assert done == [(2, 2)]


@pytest.mark.parametrize("score", [0.01, 2.5, 4.9])
def test_raw_score_is_where_the_calibration_reaches_a_score(
    cross: CrossEncoder, score: float
) -> None:
    raw = raw_score(cross.calibration, score)
    assert cross.calibration(raw) >= score
    assert cross.calibration(raw - 1e-6) < score


def test_deep_lists_leave_out_the_query_and_its_twins(
    tmp_path: Path, bi: BiEncoder, cross: CrossEncoder
) -> None:
    twins = [Document(f"twin{row}", TEXTS[row // 25]) for row in range(50)]
    searcher = Searcher(make_index(tmp_path / "index", bi, [*DOCUMENTS, *twins]), bi, cross)
    cosines, scores = sample_deep_lists(searcher, queries=100, depth=28, seed=1)
    assert cosines.shape == scores.shape == (len(TEXTS) + 50, 28)
    assert np.isfinite(cosines).all()
    assert cosines.max() < 1 - 1e-4
    assert (np.diff(cosines, axis=1) <= 1e-6).all()
    texts = [*TEXTS, *(twin.text for twin in twins)]
    vectors = bi.encode(texts)
    first = vectors[5] @ vectors.T
    others = [row for row in np.argsort(-first, kind="stable") if texts[row] != texts[5]][:28]
    np.testing.assert_allclose(cosines[5], first[others], atol=1e-5)
    expected = cross.score([(texts[5], texts[row]) for row in others], raw=True)
    np.testing.assert_allclose(scores[5], expected, atol=1e-5)


def test_deep_lists_of_a_small_corpus_are_padded(reranking: Searcher) -> None:
    cosines, scores = sample_deep_lists(reranking, queries=4, depth=len(TEXTS) + 5)
    assert cosines.shape == (4, len(TEXTS) + 5)
    for lists in (cosines, scores):
        assert (np.isfinite(lists).sum(axis=1) == len(TEXTS) - 1).all()


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_auto_reranks_as_far_as_the_policy_says(
    tmp_path: Path, bi: BiEncoder, cross: CrossEncoder, mode: str
) -> None:
    searched = make_index(tmp_path / "index", bi, DOCUMENTS)
    searcher = Searcher(searched, bi, cross)
    lists = sample_deep_lists(searcher, queries=30, depth=20, mode=mode)  # type: ignore[arg-type]
    identity = PolicyIdentity(
        bi.fingerprint(), cross.fingerprint(), mode, len(searched), searched.generation
    )
    floor = raw_score(cross.calibration, RELEVANT)
    policy = CandidatePolicy.fit(*lists, identity, floor=floor, block=3)
    policy.save(searched.folder)
    _, places = searcher.retrieve(QUERIES, 20, mode)  # type: ignore[arg-type]
    cosines = searcher.cosines(bi.encode(QUERIES), places)
    scores = searcher.rerank(QUERIES, places)
    calls = policy.replay(cosines, scores, k=2, chance=0.3).calls
    results = searcher.search(QUERIES, k=2, candidates="auto", chance=0.3, mode=mode)  # type: ignore[arg-type]
    for row, result in enumerate(results):
        best = np.argsort(-scores[row, : calls[row]], kind="stable")[:2]
        assert rows(result.hits) == places[row, best].tolist()
        assert (result.candidates, result.reranked) == (20, calls[row])
    assert calls.min() < 20


def test_auto_promises_no_more_hits_than_the_policy_knows(
    tmp_path: Path, bi: BiEncoder, cross: CrossEncoder
) -> None:
    searched = make_index(tmp_path / "index", bi, DOCUMENTS)
    searcher = Searcher(searched, bi, cross)
    lists = sample_deep_lists(searcher, queries=30, depth=5)
    identity = PolicyIdentity(
        bi.fingerprint(), cross.fingerprint(), "dense", len(searched), searched.generation
    )
    CandidatePolicy.fit(*lists, identity, floor=0.0, block=1).save(searched.folder)
    with pytest.raises(ConfigError, match=r"k is 6, more than the 5 candidates.*--queries FILE"):
        searcher.search(QUERIES, k=6, candidates="auto")
    assert len(searcher.search(QUERIES, k=5, candidates="auto")[0].hits) <= 5
    with pytest.raises(ConfigError, match="fits one for the mode dense alone"):
        searcher.search(QUERIES, k=5, candidates="auto", mode="hybrid")
