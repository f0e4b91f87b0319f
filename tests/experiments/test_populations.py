import numpy as np
import pytest

from benchmarks.populations import Cell, Klue, Normal
from kosim.encoders.metrics import f1, pearson, spearman


@pytest.mark.parametrize("population", [Normal(), Klue()], ids=["normal", "klue"])
def test_the_truth_is_what_a_very_large_sample_shows(population):
    cell = Cell("", population, 0.85, 0.85, n=400_000, unlike=True)
    labels, first, second = cell.draw(np.random.default_rng(0))
    cut = population.label_threshold
    for scores, truth, at in zip((first, second), cell.truths, cell.thresholds, strict=True):
        assert pearson(labels, scores) == pytest.approx(truth.pearson, abs=0.002)
        assert spearman(labels, scores) == pytest.approx(truth.spearman, abs=0.002)
        assert f1(labels, scores, threshold=at, label_threshold=cut) == pytest.approx(
            truth.f1, abs=0.004
        )


@pytest.mark.parametrize("population", [Normal(), Klue()], ids=["normal", "klue"])
def test_unlike_encoders_have_equal_f1(population):
    cell = Cell("", population, 0.85, 0.85, unlike=True)
    low, high = cell.thresholds
    assert high - low > 0.5
    assert cell.truths[0].f1 == pytest.approx(cell.truths[1].f1)
