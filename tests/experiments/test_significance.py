import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower

from kosim.encoders.errors import ConfigError, UndefinedMetricError
from kosim.experiments.statistics.significance import (
    F1,
    Difference,
    Estimate,
    Pearson,
    Precision,
    Recall,
    Spearman,
    difference,
    estimate,
    holm,
    pairs_needed,
)

N = 519
GENERATOR = np.random.default_rng(11)
LABELS = np.clip(GENERATOR.normal(2.5, 1.5, N), 0, 5)
COMMON = GENERATOR.normal(0, 0.5, N)
GOOD = LABELS + COMMON + GENERATOR.normal(0, 0.4, N)
FAIR = LABELS + COMMON + GENERATOR.normal(0, 0.7, N)
ALL = [Pearson(), Spearman(), F1(), Precision(), Recall()]
FEW = {"resamples": 1999}


def test_pearsons_interval_of_normal_data_is_fishers():
    generator = np.random.default_rng(0)
    x, noise = generator.normal(size=(2, 4000))
    found = estimate(x, 0.9 * x + np.sqrt(1 - 0.81) * noise, Pearson(), **FEW)
    z, half = np.arctanh(found.value), 1.96 / np.sqrt(4000 - 3)
    assert (found.low, found.high) == pytest.approx(
        (np.tanh(z - half), np.tanh(z + half)), abs=1e-3
    )


def test_recalls_interval_is_near_wilsons():
    found = estimate(LABELS, GOOD, Recall(), **FEW)
    actual = int(np.sum(LABELS >= 3))
    wilson = stats.binomtest(round(found.value * actual), actual).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=0.01)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: type(metric).__name__)
def test_the_value_lies_within_its_interval(metric):
    found = estimate(LABELS, GOOD, metric, **FEW)
    assert metric.bounds[0] <= found.low < found.value < found.high <= metric.bounds[1]


def test_a_higher_level_is_wider():
    narrow, wide = (estimate(LABELS, GOOD, Pearson(), level=p, **FEW) for p in (0.9, 0.99))
    assert wide.low < narrow.low
    assert narrow.high < wide.high


def test_pearsons_interval_does_not_see_the_scale():
    plain = estimate(LABELS, GOOD, Pearson(), **FEW)
    scaled = estimate(LABELS, 20 * GOOD - 1000, Pearson(), **FEW)
    assert (scaled.low, scaled.high) == pytest.approx((plain.low, plain.high))


def test_spearmans_interval_sees_only_the_order():
    plain = estimate(LABELS, GOOD, Spearman(), **FEW)
    assert estimate(LABELS, np.exp(GOOD), Spearman(), **FEW) == plain


@pytest.mark.parametrize("metric", [Pearson(), Spearman()])
def test_a_perfect_correlation_has_no_doubt(metric):
    found = estimate(LABELS, LABELS, metric, **FEW)
    assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("metric", [Precision(), Recall()])
@pytest.mark.parametrize("right", [True, False])
def test_decisions_without_exception_have_the_exact_binomial_interval(metric, right):
    labels = np.array([5.0] * 12 + [0.0] * 12)
    found = estimate(labels, labels if right else 5 - labels, metric, **FEW)
    exact = stats.binomtest(12 if right else 0, 12).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_a_perfect_f1_is_not_beyond_doubt():
    labels = np.array([5.0] * 12 + [0.0] * 12)
    share = stats.binomtest(12, 12).proportion_ci(method="exact").low
    found = estimate(labels, labels, F1(), **FEW)
    assert found == Estimate(1.0, pytest.approx(2 * share / (1 + share)), 1.0)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: type(metric).__name__)
def test_copies_of_a_seed_are_not_more_data(metric):
    once = estimate(LABELS, GOOD, metric, **FEW)
    thrice = estimate(LABELS, np.stack([GOOD] * 3), metric, **FEW)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_seeds_that_err_apart_narrow_the_interval_less_than_more_pairs_would():
    rows = LABELS + GENERATOR.normal(0, 0.8, (4, N))
    one, four = (estimate(LABELS, rows[:s], Pearson(), **FEW) for s in (1, 4))
    assert (one.high - one.low) / 2 < four.high - four.low < one.high - one.low


def test_the_same_seed_gives_the_same_interval():
    first, again = (estimate(LABELS, GOOD, F1(), resamples=99, seed=3) for _ in range(2))
    assert isinstance(first, Estimate)
    assert first == again


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: type(metric).__name__)
def test_identical_encoders_do_not_differ(metric):
    assert difference(LABELS, GOOD, GOOD, metric, **FEW) == Difference(0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: type(metric).__name__)
def test_a_difference_turns_its_sign_with_its_order(metric):
    there = difference(LABELS, GOOD, FAIR, metric, **FEW)
    back = difference(LABELS, FAIR, GOOD, metric, **FEW)
    assert (back.value, back.low, back.high) == pytest.approx(
        (-there.value, -there.high, -there.low)
    )
    assert back.p_value == there.p_value


