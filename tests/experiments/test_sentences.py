"""Every sentence that states a difference says what the table says, in both languages."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kosim.encoders.language import LANGUAGES, Language, text
from kosim.experiments.comparison.facts import Facts
from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.comparison.slice_report import concentrated
from kosim.experiments.retrieval.finding import compute_finding as retrieval_finding
from kosim.experiments.retrieval.results import RetrievalResults
from kosim.experiments.study.figures import between
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
@given(pearson=gaps(), adjusted=P_VALUES, turned=st.booleans())
@settings(max_examples=examples(100), deadline=None)
def test_the_advice_leaves_open_only_what_the_table_does(
    language: Language, pearson: dict[str, float], adjusted: float, turned: bool
) -> None:
    """Also where the adjusted p-value and the interval do not agree."""
    adjusting = {**pearson, "p_adjusted": adjusted}
    results = compared(adjusting, {**adjusting}, turned=turned)
    advice = COMPARISON.finding(results).advice
    assert advice is not None
    gap = between([results.difference], "cross", "bi", "pearson")
    assert gap is not None
    open_up_to = re.search(rf"(?:up to|최대) ({NUMBER})", text(advice, language))
    if open_up_to is not None:
        assert not gap.significant
        assert number(open_up_to[1]) == round(gap.high, 3)
        assert gap.high > 0
    worse = {"en": "lose quality", "ko": "품질은 떨어집니다"}[language]
    assert (worse in text(advice, language)) == (gap.significant and gap.value < 0)


@pytest.mark.parametrize("language", LANGUAGES)
@given(errors=st.lists(gaps(), min_size=2, max_size=5), turned=st.lists(st.booleans(), min_size=5))
@settings(max_examples=examples(100), deadline=None)
def test_the_slices_state_differences_as_their_table_does(
    language: Language, errors: list[dict[str, float]], turned: list[bool]
) -> None:
    """The first difference is that over all pairs; each slice may be recorded either way round."""
    slices = []
    for place, error in enumerate(errors[1:]):
        sides, recorded = ("bi", "cross"), error
        if turned[place]:
            sides = ("cross", "bi")
            recorded = {
                **error,
                "value": -error["value"],
                "low": -error["high"],
                "high": -error["low"],
            }
        slices.append(
            {
                **{"family": "domain", "name": str(place), "n": 60, "error": recorded},
                **{"first": sides[0], "second": sides[1]},
                **{"errors": {"bi": 1.0, "cross": 1.0}, "pearsons": {"bi": 0.5, "cross": 0.5}},
            }
        )
    sliced = {"first": "bi", "second": "cross", "overall": errors[0], "slices": slices}
    results = ComparisonResults.model_validate(example_results() | {"slices": sliced})
    line = concentrated(Facts(results))
    if line is None:
        return
    said = text(line, language)
    better = "cross" if errors[0]["value"] > 0 else "bi"
    other = "bi" if better == "cross" else "cross"
    assert HIGHER[language][better] in said
    assert HIGHER[language][other] not in said
    assert results.slices is not None
    tested = [between([one], other, better, "error") for one in results.slices.slices]
    triples = {
        tuple(round(side, 3) + 0.0 for side in (gap.value, gap.low, gap.high))
        for gap in tested
        if gap is not None and gap.significant and gap.value > abs(errors[0]["value"])
    }
    stated = re.findall(rf"({NUMBER})(?: points|점)[^\[]*\[({NUMBER}), ({NUMBER})\]", said)
    assert stated
    assert {tuple(map(number, found)) for found in stated} <= triples
    over_all = re.search(rf"(?:is |오차가 )({NUMBER})[^\[]*$", said)
    if over_all is not None:
        assert number(over_all[1]) == round(abs(errors[0]["value"]), 3)


def test_an_interval_carries_the_level_of_the_run() -> None:
    results = example_results() | {"config": {"evaluation": {"level": 0.9}}}
    for form, language in product(("html", "md"), LANGUAGES):
        page = COMPARISON.render(form, ComparisonResults.model_validate(results), language=language)
        assert "90%" in page
        assert "95%" not in page


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
