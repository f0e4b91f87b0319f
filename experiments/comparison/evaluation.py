"""The figures of each contender of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import UndefinedMetricError
from kosim.encoders.metrics import f1, nearly_constant, pearson
from kosim.encoders.records import (
    DECISION_THRESHOLD,
    LABEL_HIGH,
    LABEL_LOW,
    Kind,
    LabelledPairs,
    Pair,
)
from kosim.experiments.comparison.results import ScorePlot, SourceResults, Spread, SwapAsymmetry
from kosim.experiments.settings import EvaluationSettings
from kosim.experiments.statistics.significance import (
    F1,
    Metric,
    Pearson,
    Precision,
    Recall,
    Spearman,
    estimate,
)
from kosim.experiments.study.figures import Difference, Estimate, Figure, Undefined

Scores = npt.NDArray[np.float64]
Figures = dict[str, Figure]
_F = TypeVar("_F", Estimate, Difference)

CELL = 0.25
"""Points of label and score in a cell of the density of scores."""
THRESHOLDS = np.round(np.arange(LABEL_LOW, LABEL_HIGH + 0.025, 0.05), 2)
"""Thresholds at which the curve of F1 is drawn."""

BRIEF = ("pearson", "f1")
"""The metrics that are reported of every source, and of the mean of both scores."""


@dataclass(frozen=True)
class ScoredContender:
    """What one contender said of the n test pairs.

    ``scores`` is (s, n) on 0-5, a row a seed; ``thresholds`` is (s,), chosen on validation;
    ``swapped`` is the same pairs scored in the other order, for a kind where that matters.
    ``copies`` (n,) numbers the distinct pairs from 0 on, so that copies of one are drawn together.
    """

    name: str
    kind: Kind
    scores: Scores
    thresholds: npt.NDArray[np.float64]
    swapped: Scores | None = None
    copies: npt.NDArray[np.int64] | None = None

    def metrics(self) -> dict[str, Metric]:
        """Return every reported metric by name, with this contender's thresholds."""
        tuned = self.thresholds
        return {
            "pearson": Pearson(),
            "spearman": Spearman(),
            "f1": F1(DECISION_THRESHOLD),
            "f1_tuned": F1(tuned),
            "precision": Precision(DECISION_THRESHOLD),
            "recall": Recall(DECISION_THRESHOLD),
            "precision_tuned": Precision(tuned),
            "recall_tuned": Recall(tuned),
        }

    def of_seed(self, row: int) -> ScoredContender:
        """Return this contender as its seed in ``row`` alone."""
        return replace(
            self,
            scores=self.scores[row : row + 1],
            thresholds=self.thresholds[row : row + 1],
            swapped=None,
        )

    def of_pairs(self, rows: npt.NDArray[np.int64]) -> ScoredContender:
        """Return this contender on the pairs in ``rows`` alone."""
        copies = self.copies
        if copies is not None:
            copies = np.unique(copies[rows], return_inverse=True)[1].ravel().astype(np.int64)
        return replace(self, scores=self.scores[:, rows], swapped=None, copies=copies)

    @property
    def distinct(self) -> int:
        """The number of pairs, copies counted once."""
        return self.scores.shape[1] if self.copies is None else len(np.unique(self.copies))

    def of_distinct(self) -> ScoredContender:
        """Return this contender on distinct pairs, each with the mean of its copies' scores."""
        if self.copies is None:
            return self
        return replace(self, scores=mean_of_copies(self.scores, self.copies), copies=None)


def mean_of_copies(values: Scores, copies: npt.NDArray[np.int64] | None) -> Scores:
    """Return the mean of ``values`` (..., n) over the copies of each distinct pair."""
    if copies is None:
        return values
    sums = np.apply_along_axis(lambda row: np.bincount(copies, weights=row), -1, values)
    return np.asarray(sums / np.bincount(copies))


