"""Explanations against closed forms and brute force; the encoders' own in the interface's suite."""

from __future__ import annotations

import itertools
import math
import unicodedata

import numpy as np
import pytest

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.explanation import explain_pair, most_important

PAIR = ("거실 불 꺼 줘", "거실 조명 꺼")


def additive(pairs: list[tuple[str, str]]) -> np.ndarray:
    """Score a pair by the letters of its words, each for itself."""
    return np.array([0.25 + sum(map(len, (a + " " + b).split())) / 10 for a, b in pairs])


def matching(pairs: list[tuple[str, str]]) -> np.ndarray:
    """Score a pair by the words that stand in both sentences, more than proportionally."""
    return np.array([1.0 + len(set(a.split()) & set(b.split())) ** 1.5 for a, b in pairs])


def brute_force(score, pair: tuple[str, str]) -> np.ndarray:
    """Shapley values by their definition: the mean gain over every order of the words."""
    first, second = (text.split() for text in pair)
    words = [*first, *second]

    def worth(kept: set[int]) -> float:
        a = " ".join(word for i, word in enumerate(first) if i in kept)
        b = " ".join(word for i, word in enumerate(second) if i + len(first) in kept)
        return float(score([(a, b)])[0])

    total = np.zeros(len(words))
    for order in itertools.permutations(range(len(words))):
        kept: set[int] = set()
        for one in order:
            before = worth(kept)
            kept.add(one)
            total[one] += worth(kept) - before
    return total / math.factorial(len(words))


def test_words_that_count_for_themselves_get_what_they_count() -> None:
    found = explain_pair(additive, PAIR)
    assert found.exact
    np.testing.assert_allclose(found.values1, [0.2, 0.1, 0.1, 0.1])
    np.testing.assert_allclose(found.values2, [0.2, 0.2, 0.1])
    np.testing.assert_allclose(found.interaction, 0, atol=1e-12)
    assert found.base == pytest.approx(0.25)
    assert found.score == pytest.approx(1.25)


def test_exact_values_are_those_of_every_order() -> None:
    found = explain_pair(matching, PAIR)
    expected = brute_force(matching, PAIR)
    np.testing.assert_allclose(np.concatenate([found.values1, found.values2]), expected)


def test_drawn_orders_come_near_the_exact_values_and_sum_exactly() -> None:
    exact = explain_pair(matching, PAIR)
    drawn = explain_pair(matching, PAIR, exact_units=0, orders=2_000, seed=3)
    assert not drawn.exact
    np.testing.assert_allclose(drawn.values1, exact.values1, atol=0.05)
    np.testing.assert_allclose(drawn.values2, exact.values2, atol=0.05)
    few = explain_pair(matching, PAIR, exact_units=0, orders=2)
    assert few.values1.sum() + few.values2.sum() == pytest.approx(few.score - few.base)


def test_interaction_is_that_of_joint_removal() -> None:
    found = explain_pair(matching, PAIR)
    # 거실 and 거실 are the same word: both are needed, so either alone takes what both take.
    gain = 2**1.5 - 1
    assert found.interaction[0, 0] == pytest.approx(gain)
    assert found.interaction[0, 1] == pytest.approx(0)
    assert found.interaction.shape == (4, 3)


def test_a_mask_stands_where_a_word_was() -> None:
    seen: list[tuple[str, str]] = []

    def remember(pairs: list[tuple[str, str]]) -> np.ndarray:
        seen.extend(pairs)
        return additive(pairs)

    explain_pair(remember, ("불 꺼", "꺼"), mask="[MASK]")
    assert ("[MASK] 꺼", "꺼") in seen
    assert ("[MASK] [MASK]", "[MASK]") in seen


def test_morphemes_join_to_their_words() -> None:
    pytest.importorskip("kiwipiepy")
    found = explain_pair(additive, ("거실에서 불을 켰다", "불을 꺼라"), unit="morpheme")
    assert "".join(found.units1) == "거실에서불을켰다"
    assert {"거실", "에서"} <= set(found.units1)
    total = found.values1.sum() + found.values2.sum()
    assert total == pytest.approx(found.score - found.base)


@pytest.mark.parametrize("unit", ["word", "morpheme"])
def test_the_score_is_that_of_the_sentences_as_they_were_given(unit) -> None:
    if unit == "morpheme":
        pytest.importorskip("kiwipiepy")

    def spaced(pairs: list[tuple[str, str]]) -> np.ndarray:
        return np.array([len(a) + len(b) for a, b in pairs], dtype=float)

    pair = (" 거실  불\n꺼 ", unicodedata.normalize("NFD", "거실 조명 😀"))
    found = explain_pair(spaced, pair, unit=unit)
    assert found.score == spaced([pair])[0]
    assert found.values1.sum() + found.values2.sum() == pytest.approx(found.score - found.base)


def test_one_blank_sentence_is_explained_by_the_other() -> None:
    found = explain_pair(additive, ("", "불 꺼"))
    assert found.values1.shape == (0,)
    assert found.interaction.shape == (0, 2)
    np.testing.assert_allclose(found.values2, [0.1, 0.1])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pair": ("", " ")}, DataError, "both sentences are blank"),
        ({"pair": ("가 " * 400, "나")}, DataError, "have 401 words; at most 400"),
        ({"pair": PAIR, "unit": "letter"}, ConfigError, "unit 'letter' is unknown"),
        ({"pair": PAIR, "orders": 3}, ConfigError, "orders is 3"),
        ({"pair": PAIR, "orders": 20_000}, ConfigError, "even number from 2 to 10,000"),
        ({"pair": PAIR, "orders": "16"}, ConfigError, "orders is '16'"),
        ({"pair": PAIR, "seed": -1}, ConfigError, "seed is -1"),
        ({"pair": PAIR, "seed": 0.5}, ConfigError, "seed is 0.5"),
    ],
)
def test_what_cannot_be_explained_is_refused(options, error, message) -> None:
    with pytest.raises(error, match=message):
        explain_pair(additive, **options)


def test_the_most_important_units_come_first() -> None:
    found = explain_pair(additive, ("가 나나나", "다다"))
    assert most_important(found, 2) == [1, 2]
