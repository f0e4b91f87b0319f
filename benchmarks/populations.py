"""Populations of labels and scores whose true metrics are known in closed form.

From each, `benchmarks/statistics.py` draws test sets and sees whether the intervals hold the
truth.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import multivariate_normal, norm

from kosim.encoders.metrics import Floats

# How often each label of KLUE-STS dev occurs: means of 7, of 6 and of 5 annotators. Whole
# numbers are counted with the sevenths.
SEVENTHS = (
    *(11, 11, 3, 6, 8, 6, 11, 11, 9, 4, 5, 6, 3, 7, 10, 7, 6, 6),
    *(6, 6, 10, 11, 11, 3, 7, 6, 3, 11, 11, 11, 3, 8, 4, 2, 7, 6),
)
SIXTHS = (
    *(0, 7, 8, 11, 5, 7, 0, 9, 6, 10, 6, 7, 0, 7, 4),
    *(9, 5, 11, 0, 9, 8, 11, 8, 7, 0, 10, 8, 11, 9, 6, 0),
)
FIFTHS = (0, 4, 5, 3, 4, 0, 2, 3, 3, 1, 0, 2, 4, 4, 0, 0, 2, 4, 5, 4, 0, 1, 3, 7, 3, 0)

# What parts of an error's variance are common to both encoders, to one encoder's seeds, to none.
COMMON, OWN, SEED = 0.5, 0.3, 0.2


@dataclass(frozen=True)
class Truth:
    """One encoder's true metrics in a population."""

    pearson: float
    spearman: float
    f1: float


class Population(ABC):
    """Labels, and scores that correlate with them exactly as told."""

    label_threshold: float
    span: float
    """How far apart the two decision thresholds of unlike encoders are searched."""

    @abstractmethod
    def labels(self, generator: np.random.Generator, n: int) -> Floats:
        """Draw n labels."""

    @abstractmethod
    def scores(self, labels: Floats, rho: float, errors: Floats) -> Floats:
        """Return scores from standard normal ``errors`` (s, n)."""

    @abstractmethod
    def truth(self, rho: float, threshold: float) -> Truth:
        """Return the true metrics of such scores at a decision ``threshold``."""

    def unlike_thresholds(self, rho: float) -> tuple[float, float]:
        """Return a low and a high threshold with equal F1: one finds more, one errs less."""
        at = self.label_threshold
        best = minimize_scalar(
            lambda t: -self.truth(rho, t).f1, bounds=(at - self.span, at + self.span)
        ).x
        low = float(best - self.span / 2)
        goal = self.truth(rho, low).f1
        high = brentq(lambda t: self.truth(rho, t).f1 - goal, best, best + 2 * self.span)
        return low, float(high)


class Normal(Population):
    """Labels and scores are jointly normal; half of the labels are positive."""

    label_threshold = 0.0
    span = 0.7

    def labels(self, generator: np.random.Generator, n: int) -> Floats:
        """See `Population`."""
        return generator.standard_normal(n)

    def scores(self, labels: Floats, rho: float, errors: Floats) -> Floats:
        """See `Population`."""
        return rho * labels + np.sqrt(1 - rho**2) * errors

    def truth(self, rho: float, threshold: float) -> Truth:
        """See `Population`; Spearman is 6 / pi asin(rho / 2) (Pearson 1907)."""
        found = multivariate_normal.cdf([0, -threshold], cov=[[1, rho], [rho, 1]])
        predicted = norm.sf(threshold)
        spearman = 6 / np.pi * np.arcsin(rho / 2)
        return Truth(rho, float(spearman), float(2 * found / (0.5 + predicted)))


