"""Every sentence that states a difference says what the table says, in both languages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.retrieval.finding import compute_finding as retrieval_finding
from kosim.experiments.retrieval.results import RetrievalResults
from kosim.experiments.study.language import LANGUAGES, Language, text
from tests.conftest import examples
from tests.experiments.fixtures import example_results, metric

GAPS = st.floats(-0.2, 0.2, allow_nan=False)
HALVES = st.floats(0.0, 0.2, allow_nan=False)
P_VALUES = st.sampled_from([0.0001, 0.01, 0.05, 0.06, 0.4, 1.0])

NUMBER = r"[+−]?\d\.\d{3}"
STATED = {
    "en": re.compile(rf"({NUMBER}) higher.*?interval \[({NUMBER}), ({NUMBER})\]"),
    "ko": re.compile(rf"({NUMBER}) 높.*?신뢰 구간 \[({NUMBER}), ({NUMBER})\]"),
}
HIGHER: dict[Language, dict[str, str]] = {
    "en": {"bi": "bi-encoder", "cross": "cross-encoder"},
    "ko": {"bi": "바이인코더", "cross": "크로스인코더"},
}


def number(written: str) -> float:
    return float(written.replace("−", "-"))


@st.composite
def gaps(draw: st.DrawFn) -> dict[str, float]:
    value, below, above = draw(GAPS), draw(HALVES), draw(HALVES)
    return {"value": value, "low": value - below, "high": value + above, "p_value": draw(P_VALUES)}


def compared(pearson: dict[str, float], f1: dict[str, float], *, turned: bool) -> ComparisonResults:
    """A comparison of cross minus bi, recorded so or turned round, with values that fit."""
    results = example_results()
    results["encoders"]["bi"]["test"]["pearson"] = metric(0.7)
    results["encoders"]["cross"]["test"]["pearson"] = metric(0.7 + pearson["value"])
    sides: dict[str, Any] = {"first": "cross", "second": "bi"}
    figures = {"pearson": pearson, "f1": f1}
    if turned:
        sides = {"first": "bi", "second": "cross"}
        figures = {
            name: {**g, "value": -g["value"], "low": -g["high"], "high": -g["low"]}
            for name, g in figures.items()
        }
    results["difference"] = {**sides, **figures}
    results["pairwise"] = [results["difference"]]
    return ComparisonResults.model_validate(results)


@pytest.mark.parametrize("language", LANGUAGES)
@given(pearson=gaps(), f1=gaps(), turned=st.booleans())
@settings(max_examples=examples(150), deadline=None)
def test_the_verdict_states_differences_as_the_table_does(
    language: Language, pearson: dict[str, float], f1: dict[str, float], turned: bool
) -> None:
    results = compared(pearson, f1, turned=turned)
    assert results.difference is not None
    for line in COMPARISON.finding(results).sentences:
        said = text(line, language)
        found = STATED[language].search(said)
        if found is None:
            continue
        value, low, high = map(number, found.groups())
        gap = results.difference.difference("f1" if "F1" in said else "pearson")
        assert gap is not None
        gap = gap.upward()
        # Of no difference neither side is the higher one, and either way round is right.
        either = [gap, gap.turned()] if gap.value == 0 else [gap]
        assert (value, low, high) in [
            tuple(round(side, 3) + 0.0 for side in (each.value, each.low, each.high))
            for each in either
        ]
        assert value >= 0
        assert low - 0.001 <= value <= high + 0.001
        if value > 0:
            named = {n: said.find(word) for n, word in HIGHER[language].items() if word in said}
            better = min(named, key=lambda name: named[name])
            assert better == gap.first


@pytest.mark.parametrize("language", LANGUAGES)
@given(gap=gaps(), turned=st.booleans())
@settings(max_examples=examples(100), deadline=None)
def test_a_retrieval_states_differences_as_the_table_does(
    language: Language, gap: dict[str, float], turned: bool
) -> None:
    """Of reranking minus the bi-encoder alone, whichever way it was recorded."""

    def way(key: str, value: float, depth: int | None) -> dict[str, Any]:
        figure = {"value": value, "low": value, "high": value}
        latency = {"p50": 1.0, "p95": 2.0, "queries": 3}
        return {
            **{"key": key, "mode": "dense", "depth": depth, "latency_ms": latency},
            "metrics": {"ndcg@10": figure},
        }

    sides, recorded = ("rerank-10", "dense"), gap
    if turned:
        sides = ("dense", "rerank-10")
        recorded = {**gap, "value": -gap["value"], "low": -gap["high"], "high": -gap["low"]}
    results = RetrievalResults.model_validate(
        {
            **{"name": "r", "created": "now", "kosim_version": "0", "primary": "ndcg@10"},
            "task": {"documents": 9, "queries": 9, "groups": 40},
            "rows": [way("dense", 0.5, None), way("rerank-10", 0.5 + gap["value"], 10)],
            "comparisons": [{"first": sides[0], "second": sides[1], "ndcg@10": recorded}],
        }
    )
    said = text(retrieval_finding(results).sentences[0], language)
    found = re.search(rf"nDCG@10 ({NUMBER}) \[({NUMBER}), ({NUMBER})\]", said)
    assert found is not None
    stated = tuple(map(number, found.groups()))
    assert stated == tuple(round(gap[side], 3) + 0.0 for side in ("value", "low", "high"))
