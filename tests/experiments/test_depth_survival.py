"""What a depth loses: by hand on toys, and on the safe side without bias where it is a sample."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from kosim.experiments.retrieval.depth.adaptive import clopper_pearson, padded
from kosim.experiments.retrieval.depth.plan import Band, bands, draw
from kosim.experiments.retrieval.depth.survival import ScoredQuery, measure, smallest_depth
from kosim.experiments.retrieval.metrics import dcg


def as_scores(raw: npt.ArrayLike) -> npt.NDArray[np.float32]:
    return np.asarray(raw, dtype=np.float32)


def query(
    top: list[float], rest: list[float] | None = None, weights: list[float] | None = None
) -> ScoredQuery:
    rest = rest or []
    return ScoredQuery(
        cosines=np.linspace(0.9, 0.1, len(top)),
        raw=np.array(top),
        rest_cosines=np.zeros(len(rest)),
        rest_raw=np.array(rest),
        rest_weights=np.array(weights or [1.0] * len(rest)),
        rest_bands=np.zeros(len(rest), dtype=np.int64),
    )


def test_survival_by_hand() -> None:
    # The best three are 4.5 (third), 4.0 (first) and 3.0 (sixth).
    found = measure(query([4.0, 1.0, 4.5, 2.0, 0.5, 3.0]), as_scores, k=3, depths=[1, 3, 6])
    assert found.hits == 3
    assert found.survivors.tolist() == [0, 1, 1, 2, 2, 2, 3]
    assert found.regret.tolist() == pytest.approx([7.5 / 3, 2.0 / 3, 0.0])


def test_hits_below_the_line_do_not_count() -> None:
    found = measure(query([2.0, 4.0, 2.4, 2.5]), as_scores, k=3, depths=[4])
    assert found.hits == 2
    assert found.survivors.tolist() == [0, 0, 1, 1, 2]


def test_a_document_beyond_the_retrieved_ones_is_a_lost_hit() -> None:
    found = measure(query([4.0, 3.0, 1.0], [3.5, 0.2]), as_scores, k=2, depths=[3])
    # Exhaustively: 4.0 and 3.5; only the first is within any depth.
    assert found.hits == 2
    assert found.survivors.tolist() == [0, 1, 1, 1]
    assert found.regret[0] == pytest.approx(0.5 / 2)


def test_ndcg_is_the_gain_as_a_share_of_the_exhaustive_order() -> None:
    found = measure(query([1.0, 4.0, 3.0]), as_scores, k=2, depths=[1, 2, 3])
    best = dcg(np.array([[4.0, 3.0]]), 2)[0]
    shown = [[1.0, 0.0], [4.0, 1.0], [4.0, 3.0]]
    assert found.ndcg.tolist() == pytest.approx([dcg(np.array([s]), 2)[0] / best for s in shown])


def test_a_drawn_document_is_charged_with_what_it_stands_for() -> None:
    found = measure(query([4.0, 3.0, 1.0], [3.5, 0.2], [20.0, 20.0]), as_scores, k=2, depths=[3])
    assert found.charged == 20
    assert found.survivors[-1] == 2 - 20
    assert found.regret[0] == pytest.approx(20 * 0.5 / 2)


def test_while_the_top_has_room_a_drawn_hit_makes_it_longer() -> None:
    found = measure(query([4.0, 1.0, 1.0], [3.5], [5.0]), as_scores, k=2, depths=[3])
    assert (found.hits, found.survivors[-1]) == (1 + 5, 1)


def test_fewer_documents_than_k_are_all_in_the_top() -> None:
    found = measure(query([4.0, 3.0]), as_scores, k=10, depths=[1, 2])
    assert found.hits == 2
    assert found.regret.tolist() == pytest.approx([0.3, 0.0])
    assert found.ndcg[1] == pytest.approx(1.0)


def exhaustive(top: npt.NDArray[np.float64], rest: npt.NDArray[np.float64]) -> ScoredQuery:
    return query(top.tolist(), rest.tolist())


def test_the_sample_is_without_bias_for_the_charges_and_never_kind_to_a_depth() -> None:
    random = np.random.default_rng(11)
    top, rest = random.uniform(0, 4, 60), np.sort(random.uniform(0, 3.4, 800))[::-1]
    rest[:3] = 3.9, 3.8, 3.7
    made = bands(60, 860, 160)
    depths = [10, 30, 60]
    truth = measure(exhaustive(top, rest), as_scores, k=10, depths=depths)
    tenth = np.sort(top)[-10]
    charged, regrets, gains, kept = [], [], [], []
    for _ in range(3000):
        drawn, weights, numbers = draw(np.arange(800), made, random)
        sample = ScoredQuery(np.zeros(60), top, np.zeros(len(drawn)), rest[drawn], weights, numbers)
        found = measure(sample, as_scores, k=10, depths=depths)
        charged.append(found.charged)
        regrets.append(found.regret)
        gains.append(found.ndcg)
        kept.append(found.survivors[-1] / found.hits)
    beyond = rest[rest > tenth]
    error = np.std(charged) / np.sqrt(3000)
    assert np.mean(charged) == pytest.approx(np.sum(beyond >= 2.5), abs=4 * error)
    alone = measure(exhaustive(top, np.zeros(0)), as_scores, k=10, depths=depths).regret
    expected = alone + np.sum(beyond - tenth) / 10
    spread = np.std(regrets, axis=0) / np.sqrt(3000)
    assert np.all(np.abs(np.mean(regrets, axis=0) - expected) <= 4 * spread + 1e-12)
    assert np.all(np.mean(regrets, axis=0) >= truth.regret - 4 * spread)
    assert np.all(np.mean(gains, axis=0) <= truth.ndcg + 4 * np.std(gains, axis=0) / np.sqrt(3000))
    assert np.mean(kept) <= truth.survivors[-1] / truth.hits + 4 * np.std(kept) / np.sqrt(3000)


def test_bands_cover_all_ranks_and_double() -> None:
    made = bands(100, 10_000, 600)
    assert made[0].start == 100
    assert made[-1].stop == 10_000
    assert all(a.stop == b.start for a, b in itertools.pairwise(made))
    assert all(b.stop == 2 * b.start for b in made[:-1])
    assert sum(band.drawn for band in made) == 600


def test_weights_sum_to_the_documents_they_stand_for() -> None:
    made = bands(50, 5_000, 300)
    drawn, weights, _ = draw(np.arange(4_950), made, np.random.default_rng(0))
    assert weights.sum() == pytest.approx(4_950)
    assert len(set(drawn.tolist())) == len(drawn) == 300


@pytest.mark.parametrize("draws", [None, 900, 5_000])
def test_enough_draws_score_everything(draws: int | None) -> None:
    assert bands(100, 1_000, draws) == [Band(100, 1_000, 900)]


def test_nothing_is_left_beyond_all_documents() -> None:
    assert bands(60, 60, 10) == []


def test_the_smallest_depth_that_keeps_enough() -> None:
    survival = np.array([[0.5, 0.99, 1.0], [0.1, 0.2, 0.3], [1.0, 1.0, 1.0]])
    assert smallest_depth(survival, 0.99).tolist() == [2, 4, 1]


def test_clopper_pearson_has_its_closed_forms_at_the_ends() -> None:
    assert clopper_pearson(0, 20) == (0.0, pytest.approx(1 - 0.025 ** (1 / 20)))
    assert clopper_pearson(20, 20) == (pytest.approx(0.025 ** (1 / 20)), 1.0)
    low, high = clopper_pearson(7, 20)  # R: binom.test(7, 20)
    assert (low, high) == (pytest.approx(0.1539, abs=1e-4), pytest.approx(0.5922, abs=1e-4))


def test_lists_are_filled_up_and_cut() -> None:
    rows = padded([np.array([1.0]), np.array([1.0, 2.0, 3.0])], 2)
    assert rows.tolist() == [[1.0, -np.inf], [1.0, 2.0]]
