"""Retrieval metrics against closed forms, scikit-learn and a naive loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from kosim.encoders.errors import ConfigError
from kosim.experiments.retrieval.metrics import dcg, ndcg, recall, reciprocal_rank

ONE = np.array([[0.0, 0.0, 1.0, 0.0, 1.0]])


def test_recall_is_the_share_that_was_found() -> None:
    assert recall(ONE, [4], 3)[0] == 1 / 4
    assert recall(ONE, [4], 5)[0] == 2 / 4


def test_reciprocal_rank_is_that_of_the_first_relevant_one() -> None:
    assert reciprocal_rank(ONE, 10)[0] == pytest.approx(1 / 3)
    assert reciprocal_rank(ONE, 2)[0] == 0


def test_dcg_discounts_by_the_logarithm_of_the_rank() -> None:
    assert dcg(np.array([[3.0, 2.0, 1.0]]), 3)[0] == pytest.approx(3 + 2 / math.log2(3) + 0.5)


def test_ndcg_of_one_relevant_document_at_rank_r_is_its_discount() -> None:
    for rank in (1, 2, 7):
        gains = np.zeros((1, 10))
        gains[0, rank - 1] = 1
        assert ndcg(gains, np.array([[1.0]]), 10)[0] == pytest.approx(1 / math.log2(rank + 1))


def test_a_perfect_order_has_ndcg_one_and_none_relevant_has_zero() -> None:
    ideal = np.array([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert ndcg(ideal, ideal, 10).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("graded", [False, True])
def test_ndcg_is_that_of_scikit_learn(graded: bool) -> None:
    random = np.random.default_rng(3)
    gains = random.integers(0, 4 if graded else 2, size=(20, 30)).astype(float)
    scores = random.permuted(np.tile(np.arange(30.0), (20, 1)), axis=1)
    ranked = np.take_along_axis(gains, np.argsort(-scores, axis=1), axis=1)
    found = ndcg(ranked, -np.sort(-gains, axis=1), 10)
    expected = [ndcg_score(gains[i : i + 1], scores[i : i + 1], k=10) for i in range(20)]
    assert found == pytest.approx(expected)


def test_all_metrics_agree_with_a_naive_loop() -> None:
    random = np.random.default_rng(5)
    gains = (random.random((40, 25)) < 0.1).astype(float)
    relevant = gains.sum(axis=1).astype(int) + 1
    for row, (line, number) in enumerate(zip(gains, relevant, strict=True)):
        hits = [place for place, gain in enumerate(line, 1) if gain]
        assert recall(gains, relevant, 10)[row] == sum(p <= 10 for p in hits) / number
        first = next((1 / place for place in hits if place <= 10), 0.0)
        assert reciprocal_rank(gains, 10)[row] == first


def test_fewer_documents_than_ranks_are_all_that_count() -> None:
    assert recall(np.array([[1.0]]), [1], 100)[0] == 1
    assert dcg(np.array([[1.0]]), 100)[0] == 1


def test_rank_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="ranks start at 1"):
        recall(ONE, [1], 0)
