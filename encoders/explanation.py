"""How much each word of a pair adds to its score: Shapley values of the words of both sentences.

The players of the game are the words of both sentences, and the worth of a set of words is the
score of the pair of which only these words are left. The Shapley value of a word (Shapley 1953) is
what it adds to the words before it, averaged over every order of the words. So the values sum to
the score of the pair less the score of two texts of which nothing is left.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.records import Pair
from kosim.encoders.tokenizers.kiwi import composed, kiwi_version, load_kiwi

Unit = Literal["word", "morpheme"]
Masking = Literal["removal", "mask"]

EXACT_UNITS = 9
"""Up to so many units every set of them is scored, which is exact: 512 pairs."""

ORDERS = 16
"""Orders that are drawn for more units, half of them the reverse of the other half."""

MOST_ORDERS = 10_000
"""Orders that can be drawn: the values hardly change any more, and memory grows with them."""

MOST_UNITS = 400
"""Units of both sentences that are explained: the work grows with the square of their number."""

Score = Callable[[list[Pair]], npt.NDArray[np.float32]]
"""Scores pairs: (n,) for n pairs."""


@dataclass(frozen=True)
class Text:
    """A sentence cut into units: words, each of one piece or of several morphemes."""

    whole: str
    words: tuple[tuple[str, ...], ...]

    @property
    def units(self) -> tuple[str, ...]:
        """The pieces of all words, in order."""
        return tuple(piece for word in self.words for piece in word)

    def keep(self, kept: npt.NDArray[np.bool_], mask: str | None) -> str:
        """Return the text with the other units removed, or replaced by ``mask``.

        With every unit kept it is the sentence as it was given, white space and all: its score is
        what is explained.
        """
        if self.words and kept.all():
            return self.whole
        flags = iter(kept)
        words = []
        for word in self.words:
            pieces = [piece if next(flags) else mask for piece in word]
            words.append("".join(piece for piece in pieces if piece is not None))
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Explanation:
    """What the units of both sentences add to the score of a pair, in points of the 0-5 scale.

    ``values1`` (m,) and ``values2`` (n,) sum to ``score`` - ``base``, the score of the pair of
    which every unit is left out: of two empty texts, or of mask tokens alone where units are
    masked. ``interaction`` (m, n) is
    what unit i of the first and unit j of the second sentence are worth together beyond what each
    is worth alone: v(all) - v(without i) - v(without j) + v(without both). ``exact`` says whether
    every set of units was scored; otherwise the values are estimates from ``orders`` drawn orders.
    """

    sentence1: str
    sentence2: str
    units1: tuple[str, ...]
    units2: tuple[str, ...]
    values1: npt.NDArray[np.float64]
    values2: npt.NDArray[np.float64]
    interaction: npt.NDArray[np.float64]
    score: float
    base: float
    unit: Unit
    masking: Masking
    exact: bool
    orders: int

    def to_dict(self) -> dict[str, object]:
        """Return the explanation as plain values, for JSON."""
        return {
            "sentence1": self.sentence1,
            "sentence2": self.sentence2,
            "score": self.score,
            "base": self.base,
            "unit": self.unit,
            "masking": self.masking,
            "exact": self.exact,
            "orders": self.orders,
            "units1": [
                {"text": text, "value": float(value)}
                for text, value in zip(self.units1, self.values1, strict=True)
            ],
            "units2": [
                {"text": text, "value": float(value)}
                for text, value in zip(self.units2, self.values2, strict=True)
            ],
            "interaction": self.interaction.tolist(),
        }

    def __repr__(self) -> str:
        return (
            f"Explanation({self.score:.2f} of 5, {len(self.units1)} and {len(self.units2)} "
            f"{self.unit}s, masking by {self.masking}, {'exact' if self.exact else 'sampled'})"
        )


def explain_pair(
    score: Score,
    pair: Pair,
    *,
    unit: Unit = "word",
    mask: str | None = None,
    exact_units: int = EXACT_UNITS,
    orders: int = ORDERS,
    seed: int = 0,
) -> Explanation:
    """Explain the score of a pair by its units.

    Args:
        score: scores pairs, in one call for all that an explanation needs.
        pair: two sentences.
        unit: what a sentence is cut into: words between spaces (eojeol), or Kiwi's morphemes.
        mask: text that replaces a unit that is left out; the unit is removed when None.
        exact_units: number of units of both sentences up to which every set is scored.
        orders: even number of orders that are drawn where there are more units.
        seed: of the drawn orders, 0 or more.

    Raises:
        DataError: both sentences are blank, or too long.
        ConfigError: the unit is unknown, ``orders`` is not an even number from 2 to `MOST_ORDERS`,
            or ``seed`` is not a whole number from 0 on.
        MissingExtraError: ``unit`` is morpheme and kiwipiepy is not installed.
    """
    if unit not in get_args(Unit):
        raise ConfigError(f"unit {unit!r} is unknown; choose word or morpheme")
    if not isinstance(orders, Integral) or not 2 <= orders <= MOST_ORDERS or orders % 2:
        raise ConfigError(f"orders is {orders!r}; give an even number from 2 to {MOST_ORDERS:,}")
    if not isinstance(seed, Integral) or seed < 0:
        raise ConfigError(f"seed is {seed!r}; give a whole number from 0 on")
    first, second = (cut_text(text, unit) for text in pair)
    count1, count2 = len(first.units), len(second.units)
    count = count1 + count2
    if not count:
        raise DataError("both sentences are blank; give a pair with at least one word")
    if count > MOST_UNITS:
        raise DataError(
            f"the sentences have {count:,} {unit}s; at most {MOST_UNITS} can be explained: shorten "
            "them"
        )
    sets, steps = _all_sets(count) if count <= exact_units else _drawn_orders(count, orders, seed)
    less = _leave_out(count1, count2)
    wanted, rows = np.unique(np.concatenate([sets, less]), axis=0, return_inverse=True)
    texts = [(first.keep(s[:count1], mask), second.keep(s[count1:], mask)) for s in wanted]
    worth = np.asarray(score(texts), dtype=np.float64)[rows.reshape(-1)]
    values = steps(worth[: len(sets)])
    whole, without1, without2, without = np.split(
        worth[len(sets) :], np.cumsum([1, count1, count2])
    )
    both = without.reshape(count1, count2)
    empty = worth[int(np.flatnonzero(~sets.any(axis=1))[0])]
    return Explanation(
        sentence1=pair[0],
        sentence2=pair[1],
        units1=first.units,
        units2=second.units,
        values1=values[:count1],
        values2=values[count1:],
        interaction=whole[0] - without1[:, None] - without2[None, :] + both,
        score=float(whole[0]),
        base=float(empty),
        unit=unit,
        masking="removal" if mask is None else "mask",
        exact=count <= exact_units,
        orders=0 if count <= exact_units else orders,
    )


def mask_token(tokenizer: Any, masking: str) -> str:
    """Return the text of a tokenizer's mask token, for ``masking`` "mask".

    Raises:
        ConfigError: ``masking`` is something else, or the tokenizer has no mask token.
    """
    if masking not in get_args(Masking):
        raise ConfigError(f"masking {masking!r} is unknown; choose removal or mask")
    token = getattr(tokenizer, "mask_token", None)
    if not token:
        raise ConfigError("the encoder's tokenizer has no mask token; choose masking by removal")
    return str(token)


def cut_text(text: str, unit: Unit) -> Text:
    """Return a sentence cut into its units.

    Raises:
        MissingExtraError: ``unit`` is morpheme and kiwipiepy is not installed.
    """
    if unit == "word":
        return Text(text, tuple((word,) for word in text.split()))
    kiwi_version("an explanation by morphemes")
    whole, text = text, composed(text)
    spans: list[tuple[int, int]] = []
    for token in next(iter(load_kiwi().tokenize([text]))):
        start, end = token.start, token.start + token.len
        if spans and start < spans[-1][1]:  # contracted morphemes share their letters
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        elif end > start:
            spans.append((start, end))
    words: list[tuple[str, ...]] = []
    position = 0
    for word in text.split():
        start = text.index(word, position)
        position = start + len(word)
        bounds = {start, position}
        for span in spans:
            bounds |= {bound for bound in span if start < bound < position}
        edges = sorted(bounds)
        words.append(tuple(text[a:b] for a, b in itertools.pairwise(edges)))
    return Text(whole, tuple(words))


Sets = npt.NDArray[np.bool_]
Steps = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def _all_sets(count: int) -> tuple[Sets, Steps]:
    """Return every set of units, (2^n, n), and what turns their worths into Shapley values.

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)); the weight is
    1 / (n C(n - 1, |S|)).
    """
    numbers = np.arange(1 << count)
    sets = (numbers[:, None] >> np.arange(count) & 1).astype(bool)
    sizes = sets.sum(axis=1)
    weights = np.array([1 / (count * math.comb(count - 1, size)) for size in range(count)])

    def values(worth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        result = np.empty(count)
        for one in range(count):
            absent = numbers[~sets[:, one]]
            gains = worth[absent | 1 << one] - worth[absent]
            result[one] = weights[sizes[absent]] @ gains
        return result

    return sets, values


def _drawn_orders(count: int, orders: int, seed: int) -> tuple[Sets, Steps]:
    """Return the sets along drawn orders, and what turns their worths into estimates.

    Every order is followed by its reverse, which takes variance away (Mitchell et al. 2022,
    "Sampling Permutations for Shapley Value Estimation"). The gains along an order sum to
    v(all) - v(none), and so do their means.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(count) for _ in range(orders // 2)]
    both = np.array([one for order in drawn for one in (order, order[::-1])])
    ranks = np.argsort(both, axis=1)
    sets = (ranks[:, None, :] < np.arange(count + 1)[None, :, None]).reshape(-1, count)

    def values(worth: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        gains = np.diff(worth.reshape(len(both), count + 1), axis=1)
        return np.take_along_axis(gains, ranks, axis=1).mean(axis=0)

    return sets, values


def _leave_out(count1: int, count2: int) -> Sets:
    """Return the sets that lack nothing, one unit, or one of either sentence: 1 + m + n + mn."""
    count = count1 + count2
    single = ~np.eye(count, dtype=bool)
    double = single[:count1, None, :] & single[None, count1:, :]
    return np.concatenate([np.ones((1, count), dtype=bool), single, double.reshape(-1, count)])


def most_important(explanation: Explanation, top: int) -> Sequence[int]:
    """Return the ``top`` units of both sentences by absolute value, those of the second behind.

    Positions count the units of the first sentence and then those of the second.
    """
    values = np.concatenate([explanation.values1, explanation.values2])
    return [int(one) for one in np.argsort(-np.abs(values), kind="stable")[:top]]
