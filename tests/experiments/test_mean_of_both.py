"""The mean of both encoders' scores: its figures, what is said of it, and when nothing is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from kosim.encoders.language import LANGUAGES, Language, text
from kosim.experiments.comparison import tables, wording
from kosim.experiments.comparison.differences import mean_of_both
from kosim.experiments.comparison.evaluation import ScoredContender
from kosim.experiments.comparison.facts import TINY, Facts
from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.comparison.run import compare
from kosim.experiments.settings import CompareSettings, EvaluationSettings
from kosim.experiments.study.figures import Estimate, Undefined
from tests.checkout import ROOT
from tests.conftest import examples
from tests.experiments.conftest import small_settings
from tests.experiments.fixtures import example_results, gap, metric, settled, undecided_results

SETTINGS = EvaluationSettings(resamples=2_000)
N = 300
RANDOM = np.random.default_rng(3)
LABELS = RANDOM.uniform(0, 5, N)
NUMBER = r"[+−]?\d\.\d{3}"


def scored(name: str, error: float, seeds: int = 1) -> ScoredContender:
    """A contender whose errors are its own, so that a mean of two halves their variance."""
    noise = RANDOM.normal(0, error, (seeds, N))
    return ScoredContender(name, name, LABELS + noise, np.full(seeds, 3.0))  # type: ignore[arg-type]


def test_its_values_are_those_of_scipy_and_scikit_learn() -> None:
    bi, cross = scored("bi", 1.0, seeds=3), scored("cross", 1.2, seeds=3)
    found = mean_of_both(bi, cross, LABELS, SETTINGS)
    means = (bi.scores + cross.scores) / 2
    of_mean, of_bi, of_cross = (
        np.mean([stats.pearsonr(LABELS, row).statistic for row in rows])
        for rows in (means, bi.scores, cross.scores)
    )
    f1s = [metrics.f1_score(LABELS >= 3, row >= 3) for row in means]
    assert isinstance(found.pearson, Estimate)
    assert isinstance(found.f1, Estimate)
    assert found.pearson.value == pytest.approx(of_mean)
    assert found.f1.value == pytest.approx(np.mean(f1s))
    over_bi, over_cross = found.gain("bi"), found.gain("cross")
    assert over_bi is not None
    assert over_cross is not None
    assert over_bi.value == pytest.approx(of_mean - of_bi)
    assert over_cross.value == pytest.approx(of_mean - of_cross)
    assert over_bi.low <= over_bi.value <= over_bi.high


def test_errors_of_their_own_make_the_mean_surely_better() -> None:
    found = mean_of_both(scored("bi", 1.0), scored("cross", 1.0), LABELS, SETTINGS)
    assert found.beats_both()
    # Two independent errors of variance 1 have a mean of variance 1/2.
    variance = LABELS.var()
    expected = np.sqrt(variance / (variance + 0.5))
    assert isinstance(found.pearson, Estimate)
    assert found.pearson.value == pytest.approx(expected, abs=0.02)


def test_the_same_errors_gain_nothing() -> None:
    bi = scored("bi", 1.0)
    found = mean_of_both(bi, replace(bi, name="cross"), LABELS, SETTINGS)
    assert not found.beats_both()
    gain = found.gain("bi")
    assert gain is not None
    assert (gain.value, gain.p_value) == (0, 1)


def test_it_is_better_only_if_it_beats_both() -> None:
    """A cross-encoder that knows nothing makes the mean better than itself alone."""
    found = mean_of_both(scored("bi", 0.5), scored("cross", 9.0), LABELS, SETTINGS)
    over_bi, over_cross = found.gain("bi"), found.gain("cross")
    assert over_bi is not None
    assert over_cross is not None
    assert over_cross.significant
    assert over_cross.value > 0
    assert over_bi.value < 0
    assert not found.beats_both()


def test_a_saved_encoder_says_the_same_for_every_seed() -> None:
    bi, cross = scored("bi", 1.0), scored("cross", 1.0, seeds=3)
    alike = replace(bi, scores=np.repeat(bi.scores, 3, axis=0))
    one, other = (mean_of_both(each, cross, LABELS, SETTINGS) for each in (bi, alike))
    assert one.pearson == other.pearson
    assert one.gain("cross") == other.gain("cross")


def test_copies_of_a_pair_shrink_no_interval() -> None:
    bi, cross = scored("bi", 1.0), scored("cross", 1.0)
    plain = mean_of_both(bi, cross, LABELS, SETTINGS)
    copies = np.tile(np.arange(N), 5)
    many_bi, many_cross = (
        replace(each, scores=np.tile(each.scores, 5), copies=copies) for each in (bi, cross)
    )
    repeated = mean_of_both(many_bi, many_cross, np.tile(LABELS, 5), SETTINGS)
    assert isinstance(plain.pearson, Estimate)
    assert isinstance(repeated.pearson, Estimate)
    assert repeated.pearson.low == pytest.approx(plain.pearson.low)
    assert repeated.pearson.high == pytest.approx(plain.pearson.high)


def test_constant_labels_leave_it_undefined() -> None:
    found = mean_of_both(scored("bi", 1.0), scored("cross", 1.0), np.full(N, 2.0), SETTINGS)
    assert isinstance(found.pearson, Undefined)
    assert not found.beats_both()


def test_a_comparison_records_it(small_run: tuple[Path, ComparisonResults]) -> None:
    folder, results = small_run
    frame = pd.read_parquet(folder / "predictions.parquet")
    frame["mean"] = (frame.bi + frame.cross) / 2
    expected = [stats.pearsonr(rows.label, rows["mean"])[0] for _, rows in frame.groupby("seed")]
    found = results.mean_of_both
    assert found is not None
    assert (found.bi, found.cross) == ("bi", "cross")
    assert isinstance(found.pearson, Estimate)
    assert found.pearson.value == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("case", ["of two kinds", "of one kind", "not calibrated"])
def test_only_calibrated_encoders_of_two_kinds_have_one(
    case: str, small_run: tuple[Path, ComparisonResults], encoders: dict[str, Path], tmp_path: Path
) -> None:
    folder, _ = small_run
    saved = {
        "of two kinds": {"bi": folder / "bi" / "seed-1", "cross": folder / "cross" / "seed-1"},
        "of one kind": {"bi": folder / "bi" / "seed-1", "bi-2": folder / "bi" / "seed-2"},
        "not calibrated": {"bi": encoders["bi"], "cross": encoders["cross"]},
    }[case]
    contenders = {
        name: {"kind": name.split("-")[0], "artifact": str(path)} for name, path in saved.items()
    }
    data = {"test": str(ROOT / "examples" / "data" / "test.csv")}
    settings = CompareSettings.parse(small_settings(encoders=contenders, data=data))
    found = compare(settings, tmp_path / "run").mean_of_both
    assert (found is not None) == (case == "of two kinds")


def shown(mean: float, over_bi: dict[str, Any], over_cross: dict[str, Any]) -> dict[str, Any]:
    results = settled(undecided_results())
    results["mean_of_both"] = {
        "bi": "bi",
        "cross": "cross",
        "pearson": metric(mean),
        "gains": [
            {"first": "mean", "second": "bi", "pearson": over_bi},
            {"first": "mean", "second": "cross", "pearson": over_cross},
        ],
    }
    return results


@pytest.mark.parametrize("language", LANGUAGES)
@given(
    values=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
    halves=st.tuples(st.floats(0, 0.1), st.floats(0, 0.1)),
    p_values=st.tuples(*[st.sampled_from([0.0001, 0.05, 0.06, 1.0])] * 2),
)
@settings(max_examples=examples(150), deadline=None)
def test_sentence_advice_and_table_say_the_same(
    language: Language,
    values: tuple[float, float],
    halves: tuple[float, float],
    p_values: tuple[float, float],
) -> None:
    over_bi, over_cross = (gap(*each) for each in zip(values, halves, p_values, strict=True))
    results = ComparisonResults.model_validate(shown(0.9, over_bi, over_cross))
    facts = Facts(results)
    line = wording.mean_of_both(facts)
    assert line is not None
    said = text(line, language)
    alone = facts.ranking[0]
    gain = {"bi": over_bi, "cross": over_cross}[alone]
    rounded = [round(gain[key], 3) + 0.0 for key in ("value", "low", "high")]
    numbers = [float(each.replace("−", "-")) for each in re.findall(NUMBER, said)]
    assert numbers[0] == 0.9
    assert numbers[1:4] == rounded
    sure = all(v > 0 and p <= 0.05 for v, p in zip(values, p_values, strict=True))
    better = {"en": "is better than either", "ko": "어느 한쪽만 쓸 때보다 낫습니다"}[language]
    assert (better in said) == sure
    advice = COMPARISON.finding(results).advice
    assert advice is not None
    pays = sure and min(values) >= TINY
    assert ("--interpolation 0.5" in text(advice, language)) == pays
    rows = [row for table in tables.further_tests(results) for row in table.rows]
    answer = next(text(row[1], language) for row in rows if "0.900" in text(row[1], language))
    for each in (over_bi, over_cross):
        stated = [round(each[key], 3) + 0.0 for key in ("value", "low", "high")]
        found = [float(number.replace("−", "-")) for number in re.findall(NUMBER, answer)]
        assert any(found[n : n + 3] == stated for n in range(len(found)))


def test_nothing_is_said_where_it_was_not_measured() -> None:
    results = ComparisonResults.model_validate(example_results())
    assert results.mean_of_both is None
    assert wording.mean_of_both(Facts(results)) is None
    assert "mean of both" not in " ".join(
        text(line, "en") for line in COMPARISON.finding(results).sentences
    )


def test_nothing_is_said_where_the_encoders_have_no_figure() -> None:
    """A resample may leave a mean its figure, and neither of the two."""
    content = shown(0.95, gap(0.05, 0.01, 0.0001), gap(0.05, 0.01, 0.0001))
    for contender in content["encoders"].values():
        contender["test"]["pearson"] = {"undefined": "the scores are constant (all 3)"}
    results = ComparisonResults.model_validate(content)
    assert wording.mean_of_both(Facts(results)) is None
    assert "--interpolation" not in text(COMPARISON.finding(results).advice or "", "en")


def test_nothing_is_said_while_an_encoder_still_learns() -> None:
    content = shown(0.95, gap(0.05, 0.01, 0.0001), gap(0.05, 0.01, 0.0001))
    for run in content["encoders"]["cross"]["seeds"].values():
        run["history"][-1]["pearson"] = 0.99
        run["best_epoch"] = run["history"][-1]["epoch"]
    finding = COMPARISON.finding(ComparisonResults.model_validate(content))
    assert finding.advice is not None
    assert "train the cross-encoder again" in text(finding.advice, "en")
    assert not any("mean of both" in text(line, "en") for line in finding.sentences)
