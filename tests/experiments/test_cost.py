"""The projection of measured speeds, against hand-made figures."""

from __future__ import annotations

import pytest

from kosim.experiments.comparison import cost
from kosim.experiments.comparison.results import Cost, EncoderCost

MEASURED = {
    "bi": {
        "sentences_per_second": 100.0,
        "pairs_per_second": 50.0,
        "single_pair_ms": {"p50": 20.0, "p95": 30.0},
        "dimension": 8,
    },
    "cross": {"pairs_per_second": 40.0, "single_pair_ms": {"p50": 25.0, "p95": 30.0}},
}


@pytest.fixture
def projected(monkeypatch: pytest.MonkeyPatch) -> Cost:
    monkeypatch.setattr(cost, "_dot_product_seconds", lambda dimension: 1e-6)
    measured = {name: EncoderCost.model_validate(found) for name, found in MEASURED.items()}
    return cost.project(measured, bi="bi", cross="cross", candidates=100)


def test_all_pairs_of_a_thousand_sentences(projected: Cost) -> None:
    row = next(row for row in projected.corpus if row.sentences == 1_000)
    pairs = 1_000 * 999 / 2
    assert row.all_pairs.cross_seconds == pytest.approx(pairs / 40)
    assert row.all_pairs.bi_seconds == pytest.approx(1_000 / 100 + pairs * 1e-6)
    assert row.extrapolated


def test_a_query_over_ten_thousand_sentences(projected: Cost) -> None:
    row = next(row for row in projected.corpus if row.sentences == 10_000)
    retrieve = 0.010 + 10_000 * 1e-6
    assert row.query.bi_seconds == pytest.approx(retrieve)
    assert row.query.rerank_seconds == pytest.approx(retrieve + 100 / 40)
    assert row.query.cross_seconds == pytest.approx(10_000 / 40)


def test_a_small_corpus_has_no_more_candidates_than_sentences(projected: Cost) -> None:
    row = projected.corpus[0]
    assert row.sentences == 100
    assert row.query.rerank_seconds - row.query.bi_seconds == pytest.approx(100 / 40)


def test_what_is_out_of_reach(projected: Cost) -> None:
    assert projected.out_of_reach.query_one_second == 40
    most = projected.out_of_reach.all_pairs_one_hour
    assert most * (most - 1) / 2 / 40 <= 3600 < (most + 1) * most / 2 / 40


def test_at_break_even_both_routes_take_the_same(projected: Cost) -> None:
    n = projected.break_even.query_sentences
    rerank = lambda size: 0.010 + size * 1e-6 + 100 / 40  # noqa: E731
    assert rerank(n) <= n / 40
    assert rerank(n - 1) > (n - 1) / 40
    n = projected.break_even.all_pairs_sentences
    assert n * 0.01 + n * (n - 1) / 2 * 1e-6 <= n * (n - 1) / 2 / 40
    assert (n - 1) * 0.01 > (n - 1) * (n - 2) / 2 * (1 / 40 - 1e-6)


def test_one_kind_alone_has_no_projection() -> None:
    assert "corpus" not in cost.project({"bi": MEASURED["bi"]}, bi="bi", cross=None, candidates=10)


def test_speed_is_that_of_distinct_pairs() -> None:
    encoder = StubEncoder()
    pairs = [("가", "나"), ("나", "가"), ("다", "라")] * 20
    cost.measure(encoder, pairs)  # type: ignore[arg-type]
    assert [("가", "나"), ("다", "라")] in encoder.scored
    assert max(map(len, encoder.scored)) == 2


class StubEncoder:
    """Keeps what it was asked to score."""

    parameters = 1

    def __init__(self) -> None:
        self.scored: list[list[tuple[str, str]]] = []

    def score(self, pairs: list[tuple[str, str]]) -> None:
        self.scored.append(list(pairs))
