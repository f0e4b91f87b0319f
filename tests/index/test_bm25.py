import itertools
import math

import bm25s
import numpy as np
import pytest

import kosim.index.lexical.bm25
from kosim.index.lexical.bm25 import Bm25, PostingsPart
from kosim.index.lexical.postings import Postings

VERBS = ["가다", "오다", "보다", "먹다", "자다", "읽다", "쓰다", "듣다"]
NOUNS = [
    "집",
    "학교",
    "밥",
    "책",
    "물",
    "친구",
    "동생",
    "노래",
    "영화",
    "편지",
    "아침",
    "저녁",
    "바다",
    "산",
    "강",
]


def made_up(count, seed, least=1):
    random = np.random.default_rng(seed)
    return [
        [*random.choice(NOUNS, size=random.integers(least, 9)), *random.choice(VERBS, size=1)]
        for _ in range(count)
    ]


def block(documents, start=0, alive=None):
    alive = np.ones(len(documents), dtype=np.bool_) if alive is None else np.array(alive)
    return PostingsPart(Postings.build([documents]), start, alive)


def blocks(documents, *cuts):
    edges = [0, *cuts, len(documents)]
    return [block(documents[a:b], a) for a, b in itertools.pairwise(edges)]


def naive(documents, query, k1=1.5, b=0.75):
    """Return the score of every document, term by term and document by document."""
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for term in query:
            having = sum(term in other for other in documents)
            idf = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
            count = document.count(term)
            score += idf * count / (count + k1 * (1 - b + b * len(document) / mean))
        scores.append(score)
    return np.array(scores)


def expect_top(scores, places, truth, k):
    """Check a result against the scores of all documents, but for the order of near ties."""
    count = min(k, int(np.count_nonzero(truth)))
    assert len(scores) == len(places) == len(set(places.tolist())) == count
    assert scores == pytest.approx(np.sort(truth)[::-1][:count], rel=1e-5)
    assert scores == pytest.approx(truth[places], rel=1e-5)


def test_equals_bm25s():
    documents, queries = made_up(400, seed=0), made_up(50, seed=1)
    oracle = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    oracle.index(documents, show_progress=False)
    ours = Bm25([block(documents)])
    for query in queries:
        scores, places = ours.search(query, 10)
        expect_top(scores, places, oracle.get_scores(query), 10)


@pytest.mark.parametrize("cuts", [(), (100,), (1, 150, 150)])
def test_equals_a_double_loop_however_the_documents_are_cut(cuts):
    documents = made_up(200, seed=2)
    ours = Bm25(blocks(documents, *cuts))
    for query in made_up(20, seed=3):
        scores, places = ours.search(query, 25)
        expect_top(scores, places, naive(documents, query), 25)


def test_cuts_change_not_a_bit():
    documents = made_up(200, seed=4)
    whole, cut = Bm25(blocks(documents)), Bm25(blocks(documents, 20, 180))
    for query in made_up(20, seed=5):
        for ours, theirs in zip(whole.search(query, 200), cut.search(query, 200), strict=True):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("k", [1, 10, 100])
def test_skipping_common_terms_changes_not_a_bit(monkeypatch, k):
    # Terms of all degrees of rarity, as in a language.
    random = np.random.default_rng(6)
    documents = [random.zipf(1.3, random.integers(1, 9)).astype(str) for _ in range(3000)]
    alive = random.random(3000) < 0.9
    ours = Bm25([block(documents, alive=alive)])
    queries = [random.zipf(1.3, 5).astype(str).tolist() for _ in range(200)]
    whole = [ours.search(query, k) for query in queries]

    looked_up = []
    complete = Bm25._complete
    monkeypatch.setattr(Bm25, "_complete", lambda *given: looked_up.append(1) or complete(*given))
    monkeypatch.setattr(kosim.index.lexical.bm25, "_LONG", 1)
    monkeypatch.setattr(kosim.index.lexical.bm25, "_LOOKUP", 1)
    for query, (scores, places) in zip(queries, whole, strict=True):
        skipped_scores, skipped_places = ours.search(query, k)
        assert np.array_equal(scores, skipped_scores)
        assert np.array_equal(places, skipped_places)
    assert looked_up


def test_equal_documents_are_ordered_by_place():
    documents = [["산", "강"], ["물"], ["강", "산"], ["산", "강"], ["물"], ["강", "산"]]
    _, places = Bm25(blocks(documents, 3)).search(["산", "강"], 3)
    assert places.tolist() == [0, 2, 3]


def test_the_order_of_a_query_does_not_matter():
    documents = made_up(200, seed=7)
    ours, query = Bm25([block(documents)]), [*NOUNS[:6], "산"]
    forwards, backwards = ours.search(query, 50), ours.search(query[::-1], 50)
    assert np.array_equal(forwards[0], backwards[0])
    assert np.array_equal(forwards[1], backwards[1])


def test_removed_documents_are_no_hits_but_count_in_the_statistics():
    documents = [["산"], ["산", "강"], ["강"], ["물"]]
    scores, places = Bm25([block(documents, alive=[False, True, True, True])]).search(["산"], 4)
    assert places.tolist() == [1]
    assert scores == pytest.approx(naive(documents, ["산"])[[1]])


def test_removed_documents_leave_room_for_others():
    documents = [["산"]] * 10
    alive = [False] * 5 + [True] * 5
    _, places = Bm25([block(documents, alive=alive)]).search(["산"], 3)
    assert places.tolist() == [5, 6, 7]


@pytest.mark.parametrize("query", [[], ["없다"]])
def test_a_query_without_known_terms_finds_nothing(query):
    scores, places = Bm25([block([["산"]])]).search(query, 3)
    assert len(scores) == len(places) == 0


@pytest.mark.parametrize("documents", [[], [[]], [[], []]])
def test_documents_without_terms_are_never_found(documents):
    scores, _ = Bm25([block(documents)]).search(["산"], 3)
    assert len(scores) == 0
