"""Each warning about learning is given where it is due, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from kosim.encoders.records import LabelledPairs
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.result import EpochRecord, TrainingResult
from kosim.experiments.comparison.finding import compute_finding
from kosim.experiments.comparison.learning_warnings import of_training
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.slices.distinctions import bigram_overlap
from tests.experiments.fixtures import (
    bi_wins_results,
    comparison,
    example_results,
    gap,
    metric,
    settled,
    undecided_results,
)


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


def test_a_saved_encoder_that_was_still_learning_is_judged_as_it_was_saved() -> None:
    for results in (settled(bi_wins_results()), settled(undecided_results())):
        found = said(still_learning("cross", saved(results)))
        assert not found["headline"].startswith("No verdict")
        assert "again" not in found["advice"]
        first = found["warnings"][0]
        assert first.startswith(
            "The last epoch was the best one of the cross-encoder before saving"
        )
        assert "--epochs" not in first


def test_a_leader_that_was_still_learning_leads_all_the_same() -> None:
    found = said(still_learning("cross", example_results()))
    assert found["headline"].startswith("The cross-encoder is ahead for now")


@pytest.mark.parametrize(
    ("value", "p_value", "waits"),
    [(0.004, 0.21, True), (0.0049, 0.01, True), (0.005, 0.01, False), (0.0051, 0.01, False)],
)
def test_a_leader_that_was_still_learning_may_come_to_lead_by_more(
    value: float, p_value: float, waits: bool
) -> None:
    """So that neither "cannot tell" nor "hardly worth its time" is the last word."""
    results = still_learning("cross", example_results())
    results["encoders"]["cross"]["test"]["pearson"] = metric(0.88 + value)
    results["difference"] |= comparison("cross", "bi", value, p_value)
    found = said(results)
    assert ("No verdict yet" in found["headline"]) == waits
    assert ("train the cross-encoder again" in found["advice"]) == waits


@pytest.mark.parametrize(("trivial", "warned"), [(0.84, True), (0.4, False)])
def test_an_encoder_near_the_trivial_predictor_may_have_learnt_nothing(
    trivial: float, warned: bool
) -> None:
    results = bi_wins_results()
    for row in results["encoders"]["cross"]["seeds"]["1"]["history"]:
        row["pearson"] = 0.86
    results["trivial"] = {"validation": trivial, "test": trivial}
    found = said(results)
    lines = [w for w in found["warnings"] if "cross-encoder may have learnt nothing" in w]
    assert bool(lines) == warned
    assert all("(--cross-backbone mini-cross)" in line for line in lines)
    assert ("No verdict yet" in found["headline"]) == warned


def test_a_bi_encoder_is_not_sent_to_another_start() -> None:
    results = example_results()
    for row in results["encoders"]["bi"]["seeds"]["1"]["history"]:
        row["pearson"] = 0.1
    results["trivial"] = {"validation": 0.4, "test": 0.4}
    first = said(results)["warnings"][0]
    assert first.endswith("another --learning-rate or more pairs.")


def test_two_encoders_that_were_still_learning_are_spoken_of_as_two() -> None:
    results = still_learning("cross", still_learning("bi", undecided_results()))
    assert (
        "the bi-encoder and the cross-encoder had not learnt all they can"
        in (said(results)["headline"])
    )
    for contender in results["encoders"].values():
        contender["seeds"]["1"]["constant"] = True
    assert "the cross-encoder give every pair the same score" in said(results)["headline"]


def test_one_training_of_several_that_learnt_nothing_holds_the_verdict_back() -> None:
    results = settled(bi_wins_results())
    results["trivial"] = {"validation": 0.4, "test": 0.4}
    assert "lose quality" in said(results)["advice"]
    for row in results["encoders"]["cross"]["seeds"]["2"]["history"]:
        row["pearson"] = 0.1
    found = said(results)
    assert "its lowest validation Pearson 0.100 is below the 0.400" in found["warnings"][0]
    assert "lose quality" not in found["advice"]


def saved(results: dict[str, Any]) -> dict[str, Any]:
    """Both encoders as they had been saved, their own trainings known."""
    contenders = {name: {"kind": name, "artifact": f"{name}-folder"} for name in ("bi", "cross")}
    return results | {"config": {"encoders": contenders}}


@pytest.mark.parametrize(("reached", "warned"), [(0.449, True), (0.45, False), (0.451, False)])
@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_saved_encoder_is_held_against_the_trivial_predictor_on_the_test(
    split: str, reached: float, warned: bool
) -> None:
    results = saved(bi_wins_results())
    cross = results["encoders"]["cross"]
    cross["test"]["pearson"] = metric(reached if split == "test" else 0.3)
    for row in cross["seeds"]["1"]["history"]:
        row["pearson"] = reached if split == "validation" else 0.3
    results["trivial"] = {"validation": None, "test": 0.4}
    found = said(results)
    line = f"learnt nothing: its {split} Pearson {reached:.3f} is near the 0.400 of counting shared"
    assert any(line in warning for warning in found["warnings"]) == warned
    assert ("No verdict yet" in found["headline"]) == warned
    assert ("lose quality" in found["advice"]) != warned


@pytest.mark.parametrize(("trivial", "warned"), [(0.84, True), (0.8, True), (0.798, False)])
def test_an_encoder_that_has_learnt_may_be_no_better_than_trivial_on_the_test(
    trivial: float, warned: bool
) -> None:
    results = bi_wins_results()
    results["trivial"] = {"validation": 0.4, "test": trivial}
    found = said(results)
    lines = [line for line in found["warnings"] if f"Pearson of {trivial:.3f}, the" in line]
    assert bool(lines) == warned
    assert "No verdict yet" not in found["headline"]
    if warned:
        assert "the cross-encoder 0.849: not clearly more" in lines[0]


@pytest.mark.parametrize(("reached", "warned"), [(0.04, True), (0.06, False)])
def test_no_encoder_is_praised_for_beating_a_trivial_predictor_that_is_below_guessing(
    reached: float, warned: bool
) -> None:
    results = example_results()
    results["trivial"] = {"validation": 0.4, "test": -0.4}
    results["encoders"]["bi"]["test"]["pearson"] = metric(reached, 0.1)
    lines = said(results)["warnings"]
    line = f"On the test pairs, guessing reaches a Pearson of 0.000, the bi-encoder {reached:.3f}"
    assert any(line in warning for warning in lines) == warned


@pytest.mark.parametrize(("reached", "warned"), [(0.977, True), (0.978, False), (1.0, False)])
def test_an_encoder_can_pass_a_trivial_predictor_that_is_nearly_perfect(
    reached: float, warned: bool
) -> None:
    """0.955 leaves room for half of the way to 1, which is less than 0.05."""
    results = bi_wins_results()
    for row in results["encoders"]["cross"]["seeds"]["1"]["history"]:
        row["pearson"] = reached
    results["trivial"] = {"validation": 0.955, "test": 0.1}
    lines = [w for w in said(results)["warnings"] if "cross-encoder may have learnt nothing" in w]
    assert bool(lines) == warned


def opposing(bi: float, cross: float) -> dict[str, Any]:
    results = example_results()
    for name, value in (("bi", bi), ("cross", cross)):
        results["encoders"][name]["test"]["pearson"] = metric(value)
    results["difference"]["pearson"] |= gap(cross - bi, 0.01, 0.0001)
    return settled(results)


@pytest.mark.parametrize(
    ("bi", "cross", "opposed"),
    [(-0.8, -0.6, True), (-0.8, -0.021, True), (-0.8, -0.019, False), (-0.8, 0.8, False)],
)
def test_scores_that_all_fall_where_the_labels_rise_have_no_winner(
    bi: float, cross: float, opposed: bool
) -> None:
    """The interval of a Pearson is 0.02 wide to either side here."""
    results = opposing(bi, cross)
    found = said(results)
    figures = compute_finding(ComparisonResults.model_validate(results)).figures
    assert (figures["winner"] is None) == opposed
    assert found["headline"].startswith("No verdict: no scores rise with the labels") == opposed
    assert ("check the labels" in found["advice"]) == opposed
    lines = [line for line in found["warnings"] if "turn the labels round" in line]
    assert bool(lines) == opposed
    assert all("the bi-encoder and the cross-encoder" in line for line in lines)


def training(values: list[float], best: int) -> TrainingResult:
    return TrainingResult(
        config=TrainingConfig(),
        history=[
            EpochRecord(
                epoch=epoch, train_loss=1, validation_loss=1, pearson=value, spearman=0, f1=0
            )
            for epoch, value in enumerate(values, start=1)
        ],
        best_epoch=best,
        best_epochs={},
        threshold=3.0,
        seconds=1,
        train_pairs=60,
        validation_pairs=7,
    )


@pytest.mark.parametrize(
    ("values", "best", "trivial", "expected"),
    [
        ([0.0, 0.0], 1, 0.5, ["Pearson 0.000 is below the 0.500 of counting shared"]),
        ([0.8, 0.52, 0.51], 2, 0.5, ["Pearson 0.520 is near the 0.500 of counting shared"]),
        ([0.04, 0.03], 1, None, ["Pearson 0.040 is near the 0.000 of guessing"]),
        ([0.7, 0.8], 2, 0.5, ["The last epoch was the best one"]),
        ([0.2, 0.3], 2, 0.5, ["may have learnt nothing", "The last epoch was the best one"]),
        ([0.8, 0.8009], 2, 0.5, []),
        ([0.7, 0.8, 0.79], 2, None, []),
    ],
)
def test_a_training_alone_is_warned_of_by_the_same_rules(
    values: list[float], best: int, trivial: float | None, expected: list[str]
) -> None:
    lines = of_training(training(values, best), trivial)
    assert len(lines) == len(expected)
    assert all(part in line for part, line in zip(expected, lines, strict=True))


@pytest.mark.parametrize("trivial", [-0.3, None])
@pytest.mark.parametrize(("reached", "warned"), [(0.02, True), (0.06, False)])
def test_an_encoder_that_only_guesses_has_learnt_nothing(
    reached: float, warned: bool, trivial: float | None
) -> None:
    """Where counting bigrams is worse than guessing, or has no value."""
    results = bi_wins_results()
    for row in results["encoders"]["cross"]["seeds"]["1"]["history"]:
        row["pearson"] = reached
    results["trivial"] = {"validation": trivial, "test": trivial}
    lines = said(results)["warnings"]
    assert any("0.020 is near the 0.000 of guessing" in line for line in lines) == warned


def test_saved_encoders_of_one_training_are_not_told_to_take_more_seeds() -> None:
    lines = said(saved(example_results()))["warnings"]
    assert any("--train FILE --seeds 1,2,3" in line for line in lines)


@pytest.mark.parametrize(("flips", "warned"), [(0.11, True), (0.1001, True), (0.1, False)])
def test_decisions_that_flip_with_the_order_are_a_warning(flips: float, warned: bool) -> None:
    results = example_results()
    results["encoders"]["cross"]["swap_asymmetry"]["verdict_flips"] = flips
    assert any("change places" in line for line in said(results)["warnings"]) == warned


@pytest.mark.parametrize(
    ("value", "warned"), [(0.964, True), (0.931, True), (0.93, False), (0.929, False)]
)
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
