"""Figures of scored contenders, against scikit-learn and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from kosim.encoders.explanation import Explanation, explain_pair
from kosim.encoders.language import Line
from kosim.encoders.records import LabelledPairs
from kosim.experiments.comparison import tables
from kosim.experiments.comparison.differences import compare_all
from kosim.experiments.comparison.disagreements import (
    explain_disagreements,
    largest_disagreements,
)
from kosim.experiments.comparison.evaluation import (
    ScoredContender,
    evaluate,
    evaluate_sources,
    plot_scores,
    score_pairs,
    swap_asymmetry,
)
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.data.cleaning import distinct_numbers
from kosim.experiments.settings import EvaluationSettings
from kosim.experiments.study.figures import Undefined
from tests.experiments.fixtures import example_results

SETTINGS = EvaluationSettings(resamples=400)
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.uniform(0, 5, 80)


def contender(name: str, kind: str, noise: float, seeds: int = 1) -> ScoredContender:
    scores = np.clip(LABELS + RANDOM.normal(0, noise, (seeds, 80)), 0, 5)
    return ScoredContender(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        scores=scores,
        thresholds=np.full(seeds, 2.5),
        swapped=scores + 0.25 if kind == "cross" else None,
    )


def test_values_agree_with_independent_libraries() -> None:
    scored = contender("bi", "bi", 1.0)
    found = evaluate(scored, LABELS, SETTINGS)
    scores, gold = scored.scores[0], LABELS >= 3
    expected = {
        "pearson": stats.pearsonr(LABELS, scores).statistic,
        "spearman": stats.spearmanr(LABELS, scores).statistic,
        "f1": metrics.f1_score(gold, scores >= 3),
        "f1_tuned": metrics.f1_score(gold, scores >= 2.5),
        "precision": metrics.precision_score(gold, scores >= 3),
        "recall_tuned": metrics.recall_score(gold, scores >= 2.5),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value)


def test_a_source_has_the_figures_of_its_own_pairs() -> None:
    sources = ["even", "odd"] * 40
    pairs = LabelledPairs.from_lists([("a", f"b{row}") for row in range(80)], LABELS, sources)
    scored = contender("bi", "bi", 1.0)
    found = evaluate_sources(scored, pairs, SETTINGS)
    assert found["odd"].n == 40
    expected = stats.pearsonr(LABELS[1::2], scored.scores[0][1::2]).statistic
    assert found["odd"].pearson.value == pytest.approx(expected)


def test_copies_and_swapped_pairs_add_nothing_to_any_test() -> None:
    one, other = contender("bi", "bi", 1.0), contender("cross", "cross", 0.8)
    (once,) = compare_all([one, other], LABELS, SETTINGS)
    pairs = [(f"a{number}", f"b{number}") for number in range(80)]
    copied = LabelledPairs.from_lists(pairs + [(b, a) for a, b in pairs] * 2, list(LABELS) * 3)
    numbers, rows = distinct_numbers(copied), np.tile(np.arange(80), 3)
    assert numbers.tolist() == rows.tolist()
    many = [
        replace(each, scores=each.scores[:, rows], swapped=None, copies=numbers)
        for each in (one, other)
    ]
    (thrice,) = compare_all(many, copied.labels, SETTINGS)
    assert thrice.mcnemar == once.mcnemar
    assert thrice.williams_p_value == pytest.approx(once.williams_p_value)
    for metric in ("pearson", "spearman", "f1", "f1_tuned"):
        gap, expected = thrice.difference(metric), once.difference(metric)
        assert (gap.low, gap.high, gap.p_value) == pytest.approx(
            (expected.low, expected.high, expected.p_value)
        )
        assert gap.pairs_needed == expected.pairs_needed


class Collapsed:
    """An encoder whose cosines differ by rounding only, which its calibration spreads."""

    def score(self, pairs: list[tuple[str, str]], *, raw: bool) -> np.ndarray:
        assert raw
        steps = np.random.default_rng(0).integers(0, 4, len(pairs)).astype(np.float32)
        return np.float32(0.9999998) - steps * np.float32(2**-24)

    def calibration(self, raw: np.ndarray) -> np.ndarray:
        return ((raw - raw.min()) / np.ptp(raw) * 4 + 0.5).astype(np.float32)


def test_scores_that_differ_by_rounding_only_are_the_same_score() -> None:
    encoder = Collapsed()
    scores = score_pairs(encoder, [("a", "b")] * 80)  # type: ignore[arg-type]
    assert np.ptp(encoder.calibration(encoder.score([("a", "b")] * 80, raw=True))) == 4
    assert np.ptp(scores) == 0
    scored = ScoredContender("bi", "bi", scores[None], np.array([2.5]))
    found = evaluate(scored, LABELS, SETTINGS)["pearson"]
    assert isinstance(found, Undefined)
    assert "the scores are constant" in found.cause


def test_an_undefined_metric_says_why() -> None:
    scored = contender("bi", "bi", 1.0)
    found = evaluate(scored, np.full(80, 4.0), SETTINGS)["pearson"]
    assert isinstance(found, Undefined)
    assert "constant" in found.cause


def test_the_difference_is_cross_minus_bi_whatever_the_order() -> None:
    bi, cross = contender("bi", "bi", 2.0), contender("cross", "cross", 0.5)
    for order in ((bi, cross), (cross, bi)):
        (found,) = compare_all(order, LABELS, SETTINGS)
        assert (found.first, found.second) == ("cross", "bi")
        assert found.difference("pearson").value > 0
        assert found.difference("pearson").p_value < 0.01
        assert found.difference("pearson").p_adjusted == found.difference("pearson").p_value


def test_three_contenders_are_adjusted_for_their_number() -> None:
    three = [contender(name, "bi", noise) for name, noise in (("a", 0.5), ("b", 0.6), ("c", 2.0))]
    found = compare_all(three, LABELS, SETTINGS)
    p_values = sorted(pair.difference("pearson").p_value for pair in found)
    adjusted = sorted(pair.difference("pearson").p_adjusted for pair in found)
    assert adjusted[0] == pytest.approx(min(1, 3 * p_values[0]))


def test_swap_asymmetry_by_hand() -> None:
    scored = contender("cross", "cross", 1.0)
    found = swap_asymmetry(scored, LABELS)
    assert found is not None
    assert found.mean_absolute == pytest.approx(0.25)
    flips = (scored.scores >= 2.5) != (scored.scores + 0.25 >= 2.5)
    assert found.verdict_flips == pytest.approx(flips.mean())
    expected = stats.pearsonr(LABELS, scored.scores[0] + 0.125).statistic
    assert found.pearson_symmetric == pytest.approx(expected)
    assert swap_asymmetry(contender("bi", "bi", 1.0), LABELS) is None


def test_the_largest_disagreements_come_first_and_once() -> None:
    pairs = LabelledPairs.from_lists([(f"a{i}", f"b{i}") for i in range(80)], LABELS)
    bi, cross = contender("bi", "bi", 1.0), contender("cross", "cross", 1.0)
    rows = largest_disagreements(pairs, [bi, cross], rows=10)
    gaps = np.abs(bi.scores[0] - cross.scores[0])
    assert rows[0].sentence1 == f"a{np.argmax(gaps)}"
    assert [row.why for row in rows] == ["encoders"] * 10 + ["label"] * 10
    assert len({row.sentence1 for row in rows}) == 20


def test_copies_of_a_pair_are_listed_once() -> None:
    pairs = LabelledPairs.from_lists([(f"a{i % 40}", f"b{i % 40}") for i in range(80)], LABELS)
    copies = distinct_numbers(pairs)
    both = [replace(contender(kind, kind, 1.0), copies=copies) for kind in ("bi", "cross")]
    rows = largest_disagreements(pairs, both, rows=10)
    assert len({row.sentence1 for row in rows}) == len(rows) == 20


def test_the_plots_of_scores_count_every_pair_once() -> None:
    found = plot_scores(contender("bi", "bi", 1.0, seeds=2), LABELS)
    assert np.sum(found.density) == 80
    by_label = np.histogram(LABELS, np.arange(0, 5.01, 0.25))[0]
    assert np.sum(found.density, axis=1).tolist() == by_label.tolist()


def test_the_f1_curve_is_that_of_scikit_learn() -> None:
    scored = contender("bi", "bi", 1.0, seeds=2)
    found = plot_scores(scored, LABELS).f1
    assert found is not None
    at = 3.5
    expected = [metrics.f1_score(LABELS >= 3, row >= at) for row in scored.scores]
    assert found[round(at / 0.05)] == pytest.approx(np.mean(expected))
    assert plot_scores(scored, np.full(80, 1.0)).f1 is None


def test_the_first_disagreements_say_which_words_matter() -> None:
    class Lengths:
        """Scores a pair by its letters."""

        def score(self, pairs: list[tuple[str, str]]) -> np.ndarray:
            return np.array([len(a + b) / 10 for a, b in pairs])

        def explain(self, first: str, second: str) -> Explanation:
            return explain_pair(self.score, (first, second))

    results = ComparisonResults.model_validate(example_results())
    explained = explain_disagreements(results, lambda name: Lengths())  # type: ignore[arg-type,return-value]
    row = explained.disagreements[0]
    assert set(row.words) == {"bi", "cross"}
    words = f"{row.sentence1} {row.sentence2}".split()
    longest = sorted(map(len, words), reverse=True)[: len(row.words["bi"])]
    assert [len(each.word) for each in row.words["bi"]] == longest
    (table, *_) = tables.disagreements(explained)
    said = table.rows[0][-1]
    assert isinstance(said, Line)
    assert said.en.startswith("cross-encoder: ")
    assert said.ko.startswith("크로스인코더: ")