def score_pairs(encoder: PairEncoder, pairs: Sequence[Pair]) -> Scores:
    """Return the scores of n pairs on 0-5, (n,).

    Raw values that differ only by the rounding of float32 get the same score, so that no metric
    is taken of rounding.
    """
    raw = encoder.score(pairs, raw=True)
    scores = encoder.calibration(raw).astype(np.float64)
    return np.full_like(scores, scores.mean()) if nearly_constant(raw) else scores


def evaluate(
    contender: ScoredContender,
    labels: npt.NDArray[np.float64],
    settings: EvaluationSettings,
    *,
    only: Sequence[str] | None = None,
) -> Figures:
    """Return each metric: the mean over seeds, with an interval clustered by pair."""
    metrics = contender.metrics()
    return {
        name: defined(
            lambda metric=metrics[name]: estimate(  # type: ignore[misc]
                labels,
                contender.scores,
                metric,
                copies=contender.copies,
                **resampling(settings),
            )
        )
        for name in (only or metrics)
    }


def evaluate_sources(
    contender: ScoredContender, pairs: LabelledPairs, settings: EvaluationSettings
) -> dict[str, SourceResults]:
    """Return the main metrics for each named source of the test pairs."""
    sources = np.array(pairs.sources, dtype=object)
    found = {}
    for source in sorted(set(pairs.sources) - {""}):
        rows = np.flatnonzero(sources == source)
        figures = evaluate(contender.of_pairs(rows), pairs.labels[rows], settings, only=BRIEF)
        found[source] = SourceResults(n=len(rows), **figures)
    return found


def plot_scores(contender: ScoredContender, labels: npt.NDArray[np.float64]) -> ScorePlot:
    """Return what the plots of scores against labels and thresholds show."""
    edges = np.arange(LABEL_LOW, LABEL_HIGH + CELL / 2, CELL)
    density, *_ = np.histogram2d(labels, contender.scores[0], bins=[edges, edges])
    try:
        curve = [
            float(np.mean([f1(labels, row, threshold=float(at)) for row in contender.scores]))
            for at in THRESHOLDS
        ]
    except UndefinedMetricError:
        curve = None
    return ScorePlot(density=density.astype(int).tolist(), f1=curve)


def seed_spread(
    contender: ScoredContender, per_seed: Sequence[Figures]
) -> dict[str, Spread] | None:
    """Return how far each metric varies over seeds."""
    if len(per_seed) < 2:
        return None
    spread = {}
    for name in contender.metrics():
        found = [figures[name] for figures in per_seed]
        values = [figure.value for figure in found if isinstance(figure, Estimate)]
        if len(values) > 1:
            spread[name] = Spread(
                mean=float(np.mean(values)),
                sd=float(np.std(values, ddof=1)),
                min=min(values),
                max=max(values),
            )
    return spread


def swap_asymmetry(
    contender: ScoredContender, labels: npt.NDArray[np.float64]
) -> SwapAsymmetry | None:
    """Return how much a contender's score depends on the order of a pair; means over seeds.

    None for a kind whose score never depends on the order.
    """
    if contender.swapped is None:
        return None
    gap = np.abs(contender.scores - contender.swapped)
    threshold = contender.thresholds[:, None]
    flips = (contender.scores >= threshold) != (contender.swapped >= threshold)
    both = (contender.scores + contender.swapped) / 2
    try:
        symmetric = float(np.mean([pearson(labels, row) for row in both]))
    except UndefinedMetricError:
        symmetric = None
    return SwapAsymmetry(
        mean_absolute=float(gap.mean()),
        p95_absolute=float(np.percentile(gap, 95)),
        max_absolute=float(gap.max()),
        verdict_flips=float(flips.mean()),
        pearson_symmetric=symmetric,
    )


def resampling(settings: EvaluationSettings) -> dict[str, Any]:
    """Return the settings of the bootstrap as arguments."""
    return {"level": settings.level, "resamples": settings.resamples, "seed": settings.seed}


def defined(compute: Callable[[], _F]) -> _F | Undefined:
    """Return what is computed, or why it has no value."""
    try:
        return compute()
    except UndefinedMetricError as error:
        return Undefined(str(error))
