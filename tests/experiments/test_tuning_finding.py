"""What a study says in words."""

from __future__ import annotations

from typing import Any

import pytest

from kosim.experiments.tuning.finding import compute_finding


def results(**changes: Any) -> dict[str, Any]:
    return {
        "metric": "pearson",
        "prune": None,
        "best": {"value": 0.9},
        "base": {"value": 0.85},
        "parameters": [
            {"name": "epochs", "base": 10, "best": 20},
            {"name": "warmup", "base": 0.0, "best": 0.0},
        ],
        "trials": [{}] * 24,
        "cost": {"epochs": 120, "epochs_unpruned": 240, "epochs_saved": 0.5, "out_of_memory": 0},
        "test": None,
        **changes,
    }


def on_test(value: float, p: float) -> dict[str, Any]:
    return {"difference": {"pearson": {"value": value, "p_value": p}}}


@pytest.mark.parametrize(
    ("test", "english", "korean"),
    [
        (on_test(0.02, 0.012), "better on the test: Pearson +0.020, p = 0.012.", "더 낫다"),
        (on_test(-0.02, 0.012), "worse on the test: Pearson −0.020, p = 0.012.", "더 나쁘다"),
        (on_test(0.01, 0.4), "cannot tell the tuned encoder from the base", "구별할 수 없다"),
        (None, "Best Pearson on the validation pairs: 0.900.", "0.900"),
    ],
)
def test_headline_follows_the_test(test: Any, english: str, korean: str) -> None:
    found = compute_finding(results(test=test))
    assert english in found["en"]["headline"]
    assert korean in found["ko"]["headline"]
    assert bool(found["en"]["warnings"]) == bool(found["ko"]["warnings"]) == (test is None)


def test_only_what_changed_is_named() -> None:
    said = compute_finding(results())["en"]["sentences"]
    assert "Best on the validation pairs: Pearson 0.900 with epochs 10 → 20." in said
    assert "The base reached 0.850 there (+0.050)." in said


def test_a_base_that_was_the_best_is_said_to_be() -> None:
    same = [{"name": "epochs", "base": 10, "best": 10}]
    found = compute_finding(results(parameters=same))
    assert found["en"]["headline"] == "Nothing that was tried is better than the base."
    assert found["en"]["warnings"] == []


def test_pruning_is_mentioned_where_there_was_some() -> None:
    assert "Pruning" not in " ".join(compute_finding(results())["en"]["sentences"])
    said = compute_finding(results(prune="median"))["en"]["sentences"]
    assert "Pruning saved 50.0% of the 240 that they would have taken." in said


def test_what_did_not_fit_into_memory_gets_advice() -> None:
    cost = {"epochs": 1, "epochs_unpruned": 1, "epochs_saved": 0.0, "out_of_memory": 3}
    warnings = compute_finding(results(cost=cost, test=on_test(0.02, 0.01)))["en"]["warnings"]
    assert warnings == [
        "3 trials did not fit into memory: halve batch_size and double gradient_accumulation to "
        "try them."
    ]
