import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from kosim.encoders.errors import ConfigError, UndefinedMetricError
from kosim.experiments.statistics.paired_tests import McNemar, mcnemar_midp, williams

GENERATOR = np.random.default_rng(5)


def decided(only_first: int, only_second: int, both: int = 10):
    """Positive pairs, found by both encoders, by the first only, and by the second only."""
    labels = np.full(both + only_first + only_second, 5.0)
    first, second = labels.copy(), labels.copy()
    first[both + only_first :] = 0.0
    second[both : both + only_first] = 0.0
    return labels, first, second


def test_mid_p_of_the_published_example():
    # Fagerland, Lydersen & Laake (2013), airway hyper-responsiveness: 1 and 7 discordant.
    found = mcnemar_midp(*decided(7, 1))
    assert (found.only_first_right, found.only_second_right) == (7, 1)
    assert found.p_value == pytest.approx(0.039, abs=5e-4)


@pytest.mark.parametrize(("first", "second"), [(3, 9), (20, 10), (5, 0)])
def test_mid_p_is_the_exact_test_less_the_split_itself(first, second):
    exact = mcnemar([[10, first], [second, 0]], exact=True).pvalue
    split = stats.binom.pmf(first, first + second, 0.5)
    assert mcnemar_midp(*decided(first, second)).p_value == pytest.approx(exact - split)


@pytest.mark.parametrize("count", [0, 1, 6])
def test_an_even_split_has_p_one(count):
    found = mcnemar_midp(*decided(count, count))
    assert found == McNemar(count, count, pytest.approx(1.0))


def test_seeds_of_one_encoder_decide_together():
    labels, first, second = decided(7, 1)
    seeds = np.stack([first, first + 0.4, first - 0.4])
    assert mcnemar_midp(labels, seeds, second) == mcnemar_midp(labels, first, second)


def test_each_encoder_has_its_thresholds():
    labels, first, second = decided(7, 1)
    moved = mcnemar_midp(labels, first + 1, second, thresholds_first=4.0)
    assert moved == mcnemar_midp(labels, first, second)


def test_thresholds_must_fit_the_seeds():
    with pytest.raises(ConfigError, match="2 thresholds for 1 seeds"):
        mcnemar_midp(*decided(2, 1), thresholds_second=[3.0, 3.0])


def test_williams_is_steigers_equation():
    x, e, f = GENERATOR.normal(size=(3, 103))
    y, z = x + e, x + 0.5 * e + f
    r = np.corrcoef([x, y, z])
    mean = (r[0, 1] + r[0, 2]) / 2
    expected = (r[0, 1] - r[0, 2]) * np.sqrt(
        102 * (1 + r[1, 2]) / (2 * 102 / 100 * np.linalg.det(r) + mean**2 * (1 - r[1, 2]) ** 3)
    )
    found = williams(x, y, z)
    assert found.statistic == pytest.approx(expected)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(expected), 100))


def test_williams_raises_its_share_of_false_alarms_on_normal_data():
    x, e, f, g = GENERATOR.normal(size=(4, 1500, 60))
    alarms = [williams(x[i], x[i] + e[i] + f[i], x[i] + e[i] + g[i]).p_value for i in range(1500)]
    assert np.mean(np.array(alarms) <= 0.05) == pytest.approx(0.05, abs=0.02)


def test_williams_of_identical_encoders_is_one():
    x, y = GENERATOR.normal(size=(2, 30))
    assert williams(x, y, 3 * y + 1).p_value == 1.0


def test_williams_of_a_turned_sign_is_undefined():
    x, y = GENERATOR.normal(size=(2, 30))
    with pytest.raises(UndefinedMetricError, match="sign turned"):
        williams(x, y, -y)


def test_williams_needs_four_pairs():
    with pytest.raises(UndefinedMetricError, match="at least 4"):
        williams([1, 2, 3], [1, 2, 4], [1, 3, 2])
