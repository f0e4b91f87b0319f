import numpy as np
import pytest

from kosim.encoders.errors import ConfigError, UndefinedMetricError
from kosim.experiments.statistics.influence import Pearson
from kosim.experiments.statistics.resampling import Bootstrap, bootstrap, resample_weights

DATA = np.random.default_rng(1).exponential(size=40)


def mean(weights):
    values = weights @ DATA / weights.shape[1]
    return values, DATA - values[:, None]


def test_every_resample_draws_n_pairs():
    blocks = list(resample_weights(519, 1000, seed=0))
    assert len(blocks) > 1
    weights = np.concatenate(blocks)
    assert weights.shape == (1000, 519)
    assert (weights.sum(axis=1) == 519).all()


def test_weights_have_the_multinomial_variance():
    weights = np.concatenate(list(resample_weights(50, 20_000, seed=0)))
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.05)
    assert weights.var() == pytest.approx(1 - 1 / 50, abs=0.02)


def test_a_seed_reproduces_and_another_does_not():
    first, again, other = (next(resample_weights(9, 5, seed=seed)) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_the_standard_error_of_a_mean_is_the_known_one():
    drawn = bootstrap(mean, len(DATA), resamples=99, seed=0)
    squares = (DATA - DATA.mean()) ** 2
    assert drawn.value == pytest.approx(DATA.mean())
    assert drawn.error == pytest.approx(np.sqrt(squares.sum() + squares.max() / 2) / len(DATA))


def test_the_ratios_are_those_of_a_plain_loop():
    drawn = bootstrap(mean, len(DATA), resamples=20, seed=5)
    half = np.max((DATA - DATA.mean()) ** 2) / 2
    weights = np.concatenate(list(resample_weights(len(DATA), 20, seed=5)))
    for ratio, counts in zip(drawn.ratios, weights.astype(int), strict=True):
        resample = np.repeat(DATA, counts)
        error = np.sqrt(np.sum((resample - resample.mean()) ** 2) + half) / len(DATA)
        assert ratio == pytest.approx((resample.mean() - DATA.mean()) / error)


def test_the_skewed_interval_takes_the_opposite_tails():
    ratios = np.arange(-30.0, 9.0)
    low, high = Bootstrap(1.0, 0.1, ratios).skewed_interval(0.95)
    assert (low, high) == pytest.approx((1 - 0.8, 1 + 3.0))


def test_the_symmetric_interval_takes_the_size():
    low, high = Bootstrap(1.0, 0.1, np.arange(-30.0, 9.0)).symmetric_interval(0.95)
    assert (low, high) == pytest.approx((1 - 2.9, 1 + 2.9))


@pytest.mark.parametrize("value", np.linspace(-0.4, 0.4, 33))
def test_interval_and_p_value_agree(value):
    drawn = Bootstrap(value, 0.1, np.random.default_rng(2).standard_t(5, size=399))
    low, high = drawn.symmetric_interval(0.95)
    assert (drawn.p_value() <= 0.05) == (not low <= 0 <= high)


def test_what_does_not_vary_has_no_width():
    def constant(weights):
        return np.full(len(weights), 0.5), np.zeros(weights.shape)

    drawn = bootstrap(constant, 10, resamples=99, seed=0)
    assert drawn.symmetric_interval(0.95) == drawn.skewed_interval(0.95) == (0.5, 0.5)
    assert drawn.p_value() == 0.01


def test_too_few_resamples_for_the_level_are_refused():
    drawn = bootstrap(mean, len(DATA), resamples=38, seed=0)
    with pytest.raises(ConfigError, match="at least 39"):
        drawn.skewed_interval(0.95)


def test_just_enough_resamples_are_accepted():
    low, high = bootstrap(mean, len(DATA), resamples=39, seed=0).skewed_interval(0.95)
    assert low < DATA.mean() < high


def test_too_many_undefined_resamples_are_refused():
    evaluate = Pearson().prepare(np.array([0.0, 0, 0, 5]), np.array([[1.0, 2, 3, 4]]))
    with pytest.raises(UndefinedMetricError, match="of 1000 resamples of these 4 pairs"):
        bootstrap(evaluate, 4, resamples=1000, seed=0)