def test_a_clear_difference_is_found():
    found = difference(LABELS, GOOD, FAIR, Pearson(), **FEW)
    assert found.low > 0
    assert found.p_value == pytest.approx(1 / 2000)


def test_pairing_narrows_the_difference():
    found = difference(LABELS, GOOD, FAIR, Pearson(), **FEW)
    apart = [estimate(LABELS, scores, Pearson(), **FEW) for scores in (GOOD, FAIR)]
    assert found.high - found.low < 0.8 * np.hypot(*[one.high - one.low for one in apart])


def test_each_encoder_may_have_its_own_threshold():
    moved = difference(LABELS, GOOD, GOOD + 1, F1(3.0), F1(4.0), **FEW)
    assert moved == Difference(0.0, 0.0, 0.0, 1.0)


def test_encoders_may_have_unlike_numbers_of_seeds():
    found = difference(LABELS, np.stack([GOOD, GOOD]), FAIR, Pearson(), **FEW)
    assert found == pytest.approx(difference(LABELS, GOOD, FAIR, Pearson(), **FEW), abs=1e-12)


def test_a_handful_of_decisions_proves_nothing():
    labels = np.array([5.0] * 20 + [0.0] * 20)
    better = labels.copy()
    better[0] = 0.0
    worse = better.copy()
    worse[[1, 2]] = 0.0
    assert difference(labels, better, worse, F1(), **FEW).p_value > 0.1


def test_without_positives_f1_says_why():
    with pytest.raises(UndefinedMetricError, match="no label reaches 3"):
        estimate(np.array([0.0, 1, 2]), np.array([1.0, 2, 3]), F1())


def test_a_constant_says_why():
    with pytest.raises(UndefinedMetricError, match="scores are constant"):
        difference(LABELS, GOOD, np.ones(N), Pearson())


@pytest.mark.parametrize(
    "p_values", [[], [0.01], [0.04, 0.01, 0.03], [0.5, 0.9, 0.6], [0.02, 0.02, 0.02]]
)
def test_holm_is_statsmodels(p_values):
    theirs = multipletests(p_values, method="holm")[1] if p_values else []
    assert holm(p_values) == pytest.approx(list(theirs))


def test_pairs_needed_is_the_power_calculation():
    error = 0.005
    found = Difference(0.01, 0.01 - 1.959964 * error, 0.01 + 1.959964 * error, 0.05)
    effect = 0.01 / (error * np.sqrt(N))
    theirs = NormalIndPower().solve_power(effect, alpha=0.05, power=0.8, ratio=0)
    assert pairs_needed(found, N) == pytest.approx(theirs, abs=1)


def test_no_number_of_pairs_shows_what_is_not_there():
    assert pairs_needed(Difference(0.0, -0.01, 0.01, 1.0), N) is None


def test_a_power_of_one_is_refused():
    with pytest.raises(ConfigError, match="power is 1;"):
        pairs_needed(Difference(0.01, 0.0, 0.02, 0.05), N, power=1.0)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: type(metric).__name__)
def test_copies_of_pairs_add_no_certainty(metric):
    """40 pairs, each 20 times in any order, have the interval and the p-value of the 40."""
    rows = np.random.default_rng(3).permutation(np.tile(np.arange(40), 20))
    few, many = (LABELS[:40], GOOD[:40], FAIR[:40]), (LABELS[rows], GOOD[rows], FAIR[rows])
    once = estimate(*few[:2], metric, **FEW)
    together = estimate(*many[:2], metric, copies=rows, **FEW)
    assert vars(together) == pytest.approx(vars(once))
    apart = estimate(*many[:2], metric, **FEW)
    assert apart.high - apart.low < 0.5 * (once.high - once.low)
    gap, gap_of_copies = (
        difference(*few, metric, **FEW),
        difference(*many, metric, copies=rows, **FEW),
    )
    assert gap_of_copies.low == pytest.approx(gap.low)
    assert gap_of_copies.p_value == pytest.approx(gap.p_value)


def test_copies_of_some_pairs_weigh_as_in_a_plain_bootstrap_of_whole_groups():
    """Against the percentiles of resampled groups, one of three copies and the rest of one."""
    copies = np.concatenate([np.repeat(np.arange(100), 3), np.arange(100, 319)])
    labels, scores = LABELS[copies], GOOD[copies]
    generator = np.random.default_rng(0)
    members = [np.flatnonzero(copies == group) for group in range(319)]
    drawn = [
        stats.pearsonr(labels[rows], scores[rows]).statistic
        for rows in (
            np.concatenate([members[g] for g in generator.integers(0, 319, 319)])
            for _ in range(1000)
        )
    ]
    found = estimate(labels, scores, Pearson(), copies=copies, **FEW)
    assert (found.low, found.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.006)
    assert vars(estimate(LABELS, GOOD, Pearson(), copies=np.arange(N), **FEW)) == vars(
        estimate(LABELS, GOOD, Pearson(), **FEW)
    )
