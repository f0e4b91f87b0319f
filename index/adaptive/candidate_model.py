"""How likely a candidate that was not reranked yet would enter the top k.

A logistic regression on what is known at a block border: the score to beat, the candidate's
cosine and rank, and how the candidates scored so far did. It only has to order the borders well:
from which value on it is safe to stop is found on other queries, see `index/candidates.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

from kosim.encoders.metrics import Floats

_FITTED_FOR = (1, 3, 10, 30)
_MOST_EXAMPLES = 100_000
_FEATURES = 6
_NORMAL = np.linspace(-3.5, 3.5, 141)
_PROBABILITIES = np.array([NormalDist().cdf(value) for value in _NORMAL.tolist()])


@dataclass(frozen=True)
class EntryModel:
    """The fitted regression.

    ``quantiles`` (141,) are those of the raw scores it was fitted on, by which any score becomes
    a normal one: so the model does not depend on the reranker's scale. ``floor`` is the raw score
    below which no hit counts. ``centre`` and ``scale`` (f,) standardise the features, ``weights``
    holds the intercept and one weight for each of them and each of their products.
    """

    block: int
    floor: float
    quantiles: Floats
    centre: Floats
    scale: Floats
    weights: Floats

    @classmethod
    def fit(
        cls,
        cosines: Floats,
        scores: Floats,
        *,
        floor: float,
        block: int,
        random: np.random.Generator,
    ) -> Self:
        """Fit on n candidate lists of depth D, in retrieval order.

        Args:
            cosines: (n, D), -inf where a list is shorter.
            scores: (n, D) raw rerank scores.
            floor: raw score below which no hit counts.
            block: candidates that are reranked between two decisions.
            random: chooses the examples when there are very many.
        """
        quantiles = np.quantile(scores[np.isfinite(cosines)], _PROBABILITIES)
        blank = cls(block, float(floor), quantiles, np.zeros(0), np.zeros(0), np.zeros(1))
        features, entered = [], []
        for k in _FITTED_FOR:
            for border in blank.borders(k, cosines.shape[1]):
                beaten = blank.to_beat(scores[:, :border], k)
                rest = np.isfinite(cosines[:, border:])
                features.append(blank.features(cosines, scores[:, :border], beaten)[rest])
                entered.append((scores[:, border:] > beaten[:, None])[rest])
        if not features:
            return blank
        x, y = np.concatenate(features), np.concatenate(entered)
        if len(y) > _MOST_EXAMPLES:
            chosen = random.choice(len(y), _MOST_EXAMPLES, replace=False)
            x, y = x[chosen], y[chosen]
        if len(np.unique(y)) < 2:
            return blank
        centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
        from sklearn.linear_model import LogisticRegression  # takes long to import

        regression = LogisticRegression(C=1.0, max_iter=500)
        regression.fit(_products((x - centre) / scale), y)
        weights = np.concatenate([regression.intercept_, regression.coef_[0]])
        return cls(block, float(floor), quantiles, centre, scale, weights)

    def check(self) -> None:
        """Check that values from a file can be used.

        Raises:
            ValueError: one cannot; it is named.
        """
        size = len(self.centre)
        weights = 1 + size + size * (size + 1) // 2
        if not isinstance(self.block, int) or self.block < 1:
            raise ValueError(f"block {self.block!r}")
        if not isinstance(self.floor, float):
            raise ValueError(f"floor {self.floor!r}")
        if (
            size not in (0, _FEATURES)
            or self.scale.shape != (size,)
            or self.weights.shape != (weights,)
            or self.quantiles.shape != _PROBABILITIES.shape
        ):
            raise ValueError("the shape of the model")

    def borders(self, k: int, depth: int) -> range:
        """Return after how many candidates it is decided whether to stop: at least ``k``."""
        return range(-(-k // self.block) * self.block, depth, self.block)

    def to_beat(self, scored: Floats, k: int) -> Floats:
        """Return above which raw score one enters the top ``k`` <= t of ``scored`` (n, t): (n,)."""
        kth = -np.partition(-scored, k - 1, axis=1)[:, k - 1]
        # A hit exactly at the floor counts, a hit equal to the k-th best does not enter.
        return np.maximum(kth, np.nextafter(self.floor, -np.inf))

    def features(self, cosines: Floats, scored: Floats, beaten: Floats) -> Floats:
        """Describe the candidates from t on, when the first t have the scores ``scored`` (n, t).

        Returns:
            (n, D - t, 6): the score to beat, the means of all scores so far and of the last
            block's, the cosine, how far it is below the last block's, and the logarithm of the
            rank. Scores are normal scores. Meaningless where the cosine is -inf.
        """
        border = scored.shape[1]
        known = self._normal(scored)
        last = slice(border - self.block, border)
        known_cosines = np.where(np.isfinite(cosines), cosines, 0.0)
        of_query = np.stack(
            [self._normal(beaten), known.mean(axis=1), known[:, last].mean(axis=1)], axis=1
        )
        rest = known_cosines[:, border:]
        gap = known_cosines[:, last].mean(axis=1)[:, None] - rest
        rank = np.log(np.arange(border + 1, cosines.shape[1] + 1))
        of_candidate = np.stack([rest, gap, np.broadcast_to(rank, rest.shape)], axis=2)
        repeated = np.broadcast_to(of_query[:, None], (*rest.shape, of_query.shape[1]))
        return np.concatenate([repeated, of_candidate], axis=2)

    def expected_entries(self, cosines: Floats, scored: Floats, k: int) -> Floats:
        """Return how many of the candidates from t on are expected in the top ``k``: (n,).

        Args:
            cosines: (n, D), -inf where a list is shorter.
            scored: (n, t) raw scores of the first t candidates.
            k: hits wanted.
        """
        if not len(self.centre):
            return np.zeros(len(cosines))
        rest = np.isfinite(cosines[:, scored.shape[1] :])
        x = self.features(cosines, scored, self.to_beat(scored, k))[rest]
        values = self.weights[0] + _products((x - self.centre) / self.scale) @ self.weights[1:]
        chances = np.zeros(rest.shape)
        chances[rest] = (1 + np.tanh(values / 2)) / 2
        return chances.sum(axis=1)

    def _normal(self, scores: Floats) -> Floats:
        values, first = np.unique(self.quantiles, return_index=True)
        return np.interp(scores, values, _NORMAL[first])


def _products(x: Floats) -> Floats:
    """Return the columns of (m, f) and all products of two of them."""
    first, second = np.triu_indices(x.shape[1])
    return np.concatenate([x, x[:, first] * x[:, second]], axis=1)