class Klue(Population):
    """KLUE-STS dev's labels with errors that are smaller at the ends, as its annotators' are."""

    label_threshold = 3.0
    span = 0.7

    def __init__(self) -> None:
        counts: dict[float, int] = defaultdict(int)
        for parts, histogram in ((7, SEVENTHS), (6, SIXTHS), (5, FIFTHS)):
            for numerator, count in enumerate(histogram):
                counts[numerator / parts] += count
        self.values = np.array([value for value in sorted(counts) if counts[value]])
        total = np.array([counts[value] for value in self.values])
        self.shares = total / total.sum()

    @staticmethod
    def _spread(labels: Floats) -> Floats:
        return 1 - 0.6 * (labels / 2.5 - 1) ** 2

    def _scale(self, rho: float) -> float:
        variance = self.shares @ self.values**2 - (self.shares @ self.values) ** 2
        noise = self.shares @ self._spread(self.values) ** 2
        return float(np.sqrt(variance * (1 / rho**2 - 1) / noise))

    def labels(self, generator: np.random.Generator, n: int) -> Floats:
        """See `Population`."""
        return generator.choice(self.values, size=n, p=self.shares)

    def scores(self, labels: Floats, rho: float, errors: Floats) -> Floats:
        """See `Population`."""
        return labels + self._scale(rho) * self._spread(labels) * errors

    def truth(self, rho: float, threshold: float) -> Truth:
        """See `Population`: the scores are a mixture of normals, one for each label value."""
        p, x = self.shares, self.values
        sigma = self._scale(rho) * self._spread(x)
        middle = np.cumsum(p) - p / 2 - 0.5
        lower = norm.cdf((x[:, None] - x) / np.hypot(sigma[:, None], sigma)) @ p
        rank_variance = (1 - p @ p**2) / 12
        spearman = (p * middle) @ (lower - 0.5) / np.sqrt(rank_variance / 12)
        reached = p * norm.sf((threshold - x) / sigma)
        actual = x >= self.label_threshold
        f1 = 2 * reached[actual].sum() / (p[actual].sum() + reached.sum())
        return Truth(rho, float(spearman), float(f1))


@dataclass(frozen=True)
class Cell:
    """One population of a comparison, and the size of the test set."""

    name: str
    population: Population
    first: float
    second: float
    n: int = 519
    seeds: int = 1
    unlike: bool = False
    """Whether the encoders trade precision for recall differently, at equal F1."""

    @cached_property
    def thresholds(self) -> tuple[float, float]:
        """Both encoders' decision thresholds."""
        if self.unlike:
            return self.population.unlike_thresholds(self.first)
        return self.population.label_threshold, self.population.label_threshold

    @cached_property
    def truths(self) -> tuple[Truth, Truth]:
        """Both encoders' true metrics."""
        at_first, at_second = self.thresholds
        return (
            self.population.truth(self.first, at_first),
            self.population.truth(self.second, at_second),
        )

    def draw(self, generator: np.random.Generator) -> tuple[Floats, Floats, Floats]:
        """Return labels (n,) and both encoders' scores (s, n)."""
        labels = self.population.labels(generator, self.n)
        common = generator.standard_normal(self.n)
        scores = []
        for rho in (self.first, self.second):
            own = generator.standard_normal(self.n)
            rest = generator.standard_normal((self.seeds, self.n))
            errors = np.sqrt(COMMON) * common + np.sqrt(OWN) * own + np.sqrt(SEED) * rest
            scores.append(self.population.scores(labels, rho, errors))
        return labels, scores[0], scores[1]


def all_cells() -> list[Cell]:
    """Return the cells: the promised ones, then those that show where the limits are."""
    cells = []
    for name, population in (("normal", Normal()), ("klue", Klue())):
        for rho in (0.80, 0.85, 0.90, 0.95):
            cells.append(Cell(f"{name}-{rho:.2f}", population, rho, rho))
        for low, high in ((0.80, 0.85), (0.85, 0.90), (0.90, 0.95)):
            cells.append(Cell(f"{name}-{low:.2f}-{high:.2f}", population, low, high))
        cells.append(Cell(f"{name}-0.85-unlike", population, 0.85, 0.85, unlike=True))
    cells.append(Cell("klue-0.85-3-seeds", Klue(), 0.85, 0.85, seeds=3))
    cells.append(Cell("klue-0.85-150-pairs", Klue(), 0.85, 0.85, n=150))
    cells.append(Cell("klue-0.85-50-pairs", Klue(), 0.85, 0.85, n=50))
    return cells
