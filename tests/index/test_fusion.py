import numpy as np
import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.index.ranking import reciprocal_rank_fusion


def ranking(*rows):
    return np.array(rows, dtype=np.int64)


def test_scores_are_sums_of_reciprocal_ranks():
    scores, places = reciprocal_rank_fusion([ranking([7, 3]), ranking([3, 5])], 3)
    assert places.tolist() == [[3, 7, 5]]
    assert scores[0] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62], rel=1e-6)


def test_ties_go_to_the_better_best_rank():
    # With a constant of 0: 1/2 for place 9 alone, 1/3 + 1/6 for place 4.
    first = ranking([1, 9, 4, -1, -1, -1])
    second = ranking([2, -1, -1, -1, -1, 4])
    scores, places = reciprocal_rank_fusion([first, second], 4, constant=0)
    assert places.tolist() == [[1, 2, 9, 4]]
    assert scores[0] == pytest.approx([1, 1, 1 / 2, 1 / 2])


def test_further_ties_go_to_the_smaller_place():
    _, places = reciprocal_rank_fusion([ranking([8, 2]), ranking([2, 8]), ranking([5, 6])], 4)
    assert places.tolist() == [[2, 8, 5, 6]]


def test_the_order_of_the_rankings_does_not_matter():
    random = np.random.default_rng(0)
    rankings = [np.stack([random.permutation(50)[:20] for _ in range(5)]) for _ in range(4)]
    forwards = reciprocal_rank_fusion(rankings, 30)
    backwards = reciprocal_rank_fusion(rankings[::-1], 30)
    assert np.array_equal(forwards[0], backwards[0])
    assert np.array_equal(forwards[1], backwards[1])


def test_equals_a_double_loop():
    random = np.random.default_rng(1)
    rankings = [np.stack([random.permutation(12)[:width] for _ in range(6)]) for width in (3, 8)]
    rankings[1][2, 4:] = -1
    scores, places = reciprocal_rank_fusion(rankings, 10, constant=3)
    for query in range(6):
        sums, best = {}, {}
        for rows in rankings:
            for rank, place in enumerate(rows[query].tolist(), start=1):
                if place != -1:
                    sums[place] = sums.get(place, 0) + 1 / (3 + rank)
                    best[place] = min(best.get(place, rank), rank)
        expected = sorted(sums, key=lambda place: (-round(sums[place], 12), best[place], place))
        found = places[query][places[query] >= 0].tolist()
        assert found == expected[:10]
        assert scores[query][: len(found)] == pytest.approx([sums[place] for place in found])


def test_missing_places_are_ignored_and_fill_the_rest():
    scores, places = reciprocal_rank_fusion([ranking([-1, 4], [-1, -1])], 2)
    assert places.tolist() == [[4, -1], [-1, -1]]
    assert scores[0].tolist() == [pytest.approx(1 / 62), -np.inf]
    assert scores[1].tolist() == [-np.inf, -np.inf]


def test_rankings_may_differ_in_length_and_be_empty():
    empty = np.zeros((1, 0), dtype=np.int64)
    _, places = reciprocal_rank_fusion([empty, ranking([3, 1])], 1)
    assert places.tolist() == [[3]]


def test_no_queries_give_no_rows():
    scores, places = reciprocal_rank_fusion([np.zeros((0, 5), dtype=np.int64)], 3)
    assert scores.shape == places.shape == (0, 3)


@pytest.mark.parametrize("k", [0, -1])
def test_a_k_below_1_is_refused(k):
    with pytest.raises(ConfigError, match=f"k is {k}"):
        reciprocal_rank_fusion([ranking([1])], k)


def test_a_negative_constant_is_refused():
    with pytest.raises(ConfigError, match="-1"):
        reciprocal_rank_fusion([ranking([1])], 1, constant=-1)


def test_no_ranking_is_refused():
    with pytest.raises(DataError, match="no ranking"):
        reciprocal_rank_fusion([], 1)


def test_different_numbers_of_queries_are_refused():
    with pytest.raises(DataError, match=r"\(1, 1\), \(2, 1\)"):
        reciprocal_rank_fusion([ranking([1]), ranking([1], [2])], 1)


def test_a_row_twice_in_a_ranking_is_refused():
    with pytest.raises(DataError, match="row 6 twice for query 1"):
        reciprocal_rank_fusion([ranking([1, 2], [6, 6])], 1)
