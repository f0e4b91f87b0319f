"""Each warning about learning is given where it is due, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from kosim.encoders.records import LabelledPairs
from kosim.experiments.comparison.finding import compute_finding
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.slices.overlap import bigram_overlap
from tests.experiments.fixtures import bi_wins_results, example_results, settled


def said(results: dict[str, Any]) -> dict[str, Any]:
    return compute_finding(ComparisonResults.model_validate(results)).to_json()["en"]


def still_learning(name: str, results: dict[str, Any]) -> dict[str, Any]:
    for run in results["encoders"][name]["seeds"].values():
        run["best_epoch"] = 5
    return results


def test_an_encoder_that_was_still_learning_is_named_first_with_what_to_try() -> None:
    assert not any("last epoch" in line for line in said(example_results())["warnings"])
    first = said(still_learning("bi", example_results()))["warnings"][0]
    assert first.startswith("The last epoch was the best one of the bi-encoder")
    assert "more --epochs" in first


@pytest.mark.parametrize(("gain", "warned"), [(0.0009, False), (0.0011, True)])
def test_a_last_epoch_that_was_best_by_a_hair_ends_the_learning(gain: float, warned: bool) -> None:
    results = bi_wins_results()
    for run in results["encoders"]["cross"]["seeds"].values():
        run["history"][-1]["pearson"] = gain + max(row["pearson"] for row in run["history"][:-1])
        run["best_epoch"] = run["history"][-1]["epoch"]
    found = said(results)
    assert any("last epoch" in warning for warning in found["warnings"]) == warned
    assert ("No verdict yet" in found["headline"]) == warned


def test_a_rival_that_was_still_learning_holds_back_headline_and_advice() -> None:
    sure = said(settled(bi_wins_results()))
    assert "lose quality" in sure["advice"]
    found = said(still_learning("cross", bi_wins_results()))
    assert found["headline"].startswith(
        "No verdict yet: the bi-encoder scores higher, but the cross-"
    )
    assert "lose quality" not in " ".join([found["advice"], *found["sentences"]])
    assert "train the cross-encoder again" in found["advice"]


def test_a_leader_that_was_still_learning_leads_all_the_same() -> None:
    found = said(still_learning("cross", example_results()))
    assert found["headline"].startswith("The cross-encoder is ahead for now")


@pytest.mark.parametrize(("trivial", "warned"), [(0.84, True), (0.4, False)])
def test_an_encoder_near_the_trivial_predictor_may_have_learnt_nothing(
    trivial: float, warned: bool
) -> None:
    results = bi_wins_results()
    for row in results["encoders"]["cross"]["seeds"]["1"]["history"]:
        row["pearson"] = 0.86
    results["trivial"] = {"validation": trivial, "test": trivial}
    found = said(results)
    assert any("cross-encoder may have learnt nothing" in w for w in found["warnings"]) == warned
    assert ("No verdict yet" in found["headline"]) == warned


@pytest.mark.parametrize(("flips", "warned"), [(0.11, True), (0.1, False)])
def test_decisions_that_flip_with_the_order_are_a_warning(flips: float, warned: bool) -> None:
    results = example_results()
    results["encoders"]["cross"]["swap_asymmetry"]["verdict_flips"] = flips
    assert any("change places" in line for line in said(results)["warnings"]) == warned


@pytest.mark.parametrize(("value", "warned"), [(0.964, True), (0.92, False)])
def test_a_validation_value_far_above_the_test_shows_both_label_mixes(
    value: float, warned: bool
) -> None:
    results = example_results()
    for row in results["encoders"]["bi"]["seeds"]["1"]["history"]:
        row["pearson"] = value
    for split, counts in (("train", [37, 63]), ("test", [21, 79])):
        labels = results["data"][split]["labels"]
        labels["histogram"] = {"edges": [0.0, 1.0, 5.0], "counts": counts}
    lines = [line for line in said(results)["warnings"] if "validation pairs" in line]
    assert len(lines) <= 1
    assert bool(lines) == warned
    if warned:
        assert "37.0% of the training pairs, 21.0% of the test pairs" in lines[0]


@pytest.mark.parametrize(("name", "constant"), [("bi", True), ("cross", True), ("bi", False)])
def test_an_encoder_that_gives_every_pair_one_score_holds_the_verdict_back(
    name: str, constant: bool
) -> None:
    results = settled(bi_wins_results())
    results["encoders"][name]["seeds"]["2"]["constant"] = constant
    found = said(results)
    assert any("gives every pair the same score" in line for line in found["warnings"]) == constant
    assert found["headline"].startswith("No verdict: ") == constant
    verdict = compute_finding(ComparisonResults.model_validate(results)).figures
    assert (verdict["winner"] is None) == constant
    assert (f"train the {name}-encoder again" in found["advice"]) == constant


@pytest.mark.parametrize(("moved", "warned"), [(0.0005, True), (0.01, False)])
def test_a_training_loss_that_does_not_move_holds_the_verdict_back(
    moved: float, warned: bool
) -> None:
    results = settled(bi_wins_results())
    for row in results["encoders"]["cross"]["seeds"]["1"]["history"]:
        row["train_loss"] = 0.693 - moved * (row["epoch"] == 5)
    found = said(results)
    assert any("did not move" in line for line in found["warnings"]) == warned
    assert found["headline"].startswith("No verdict yet") == warned


def test_the_overlap_of_bigrams_by_hand() -> None:
    pairs = LabelledPairs.from_lists(
        [("가나다", "가나라"), ("가", "가"), ("가나", "다라")], [1, 2, 3]
    )
    assert bigram_overlap(pairs) == pytest.approx([2 * 1 / 4, 1.0, 0.0])
