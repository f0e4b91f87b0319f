import json

import numpy as np
import pytest

from kosim.encoders.errors import DataError, UndefinedMetricError
from kosim.encoders.metrics import pearson
from kosim.experiments.statistics.ceiling import split_half_reliability

GENERATOR = np.random.default_rng(2)


def annotate(counts, noise=1.0):
    truth = GENERATOR.normal(0, 1, len(counts))
    return truth, [t + GENERATOR.normal(0, noise, c) for t, c in zip(truth, counts, strict=True)]


@pytest.mark.parametrize("count", [2, 6])
def test_reliability_is_the_true_share_of_the_variance(count):
    _, annotations = annotate([count] * 20_000)
    found = split_half_reliability(annotations, splits=5)
    assert found.reliability == pytest.approx(1 / (1 + 1 / count), abs=0.01)


def test_the_ceiling_is_what_a_perfect_model_reaches():
    truth, annotations = annotate(GENERATOR.integers(5, 8, 20_000))
    labels = [given.mean() for given in annotations]
    found = split_half_reliability(annotations, splits=5)
    assert found.best_pearson == pytest.approx(pearson(labels, truth), abs=0.005)


def test_spearman_brown_doubles_the_length():
    found = split_half_reliability(annotate([6] * 300)[1], splits=20)
    assert found.reliability == pytest.approx(2 * found.split_half / (1 + found.split_half))
    assert found.best_pearson == pytest.approx(np.sqrt(found.reliability))


def test_annotators_who_agree_leave_no_noise():
    found = split_half_reliability([[0, 0, 0], [5, 5], [2, 2, 2, 2]], splits=3)
    assert (found.split_half, found.best_pearson) == pytest.approx((1.0, 1.0))


def test_a_seed_reproduces():
    annotations = annotate([5] * 50)[1]
    first, again = (split_half_reliability(annotations, splits=9, seed=4) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("given", [[3], [], [1, float("nan")]])
def test_a_pair_that_cannot_be_split_is_named(given):
    with pytest.raises(DataError, match="pair 1 has the annotations"):
        split_half_reliability([[1, 2], given, [3, 4]])


def test_annotators_who_disagree_have_no_reliability():
    with pytest.raises(UndefinedMetricError, match="no reliability"):
        split_half_reliability([[0, 5]] * 50, splits=10)


def test_too_few_pairs_are_undefined():
    with pytest.raises(UndefinedMetricError, match="at least 3 pairs"):
        split_half_reliability([[0, 1], [4, 5]])


@pytest.mark.shared
def test_klues_ceiling_is_above_the_best_models(shared):
    rows = json.loads((shared / "data/klue-sts/klue-sts-v1.1_dev.json").read_text("utf-8"))
    found = split_half_reliability([row["annotations"]["annotations"] for row in rows], splits=200)
    assert 0.96 < found.best_pearson < 0.99
