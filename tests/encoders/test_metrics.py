import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from kosim.encoders.errors import DataError, UndefinedMetricError
from kosim.encoders.metrics import (
    best_f1_threshold,
    f1,
    nearly_constant,
    pearson,
    precision,
    recall,
    spearman,
)

GENERATOR = np.random.default_rng(7)
LABELS = GENERATOR.integers(0, 36, 200) / 7
SCORES = np.round(LABELS + GENERATOR.normal(0, 1, 200), 1)


def test_pearson_is_scipys():
    assert pearson(LABELS, SCORES) == pytest.approx(stats.pearsonr(LABELS, SCORES).statistic)


def test_pearson_of_a_line_is_one():
    assert pearson(LABELS, 2 * LABELS + 1) == pytest.approx(1.0, abs=1e-15)


def test_pearson_stays_exact_far_from_zero():
    assert pearson(LABELS, SCORES + 1e8) == pytest.approx(pearson(LABELS, SCORES), abs=1e-6)


def test_spearman_with_ties_is_scipys():
    assert spearman(LABELS, SCORES) == pytest.approx(stats.spearmanr(LABELS, SCORES).statistic)


@pytest.mark.parametrize("correlation", [pearson, spearman])
@pytest.mark.parametrize(
    ("labels", "scores", "name"),
    [([1, 1, 1, 1], [1, 2, 3, 4], "labels"), ([1, 2, 3, 4], [0.1 + 0.2] * 4, "scores")],
)
def test_a_constant_has_no_correlation(correlation, labels, scores, name):
    with pytest.raises(UndefinedMetricError, match=f"the {name} are constant"):
        correlation(labels, scores)


def test_two_pairs_have_no_correlation():
    with pytest.raises(UndefinedMetricError, match="at least 3 pairs"):
        pearson([1, 2], [1, 2])


def test_a_value_that_is_not_finite_is_named():
    with pytest.raises(DataError, match="score nan of pair 2"):
        pearson([1, 2, 3], [1, 2, np.nan])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"\(3,\).*\(1, 2\)"):
        pearson([1, 2, 3], [1, 2])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (f1, sklearn_metrics.f1_score),
        (precision, sklearn_metrics.precision_score),
        (recall, sklearn_metrics.recall_score),
    ],
)
@pytest.mark.parametrize("threshold", [2.0, 3.0, 4.5])
def test_decisions_are_scikit_learns(ours, theirs, threshold):
    assert ours(LABELS, SCORES, threshold=threshold) == pytest.approx(
        theirs(LABELS >= 3.0, threshold <= SCORES)
    )


def test_the_thresholds_themselves_are_similar():
    assert f1([3.0, 0.0], [3.0, 0.0]) == 1.0


def test_f1_of_finding_nothing_is_zero():
    assert f1([5.0, 0.0], [0.0, 0.0]) == 0.0


@pytest.mark.parametrize("metric", [f1, recall, best_f1_threshold])
def test_nothing_to_find_is_undefined(metric):
    with pytest.raises(UndefinedMetricError, match="no label reaches 3"):
        metric([0.0, 1.0, 2.0], [3.0, 4.0, 5.0])


def test_precision_of_finding_nothing_is_undefined():
    with pytest.raises(UndefinedMetricError, match="no score reaches 3"):
        precision([5.0, 0.0], [0.0, 0.0])


@pytest.mark.parametrize("seed", range(20))
def test_no_threshold_beats_the_best_one(seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 6, 30).astype(float)
    scores = np.round(labels + generator.normal(0, 1.5, 30), 1)
    best = f1(labels, scores, threshold=best_f1_threshold(labels, scores))
    tried = np.concatenate([scores, scores - 1e-9])
    assert best == pytest.approx(max(f1(labels, scores, threshold=t) for t in tried))


def test_the_best_threshold_is_the_middle_of_its_plateau():
    assert best_f1_threshold([0, 0, 5, 5], [1.0, 2.0, 4.0, 4.5]) == 3.0


def test_of_equal_plateaus_the_widest_counts():
    # Above 4 and above 1 both have F1 = 2/3; the gap below 4 is 2 wide, that below 1 is 0.5.
    labels, scores = [5, 0, 0, 5, 0], [4.0, 2.0, 1.5, 1.0, 0.5]
    assert f1(labels, scores, threshold=3.0) == f1(labels, scores, threshold=0.75)
    assert best_f1_threshold(labels, scores) == 3.0


def test_calling_all_similar_gives_the_lowest_score():
    assert best_f1_threshold([5, 5, 5], [1.0, 2.0, 3.0]) == 1.0


def test_between_neighbouring_floats_the_upper_one_decides():
    upper = np.nextafter(1.0, 2.0)
    assert f1([0, 5], [1.0, upper], threshold=best_f1_threshold([0, 5], [1.0, upper])) == 1.0


@pytest.mark.parametrize(("spread", "same"), [(2**-22, True), (1e-4, False), (0.0, True)])
def test_values_within_float32s_rounding_are_nearly_constant(spread, same):
    cosines = np.linspace(0.9999998 - spread, 0.9999998, 50).astype(np.float32)
    assert nearly_constant(cosines) == same
