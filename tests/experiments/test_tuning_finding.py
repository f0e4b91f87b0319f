"""What a study says in words."""

from __future__ import annotations

from typing import Any

import pytest

from kosim.experiments.tuning.finding import compute_finding
from kosim.experiments.tuning.results import TuneResults


def trial(value: float) -> dict[str, Any]:
    return {"number": 0, "state": "complete", "value": value, "values": {}}


def results(**changes: Any) -> TuneResults:
    return TuneResults.model_validate(
        {
            "name": "tuning",
            "created": "2026-11-25T19:25:14+00:00",
            "kosim_version": "0.1.0",
            "study": "s",
            "kind": "bi",
            "sampler": "tpe",
            "seeds": [1],
            "settings": {},
            "metric": "pearson",
            "prune": None,
            "best": trial(0.9),
            "base": trial(0.85),
            "parameters": [
                {"name": "epochs", "base": 10, "best": 20},
                {"name": "warmup", "base": 0.0, "best": 0.0},
            ],
            "trials": [trial(0.9)] * 24,
            "cost": cost(0),
            "test": None,
            **changes,
        }
    )


def cost(out_of_memory: int) -> dict[str, Any]:
    return {
        "epochs": 120,
        "epochs_unpruned": 240,
        "epochs_saved": 0.5,
        "out_of_memory": out_of_memory,
    }


def on_test(value: float, p: float, *, turned: bool = False) -> dict[str, Any]:
    """Best minus base, or, turned, base minus best as recorded."""
    sign = -1 if turned else 1
    low, high = sorted((sign * (value - 0.01), sign * (value + 0.03)))
    return {
        "difference": {
            "first": "base" if turned else "best",
            "second": "best" if turned else "base",
            "pearson": {"value": sign * value, "low": low, "high": high, "p_value": p},
        },
        "encoders": {},
    }


def said(found: TuneResults, language: str = "en") -> dict[str, Any]:
    return compute_finding(found).to_json()[language]


@pytest.mark.parametrize(
    ("test", "english", "korean"),
    [
        (
            on_test(0.02, 0.012),
            "better on the test: Pearson +0.020 [0.010, 0.050], p = 0.012.",
            "더 낫습니다",
        ),
        (
            on_test(-0.02, 0.012),
            "worse on the test: Pearson −0.020 [−0.030, 0.010], p = 0.012.",
            "더 나쁩니다",
        ),
        (on_test(0.01, 0.4), "cannot tell the tuned encoder from the base", "구별할 수 없습니다"),
        (
            on_test(0.02, 0.012, turned=True),
            "better on the test: Pearson +0.020 [0.010, 0.050], p = 0.012.",
            "더 낫습니다",
        ),
        (None, "Best Pearson on the validation pairs: 0.900.", "0.900"),
    ],
)
def test_headline_follows_the_test(test: Any, english: str, korean: str) -> None:
    found = compute_finding(results(test=test)).to_json()
    assert english in found["en"]["headline"]
    assert korean in found["ko"]["headline"]
    assert bool(found["en"]["warnings"]) == bool(found["ko"]["warnings"]) == (test is None)


def test_only_what_changed_is_named() -> None:
    sentences = said(results())["sentences"]
    assert "Best on the validation pairs: Pearson 0.900 with epochs 10 → 20." in sentences
    assert "The base reached 0.850 there (+0.050)." in sentences


def test_a_base_that_was_the_best_is_said_to_be() -> None:
    same = [{"name": "epochs", "base": 10, "best": 10}]
    found = said(results(parameters=same))
    assert found["headline"] == "Nothing that was tried is better than the base."
    assert found["warnings"] == []


def test_pruning_is_mentioned_where_there_was_some() -> None:
    assert "Pruning" not in " ".join(said(results())["sentences"])
    sentences = said(results(prune="median"))["sentences"]
    assert "Pruning saved 50.0% of the 240 that they would have taken." in sentences


def test_what_did_not_fit_into_memory_gets_advice() -> None:
    warnings = said(results(cost=cost(3), test=on_test(0.02, 0.01)))["warnings"]
    assert warnings == [
        "3 trials did not fit into memory: halve batch_size and double gradient_accumulation to "
        "try them."
    ]
