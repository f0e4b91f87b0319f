import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error

from kosim.encoders import metrics
from kosim.encoders.errors import ConfigError, UndefinedMetricError
from kosim.experiments.statistics.influence import (
    F1,
    Mean,
    MeanError,
    Pearson,
    Precision,
    Recall,
    Spearman,
)

N = 60
GENERATOR = np.random.default_rng(3)
LABELS = GENERATOR.integers(0, 36, N) / 7
SCORES = np.stack(
    [LABELS + GENERATOR.normal(0, 1, N), np.round(LABELS + GENERATOR.normal(0, 1, N), 1)]
)
WEIGHTS = GENERATOR.multinomial(N, np.full(N, 1 / N), size=4).astype(float)
ALL = [
    (Pearson(), metrics.pearson),
    (Spearman(), metrics.spearman),
    (F1(), metrics.f1),
    (Precision(), metrics.precision),
    (Recall(), metrics.recall),
    (Mean(), lambda labels, scores: scores.mean()),
    (MeanError(), mean_absolute_error),
]
IDS = [type(metric).__name__ for metric, _ in ALL]


@pytest.mark.parametrize(("metric", "plain"), ALL, ids=IDS)
def test_weights_are_repetitions(metric, plain):
    values, _ = metric.prepare(LABELS, SCORES[1:])(WEIGHTS)
    for value, counts in zip(values, WEIGHTS.astype(int), strict=True):
        assert value == pytest.approx(
            plain(np.repeat(LABELS, counts), np.repeat(SCORES[1], counts)), abs=1e-12
        )


@pytest.mark.parametrize(("metric", "plain"), ALL, ids=IDS)
def test_several_seeds_are_their_mean(metric, plain):
    values, _ = metric.prepare(LABELS, SCORES)(np.ones((1, N)))
    assert values[0] == pytest.approx(np.mean([plain(LABELS, row) for row in SCORES]))


@pytest.mark.parametrize(("metric", "_"), ALL, ids=IDS)
def test_influence_is_the_derivative_by_a_pairs_share(metric, _):
    evaluate = metric.prepare(LABELS, SCORES)
    _, influence = evaluate(WEIGHTS)
    step = 1e-6
    for pair in range(0, N, 7):
        towards = np.zeros((1, N))
        towards[0, pair] = N
        more, _ = evaluate((1 - step) * WEIGHTS + step * towards)
        less, _ = evaluate((1 + step) * WEIGHTS - step * towards)
        assert influence[:, pair] == pytest.approx((more - less) / (2 * step), abs=1e-6)


@pytest.mark.parametrize(("metric", "_"), ALL, ids=IDS)
def test_influences_sum_to_zero(metric, _):
    _, influence = metric.prepare(LABELS, SCORES)(WEIGHTS)
    assert np.sum(WEIGHTS * influence, axis=1) == pytest.approx(0, abs=1e-9)


def test_each_seed_has_its_own_threshold():
    values, _ = F1([2.0, 4.0]).prepare(LABELS, SCORES)(np.ones((1, N)))
    apart = [metrics.f1(LABELS, row, threshold=t) for row, t in zip(SCORES, [2, 4], strict=True)]
    assert values[0] == pytest.approx(np.mean(apart))


def test_thresholds_must_fit_the_seeds():
    with pytest.raises(ConfigError, match="3 thresholds for 2 seeds"):
        F1([1.0, 2.0, 3.0]).prepare(LABELS, SCORES)


@pytest.mark.parametrize("metric", [Pearson(), Spearman()])
def test_a_resample_of_equal_labels_is_undefined(metric):
    labels = np.array([1.1, 1.1, 1.1, 2.0])
    values, _ = metric.prepare(labels, labels[None] ** 2 + np.arange(4))(np.array([[2.0, 1, 1, 0]]))
    assert np.isnan(values[0])


def test_a_resample_without_positives_is_undefined():
    values, _ = F1().prepare(np.array([0.0, 5.0]), np.array([[0.0, 5.0]]))(np.array([[2.0, 0]]))
    assert np.isnan(values[0])


def test_precision_without_a_decision_is_undefined():
    with pytest.raises(UndefinedMetricError, match="no score reaches 9"):
        Precision(9.0).prepare(LABELS, SCORES)
