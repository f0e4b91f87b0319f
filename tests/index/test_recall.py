"""Recall by hand, and the samples on which depths are calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from kosim.encoders.errors import CorpusIndexError
from kosim.index.vectors.exact import score_rows, search_exactly
from kosim.index.vectors.recall import calibration_samples, recall
from kosim.index.vectors.stored import StoredVectors


@pytest.mark.parametrize(
    ("found", "truth", "expected"),
    [
        ([[1, 2]], [[2, 1]], 1.0),
        ([[1, 2], [3, 4]], [[1, 9], [4, 3]], 0.75),
        ([[1, -1]], [[1, -1]], 1.0),
        ([[-1, -1]], [[1, -1]], 0.0),
        ([[5, 6, 7]], [[7]], 1.0),
        ([[1], [2]], [[-1], [2]], 1.0),
        ([[1], [2]], [[-1], [3]], 0.0),
        ([[3]], [[-1]], 1.0),
    ],
)
def test_recall_by_hand(found: list[list[int]], truth: list[list[int]], expected: float) -> None:
    assert recall(np.array(found), np.array(truth)) == expected


def stored(rows: int) -> StoredVectors:
    vectors = np.random.default_rng(0).normal(size=(rows, 8)).astype(np.float32)
    return StoredVectors(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_samples_are_unit_vectors_with_their_exact_answers() -> None:
    vectors = stored(400)
    for sample in calibration_samples(vectors):
        assert len(sample.queries) == 200
        np.testing.assert_allclose(np.linalg.norm(sample.queries, axis=1), 1, atol=1e-5)
        scores = sample.queries @ vectors.block(0, 400).T
        np.testing.assert_array_equal(sample.truth, np.argsort(-scores, axis=1)[:, :10])


def test_samples_have_no_query_in_common() -> None:
    first, second = calibration_samples(stored(400))
    assert not (first.queries[:, None] == second.queries[None]).all(axis=2).any()


def test_samples_are_the_same_each_time() -> None:
    vectors = stored(50)
    for one, other in zip(calibration_samples(vectors), calibration_samples(vectors), strict=True):
        np.testing.assert_array_equal(one.queries, other.queries)


def test_samples_of_a_single_vector() -> None:
    for sample in calibration_samples(stored(1)):
        np.testing.assert_array_equal(sample.truth, [[0]])


def test_exact_search_over_several_blocks_and_chosen_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kosim.index.vectors.exact._GATHERED", 8 * 4 * 13)
    vectors = stored(100)
    queries = vectors.block(0, 20)
    among = np.arange(3, 100, 2)
    scores = queries @ vectors.take(among).T
    expected = among[np.argsort(-scores, axis=1)[:, :30]]
    np.testing.assert_array_equal(search_exactly(vectors, queries, 30, among), expected)


@pytest.mark.parametrize("row", [-2, 100])
def test_a_row_that_a_damaged_index_names_is_not_read(row: int) -> None:
    vectors = stored(100)
    with pytest.raises(CorpusIndexError, match=f"row.* {row} "):
        score_rows(vectors, vectors.block(0, 2), np.array([[0, 1], [row, -1]]))
