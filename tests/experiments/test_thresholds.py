"""Thresholds for a goal against a search over every score; reliability against plain means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score

from kosim.encoders.errors import ConfigError, UndefinedMetricError
from kosim.experiments.cli import main
from kosim.experiments.comparison.evaluation import ScoredContender
from kosim.experiments.comparison.reliability import reliability
from kosim.experiments.settings import EvaluationSettings
from kosim.experiments.statistics.thresholds import Goal, choose_threshold, plateau

PAIRS = st.lists(
    st.tuples(st.sampled_from([0.0, 2.0, 3.0, 5.0]), st.integers(0, 8)), min_size=1, max_size=12
).filter(lambda pairs: any(label >= 3 for label, _ in pairs))


def decided(pairs: list[tuple[float, int]], at: float) -> tuple[list[bool], list[bool]]:
    return [label >= 3 for label, _ in pairs], [score >= at for _, score in pairs]


@settings(deadline=None, max_examples=40)
@given(PAIRS, st.sampled_from([0.3, 0.5, 0.75, 1.0]))
def test_the_threshold_has_the_wanted_precision_and_the_most_recall(pairs, wanted) -> None:
    labels, scores = zip(*pairs, strict=True)
    options = {}
    for at in set(scores):
        actual, said = decided(pairs, at)
        if precision_score(actual, said) >= wanted:
            options[at] = recall_score(actual, said)
    if not options or max(options.values()) == 0:
        with pytest.raises(UndefinedMetricError, match="no threshold has a precision"):
            choose_threshold(labels, scores, Goal("precision", wanted))
        return
    actual, said = decided(pairs, choose_threshold(labels, scores, Goal("precision", wanted)))
    assert precision_score(actual, said) >= wanted
    assert recall_score(actual, said) == max(options.values())


@settings(deadline=None, max_examples=40)
@given(PAIRS, st.sampled_from([0.3, 0.5, 1.0]))
def test_the_threshold_has_the_wanted_recall_and_the_most_precision(pairs, wanted) -> None:
    labels, scores = zip(*pairs, strict=True)
    both = {at: decided(pairs, at) for at in set(scores)}
    best = max(
        precision_score(actual, said)
        for actual, said in both.values()
        if recall_score(actual, said) >= wanted
    )
    actual, said = decided(pairs, choose_threshold(labels, scores, Goal("recall", wanted)))
    assert recall_score(actual, said) >= wanted
    assert precision_score(actual, said) == pytest.approx(best)


@settings(deadline=None, max_examples=40)
@given(PAIRS, st.sampled_from([0.2, 1.0, 5.0]))
def test_the_threshold_costs_least(pairs, false_positive) -> None:
    labels, scores = zip(*pairs, strict=True)

    def cost(at: float) -> float:
        actual, said = decided(pairs, at)
        return sum(
            false_positive * (s and not a) + (a and not s)
            for a, s in zip(actual, said, strict=True)
        )

    chosen = choose_threshold(labels, scores, Goal("cost", false_positive=false_positive))
    assert cost(chosen) == pytest.approx(min(cost(at) for at in [*scores, 99]))


def test_a_goal_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"precision is to be 1\.5"):
        Goal("precision", 1.5)
    with pytest.raises(ConfigError, match="give FALSE:MISSED"):
        Goal.parse_cost("5")
    for cost in ("0:1", "1:-2", "nan:1", "1:inf"):
        with pytest.raises(ConfigError, match="not positive"):
            Goal.parse_cost(cost)
    assert Goal.parse_cost("5:1").false_positive == 5


@pytest.mark.parametrize(
    ("labels", "goal", "said"),
    [
        ([4, 5, 3, 4], ["--cost", "5:1"], "all validation labels of {file} are at least 3"),
        ([0, 1, 2, 2], ["--recall-at-least", "0.5"], "all validation labels of {file} are below 3"),
        ([0, 5, 0, 5], ["--precision-at-least", "1"], "no threshold has a precision of 1"),
    ],
)
def test_validation_pairs_that_give_no_threshold_are_refused_before_the_test(
    tiny_encoders: dict[str, Path], tmp_path: Path, labels: list[int], goal: list[str], said: str
) -> None:
    # The equal sentences score highest, and are labelled lowest where there are both labels.
    pairs = [("방", "방"), ("불 꺼", "줘"), ("문", "문"), ("켜 줘", "방 둘")]
    rows = "".join(f"{a},{b},{label}\n" for (a, b), label in zip(pairs, labels, strict=True))
    file = tmp_path / "validation.csv"
    file.write_text("sentence1,sentence2,label\n" + rows, encoding="utf-8")
    command = ["evaluate", str(tiny_encoders["bi"]), "--test", str(file), "--label-scale", "0:5"]
    result = CliRunner().invoke(main, [*command, "--validation", str(file), *goal])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said.format(file=file) in result.stderr


def test_a_threshold_is_not_chosen_for_a_task_of_mteb() -> None:
    command = ["evaluate", "mini-bi", "--mteb", "KorSTS", "--validation", "v.csv", "--cost", "1:1"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "give --test FILE, not --mteb" in result.stderr


def test_the_plateau_is_what_lies_around_the_best() -> None:
    at = np.arange(7.0)
    assert plateau(at, np.array([0.9, 0.1, 0.895, 0.9, 0.91, 0.905, 0.5])) == (3.0, 5.0)


def test_reliability_is_the_mean_label_of_each_band_of_scores() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 5, (2, 400))
    labels = np.clip(scores.mean(axis=0) + rng.normal(0, 0.5, 400), 0, 5)
    contender = ScoredContender("bi", "bi", scores, np.array([3.0, 3.0]))
    bands = reliability(contender, labels, EvaluationSettings(resamples=400))
    means = scores.mean(axis=0)
    assert sum(band.n for band in bands) <= 400
    for band in bands:
        inside = (means >= band.low) & (means < band.high)
        assert band.n == inside.sum()
        assert band.score == pytest.approx(means[inside].mean())
        assert band.label.value == pytest.approx(labels[inside].mean())
        assert band.label.low <= band.label.value <= band.label.high
