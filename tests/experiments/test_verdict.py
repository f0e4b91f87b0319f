"""The verdict follows from the figures, in both languages."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy.stats import norm

from kosim.experiments.comparison.finding import compute_finding
from kosim.experiments.comparison.results import ComparisonResults
from tests.experiments.fixtures import (
    VARIANTS,
    bi_wins_results,
    comparison,
    encoder,
    example_results,
    gap,
    metric,
    no_sources_results,
    one_encoder_results,
    seeds_results,
    settled,
    three_encoders_results,
    undecided_results,
    undefined_results,
)


def compute_verdict(results: dict) -> dict:
    return compute_finding(ComparisonResults.model_validate(results)).to_json()


def english(results: dict) -> str:
    said = compute_verdict(results)["en"]
    lines = [*said["warnings"], said["headline"], said["advice"] or "", *said["sentences"]]
    return " ".join(lines)


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_languages_say_as_much(variant: str) -> None:
    verdict = compute_verdict(VARIANTS[variant]())
    for part in ("sentences", "warnings"):
        assert len(verdict["en"][part]) == len(verdict["ko"][part])


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_languages_give_the_same_decimals(variant: str) -> None:
    verdict = compute_verdict(VARIANTS[variant]())
    for part in ("sentences", "warnings"):
        for line_en, line_ko in zip(verdict["en"][part], verdict["ko"][part], strict=True):
            found = [sorted(re.findall(r"[+−]?\d[\d,]*\.\d+", text)) for text in (line_en, line_ko)]
            assert found[0] == found[1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_verdict_is_json(variant: str) -> None:
    verdict = compute_verdict(VARIANTS[variant]())
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict


def test_a_significant_difference_has_a_winner() -> None:
    verdict = compute_verdict(settled(example_results()))
    assert verdict["winner"] == "cross"
    assert verdict["provisional"] is False
    assert verdict["sure"] is True
    assert verdict["difference"] == 0.019
    assert verdict["p_value"] == 0.012
    assert verdict["en"]["headline"] == (
        "The cross-encoder is better: Pearson 0.899 against 0.880 (p = 0.012)."
    )
    assert verdict["ko"]["headline"] == (
        "크로스인코더가 더 낫습니다. 피어슨 상관 0.899 대 0.880(p = 0.012)."
    )


def test_the_interval_is_that_of_the_winner_minus_the_other() -> None:
    said = english(bi_wins_results())
    assert "0.031 higher in Pearson than the cross-encoder (95% interval [0.016, 0.046]" in said


def test_the_difference_keeps_the_sign_of_the_results() -> None:
    verdict = compute_verdict(bi_wins_results())
    assert verdict["winner"] == "bi"
    assert (verdict["first"], verdict["second"]) == ("cross", "bi")
    assert verdict["difference"] == -0.031


def test_the_advice_is_to_rerank_when_the_cross_encoder_wins() -> None:
    said = english(example_results())
    assert "retrieve 100 candidates with the bi-encoder and rerank them" in said
    assert "with 100,000 sentences a query then takes 1.18 s instead of 19.6 min" in said


def test_the_advice_is_the_bi_encoder_alone_when_it_wins() -> None:
    said = english(settled(bi_wins_results()))
    assert "What to do: use the bi-encoder alone; reranking" in said


def test_the_costs_are_those_of_the_results() -> None:
    results = example_results()
    results["cost"]["out_of_reach"] = {"query_one_second": 1_234, "all_pairs_one_hour": 56_789}
    said = english(results)
    assert "One pair alone takes 11.2 ms with the bi-encoder, 13.4 ms with the cross-" in said
    assert "In batches, pairs a second: 171 with the bi-encoder, 85.0 with the cross-" in said
    assert "beyond 1,234 sentences" in said
    assert "beyond 56,789" in said


def test_an_insignificant_difference_has_no_winner_and_says_how_many_pairs_are_needed() -> None:
    verdict = compute_verdict(undecided_results())
    assert verdict["winner"] is None
    assert verdict["sure"] is False
    assert verdict["pairs_needed"] == 4_100
    said = english(undecided_results())
    assert "cannot tell the two encoders apart" in said
    assert (
        "about 4,100 test pairs would show it (in 80% of such tests), 3,581 more than now" in said
    )
    assert "up to 0.019 in its favour is not ruled out" in said


def test_a_difference_that_no_number_of_pairs_shows_is_called_so() -> None:
    results = undecided_results()
    results["difference"]["pearson"] |= {"value": 1e-6, "pairs_needed": None}
    assert "no practical number of test pairs" in english(results)


def test_the_number_of_pairs_follows_from_the_interval_where_it_was_not_recorded() -> None:
    results = undecided_results()
    gap = results["difference"]["pearson"]
    del gap["pairs_needed"]
    error = (gap["high"] - gap["low"]) / 2 / norm.ppf(0.975)
    ratio = (norm.ppf(0.975) + norm.ppf(0.8)) * error / gap["value"]
    expected = f"about {np.ceil(519 * ratio**2):,.0f} test pairs would show it"
    assert expected in english(results)


def test_copies_of_a_pair_are_not_counted_towards_the_number_of_pairs() -> None:
    results = undecided_results()
    results["data"]["test"]["distinct_pairs"] = 40
    assert "about 4,100 test pairs would show it (in 80% of such tests), 4,060 more than now" in (
        english(results)
    )


def test_the_number_of_pairs_is_not_guessed_where_there_is_no_number_now() -> None:
    results = undecided_results()
    results["data"] = {}
    assert "number of test pairs" not in english(results)


def test_a_tiny_difference_is_called_tiny() -> None:
    results = example_results()
    results["encoders"]["cross"]["test"]["pearson"] = metric(0.883)
    results["difference"]["pearson"] = gap(0.003, 0.001, 0.0001)
    assert "is ahead for now, but only just" in english(results)
    said = english(settled(results))
    assert "better, but only just" in said
    assert "real but tiny" in said
    assert "hardly worth the cross-encoder's time" in said


@pytest.mark.parametrize(
    ("value", "p_value", "expected"),
    [
        (0.03, 0.01, "F1 at 3.0 agrees: 0.030 higher for the cross-encoder"),
        (0.03, 0.40, "F1 at 3.0 points the same way, within chance"),
        (-0.03, 0.40, "F1 at 3.0 points the other way, within chance"),
        (-0.03, 0.01, "F1 at 3.0 disagrees: the bi-encoder is 0.030 higher"),
        (0.0, 1.0, "F1 at 3.0 shows no difference"),
    ],
)
def test_f1_is_held_against_pearson(value: float, p_value: float, expected: str) -> None:
    results = example_results()
    results["difference"]["f1"] = gap(value, 0.02, p_value)
    assert expected in english(results)


@pytest.mark.parametrize(
    ("pearson", "f1", "f1_p", "expected"),
    [
        (0.001, 0.03, 0.01, "F1 at 3.0 does favour one: 0.030 higher for the cross-encoder"),
        (0.001, -0.03, 0.01, "F1 at 3.0 does favour one: 0.030 higher for the bi-encoder"),
        (-0.001, 0.03, 0.01, "F1 at 3.0 does favour one: 0.030 higher for the cross-encoder"),
        (0.001, -0.03, 0.4, "F1 at 3.0 cannot tell them apart either"),
    ],
)
def test_a_gap_by_chance_does_not_choose_what_f1_is_said_to_do(
    pearson: float, f1: float, f1_p: float, expected: str
) -> None:
    results = example_results()
    results["encoders"]["cross"]["test"]["pearson"] = metric(0.880 + pearson)
    results["difference"]["pearson"] = gap(pearson, 0.02, 0.9)
    results["difference"]["f1"] = gap(f1, 0.02, f1_p)
    assert expected in english(results)


@pytest.mark.parametrize(("value", "same"), [(0.0, True), (0.0004, True), (0.0006, False)])
def test_two_that_score_alike_are_not_called_higher_and_lower(value: float, same: bool) -> None:
    results = example_results()
    results["encoders"]["cross"]["test"]["pearson"] = metric(0.880 + value)
    results["difference"]["pearson"] = gap(value, 0.02, 0.98)
    assert ("have the same Pearson to three decimals (95% interval" in english(results)) == same
    assert ("higher in Pearson" in english(results)) != same


def test_one_encoder_gets_no_comparison() -> None:
    verdict = compute_verdict(one_encoder_results())
    assert verdict["winner"] is None
    assert "no other encoder to compare with" in verdict["en"]["headline"]
    assert verdict["en"]["warnings"] == []


def test_three_encoders_need_the_adjusted_p_values() -> None:
    verdict = compute_verdict(three_encoders_results())
    assert verdict["winner"] is None
    assert (verdict["first"], verdict["second"]) == ("cross-large", "cross")
    said = english(three_encoders_results())
    assert "The cross-encoder “cross-large” scores highest, but not beyond chance" in said
    assert "than the bi-encoder (95% interval [0.009, 0.039], p = 0.006)" in said


def test_three_encoders_have_a_winner_that_beats_both() -> None:
    results = three_encoders_results()
    results["pairwise"][2]["pearson"] |= {"p_value": 0.01, "p_adjusted": 0.02}
    assert compute_verdict(results)["winner"] == "cross-large"


def test_the_headline_names_the_one_from_which_the_best_is_not_told() -> None:
    """Here the leader is told from the second and not from the third, whose scores differ more."""
    results = three_encoders_results()
    results["pairwise"][2]["pearson"] |= {"p_value": 0.0001, "p_adjusted": 0.0003}
    results["pairwise"][1]["pearson"] |= {"p_value": 0.3, "p_adjusted": 0.3}
    verdict = compute_verdict(results)
    assert verdict["winner"] is None
    assert {verdict["first"], verdict["second"]} == {"cross-large", "bi"}
    assert verdict["p_value"] == 0.3
    assert verdict["en"]["headline"].endswith(
        "scores highest, but not beyond chance: Pearson 0.904 against 0.880 (p = 0.300)."
    )


def test_costs_of_another_cross_encoder_are_not_given_to_the_best_one() -> None:
    said = english(three_encoders_results())
    assert "The cross-encoder “cross” alone is out of reach beyond 85" in said
    assert "19.6 min" not in said


def test_two_encoders_of_one_kind_are_told_by_name() -> None:
    results = example_results()
    results["encoders"] = {
        "bi": results["encoders"]["bi"],
        "bi-2": encoder("bi", 0.899, 0.83, 3.0, 170.0),
    }
    results["difference"] = comparison("bi-2", "bi", 0.019, 0.012)
    verdict = compute_verdict(settled(results))
    assert verdict["winner"] == "bi-2"
    assert verdict["ko"]["headline"].startswith("‘bi-2’ 바이인코더가 더 낫습니다.")
    assert verdict["en"]["advice"] == "What to do: use the bi-encoder “bi-2”."


def test_an_undefined_pearson_gives_no_verdict_but_the_reason() -> None:
    results = example_results()
    why = {"undefined": "the labels are constant (all 3), so it is undefined; give other pairs"}
    for contender in results["encoders"].values():
        contender["test"]["pearson"] = why
    results["difference"]["pearson"] = why
    verdict = compute_verdict(results)
    assert verdict["winner"] is None
    assert verdict["en"]["headline"] == (
        "No verdict: Pearson is undefined (the labels are constant (all 3))."
    )


def test_where_no_pearson_is_defined_the_pairs_are_to_blame() -> None:
    results = example_results()
    for contender in results["encoders"].values():
        contender["test"]["pearson"] = {"undefined": "the labels are constant (all 3)"}
        contender["seeds"]["1"]["best_epoch"] = 5
    said = compute_verdict(results)["en"]
    assert said["advice"].startswith("What to do: test on more pairs, with labels that differ")
    assert any("trained once" in warning for warning in said["warnings"])


def test_collapsed_encoders_are_to_blame_where_no_pearson_is_defined() -> None:
    results = example_results()
    for contender in results["encoders"].values():
        contender["test"]["pearson"] = {"undefined": "the scores are constant (all 2.5)"}
        contender["seeds"]["1"]["constant"] = True
    assert (
        "train the bi-encoder and the cross-encoder again"
        in (compute_verdict(results)["en"]["advice"])
    )


def test_each_encoder_without_a_figure_is_told_its_own_cause() -> None:
    results = example_results()
    for name, times in (("bi", 2348), ("cross", 5801)):
        results["encoders"][name]["test"]["spearman"] = {"undefined": f"in {times} resamples"}
    said = english(results)
    assert "Spearman is undefined for the bi-encoder (in 2348 resamples)." in said
    assert "Spearman is undefined for the cross-encoder (in 5801 resamples)." in said


@pytest.mark.parametrize("saved", [True, False])
def test_saved_encoders_were_not_trained_on_the_pairs_of_this_run(saved: bool) -> None:
    results = example_results()
    results["data"]["train"] = results["data"]["test"]
    if saved:
        named = {name: {"kind": name, "artifact": f"mini-{name}"} for name in ("bi", "cross")}
        results["config"] = {"encoders": named}
    for contender in results["encoders"].values():
        for row in contender["seeds"]["1"]["history"]:
            row["pearson"] = 0.99
    finding = compute_finding(ComparisonResults.model_validate(results))
    assert finding.question is not None
    assert ("to train on" in finding.question.en) != saved
    assert ("학습 " in finding.question.ko) != saved
    fall = next(line.en for line in finding.warnings if "far lower" in line.en)
    assert ("of the training pairs" in fall) != saved


def test_one_pair_is_one_pair() -> None:
    results = example_results()
    results["data"]["used"]["test"] = 1
    finding = compute_finding(ComparisonResults.model_validate(results))
    assert finding.question is not None
    assert "1 pair to test on" in finding.question.en
    assert "The test set has only 1 pair:" in english(results)


def test_an_undefined_difference_gives_no_verdict() -> None:
    results = example_results()
    results["difference"]["pearson"] = None
    assert compute_verdict(results)["winner"] is None
    assert "the difference in Pearson is undefined" in english(results)


def test_an_undefined_metric_is_a_warning() -> None:
    said = english(undefined_results())
    assert (
        "F1 at 3.0 is undefined for the bi-encoder and the cross-encoder (no label reaches 3.0)."
    ) in said


def test_a_stand_in_backbone_is_a_warning() -> None:
    warnings = compute_verdict(no_sources_results())["en"]["warnings"]
    assert warnings[0].startswith("The backbone is a stand-in (a small ELECTRA trained from")


@pytest.mark.parametrize("split_off", [True, False])
def test_the_question_says_that_the_test_pairs_were_split_off(split_off: bool) -> None:
    results = example_results()
    if split_off:
        results["data"]["test_split_off"] = {"share": 0.2, "seed": 42, "test": 519}
    asked = compute_finding(ComparisonResults.model_validate(results)).question
    assert asked is not None
    assert ("519 pairs to test on, split off so that no sentence" in asked.en) == split_off
    assert ("떼어 둔 평가 519쌍" in asked.ko) == split_off


def test_few_test_pairs_are_a_warning() -> None:
    assert "only 60 pairs" in english(no_sources_results())
    assert "only 519 pairs" not in english(example_results())


@pytest.mark.parametrize(("distinct", "warned"), [(40, True), (250, True), (500, False)])
def test_copies_of_a_pair_are_no_more_pairs(distinct: int, warned: bool) -> None:
    results = example_results()
    results["data"]["test"]["distinct_pairs"] = distinct
    said = english(results)
    assert (f"519 pairs of which only {distinct} are distinct" in said) == warned
    assert ("Label more pairs; 200 tell far more" in said) == (distinct < 200)
    assert ("the others are copies" in said) == (warned and distinct >= 200)


@pytest.mark.parametrize(
    ("pairs", "distinct", "warned"),
    [
        *((199, None, True), (200, None, False), (201, None, False)),
        *((400, 199, True), (400, 200, False), (402, 200, True), (402, 201, False)),
    ],
)
def test_from_200_distinct_pairs_on_half_of_all_a_test_set_is_large_enough(
    pairs: int, distinct: int | None, warned: bool
) -> None:
    results = settled(example_results())
    results["data"]["used"]["test"] = pairs
    results["data"]["test"]["distinct_pairs"] = distinct
    assert ("The test set has" in english(results)) == warned


def test_a_verdict_with_warnings_is_provisional() -> None:
    verdict = compute_verdict(example_results())
    assert verdict["provisional"] is True
    assert verdict["en"]["headline"].startswith("The cross-encoder is ahead for now: Pearson 0.899")
    assert verdict["en"]["advice"].startswith("What to do until that is settled: in a large")
    assert verdict["ko"]["headline"].startswith("지금은 크로스인코더가 앞섭니다.")


def test_equal_care_is_stated_with_what_each_made_of_it() -> None:
    results = settled(example_results())
    for contender, steps in zip(results["encoders"].values(), (700, 900), strict=True):
        for run in contender["seeds"].values():
            run |= {"ceiling": 10, "patience": 3, "train_pairs": 10_484, "trials": 4}
            run |= {"train_digest": "d", "steps": steps}
    said = english(results)
    assert (
        "Equal care: each was given 10,484 pairs, at most 10 epochs, patience 3, "
        "4 configurations, 3 seeds. The bi-encoder trained 5 epochs a seed, in all 2,100 steps, "
        "30.6 min; the cross-encoder trained 5 epochs a seed, in all 2,700 steps, 30.6 min."
    ) in said
    assert "Unequal care" not in said


@pytest.mark.parametrize(
    "change", [{"ceiling": 4}, {"patience": 0}, {"trials": 24}, {"train_digest": "other"}]
)
def test_unequal_care_is_a_warning(change: dict[str, object]) -> None:
    results = settled(example_results())
    alike = {"ceiling": 10, "patience": 3, "train_digest": "d", "trials": 1}
    for contender in results["encoders"].values():
        for run in contender["seeds"].values():
            run |= alike
    assert compute_verdict(results)["en"]["warnings"] == []
    for run in results["encoders"]["cross"]["seeds"].values():
        run |= change
    (warning,) = compute_verdict(results)["en"]["warnings"]
    assert warning.startswith("Unequal care: the bi-encoder had")


@pytest.mark.parametrize(("digest", "warned"), [("other", True), (None, False)])
def test_as_many_other_pairs_are_no_equal_care(digest: str | None, warned: bool) -> None:
    results = settled(example_results())
    for name, contender in results["encoders"].items():
        for run in contender["seeds"].values():
            run |= {"ceiling": 10, "patience": 3, "trials": 1, "train_pairs": 2_160}
            run |= {"train_digest": "d" if name == "bi" else digest}
    said = english(results)
    assert ("; as many pairs, but not the same ones. Give all the same pairs" in said) == warned
    assert ("Unequal care" in said) == warned


def test_seeds_that_spread_wider_than_the_difference_are_a_warning() -> None:
    said = english(seeds_results())
    assert "Over 3 seeds the Pearson of the bi-encoder runs from 0.865 to 0.895" in said


def test_one_seed_is_a_warning_only_where_it_was_trained() -> None:
    results = example_results()
    assert "trained once" in english(results)
    for contender in results["encoders"].values():
        contender["seeds"]["1"]["history"] = []
    assert "trained once" not in english(results)


def test_different_backbones_are_a_warning() -> None:
    results = example_results()
    results["encoders"]["bi"]["backbone"] = "another"
    assert "different backbones (another, e5-small-ko)" in english(results)


def test_a_loss_that_compared_within_processes_is_told() -> None:
    results = example_results()
    bi = results["encoders"]["bi"]
    bi["loss"] = "cosent"
    for run in bi["seeds"].values():
        run |= {"processes": 4, "notices": ["loss cosent compares the pairs of a batch"]}
    warning = "The loss of the bi-encoder, cosent, compares the pairs of a batch with each other"
    assert f"{warning}; trained on 4 processes" in english(results)
    assert warning not in english(example_results())
    for run in bi["seeds"].values():
        run |= {"processes": 1, "notices": ["the tokenizer makes [UNK] of 10% of the tokens"]}
    assert warning not in english(results)
