"""The figures of a comparison: correlations with the labels, and the decisions at a threshold.

Each function takes one encoder's ``scores`` (n,) for the ``labels`` (n,) of the same pairs and
returns a plain float, or raises `UndefinedMetricError`: no metric here is ever NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import DataError, UndefinedMetricError
from kosim.encoders.records import DECISION_THRESHOLD

Floats = npt.NDArray[np.float64]

_ROUNDING = 1e-13
"""A spread below this share of the values' size is rounding, not variation."""


_SINGLE_ROUNDING = 1e-5
"""The same for values that a network computed in float32."""


def nearly_constant(values: npt.ArrayLike) -> bool:
    """Say whether values of a network in float32 differ by no more than rounding.

    An encoder whose training collapsed gives every pair a cosine of .9999998 or so: what is left
    of a difference is noise, of which no metric may be taken.
    """
    given = np.asarray(values, dtype=np.float64)
    return bool(np.ptp(given) <= _SINGLE_ROUNDING * np.abs(given).max())


def check_pairs(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return ``labels`` (n,) and ``scores`` (s, n) as float64; one seed's (n,) becomes (1, n).

    Raises:
        DataError: the shapes do not fit, or a value is not a finite number.
    """
    gold = np.asarray(labels, dtype=np.float64)
    rows = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if gold.ndim != 1 or rows.ndim != 2 or rows.shape[1] != len(gold) or not len(rows):
        raise DataError(
            f"labels of shape {gold.shape} and scores of shape {rows.shape} do not fit: "
            "give one label a pair and one row of scores a seed"
        )
    for name, values in (("label", gold[None]), ("score", rows)):
        broken = np.argwhere(~np.isfinite(values))
        if len(broken):
            seed, pair = broken[0]
            raise DataError(
                f"{name} {values[seed, pair]} of pair {pair} is not a finite number; "
                "correct or remove that pair"
            )
    return gold, rows


def check_correlation(labels: Floats, scores: Floats) -> None:
    """Check that ``labels`` (n,) and every row of ``scores`` (s, n) have a correlation.

    Raises:
        UndefinedMetricError: fewer than 3 pairs, or the labels or one row of scores constant.
    """
    if len(labels) < 3:
        raise UndefinedMetricError(
            f"a correlation of {len(labels)} pairs is undefined; give at least 3 pairs"
        )
    for name, rows in (("labels", labels[None]), ("scores", scores)):
        for row in rows:
            if np.ptp(row) <= _ROUNDING * np.abs(row).max():
                raise UndefinedMetricError(
                    f"the {name} are constant (all {row[0]:g}), so their correlation is "
                    f"undefined; give pairs with different {name}"
                )


def pearson(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Pearson's product-moment correlation, cov(x, y) / (sd(x) sd(y)).

    Raises:
        UndefinedMetricError: fewer than 3 pairs, or constant labels or scores.
    """
    gold, rows = check_pairs(labels, scores)
    check_correlation(gold, rows)
    x, y = gold - gold.mean(), rows[0] - rows[0].mean()
    r = (x / np.linalg.norm(x)) @ (y / np.linalg.norm(y))
    return float(np.clip(r, -1.0, 1.0))


def spearman(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Spearman's rank correlation: Pearson's of the ranks, ties at their mean rank.

    Raises:
        UndefinedMetricError: fewer than 3 pairs, or constant labels or scores.
    """
    gold, rows = check_pairs(labels, scores)
    check_correlation(gold, rows)
    from scipy.stats import rankdata  # takes long to import

    return pearson(rankdata(gold), rankdata(rows[0]))


def _decide(
    labels: npt.ArrayLike, scores: npt.ArrayLike, threshold: float, label_threshold: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    gold, rows = check_pairs(labels, scores)
    return gold >= label_threshold, rows[0] >= threshold


def precision(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    threshold: float = DECISION_THRESHOLD,
    label_threshold: float = DECISION_THRESHOLD,
) -> float:
    """TP / (TP + FP): the share of pairs called similar that are. Similar is >= the threshold.

    Raises:
        UndefinedMetricError: no score reaches the threshold.
    """
    actual, predicted = _decide(labels, scores, threshold, label_threshold)
    if not predicted.any():
        raise UndefinedMetricError(no_decisions(threshold))
    return float(np.mean(actual[predicted]))


def recall(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    threshold: float = DECISION_THRESHOLD,
    label_threshold: float = DECISION_THRESHOLD,
) -> float:
    """TP / (TP + FN): the share of similar pairs that were found. Similar is >= the threshold.

    Raises:
        UndefinedMetricError: no label reaches the label threshold.
    """
    actual, predicted = _decide(labels, scores, threshold, label_threshold)
    if not actual.any():
        raise UndefinedMetricError(no_positives(label_threshold))
    return float(np.mean(predicted[actual]))


def f1(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    threshold: float = DECISION_THRESHOLD,
    label_threshold: float = DECISION_THRESHOLD,
) -> float:
    """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall.

    Similar is >= the threshold.

    Raises:
        UndefinedMetricError: no label reaches the label threshold.
    """
    actual, predicted = _decide(labels, scores, threshold, label_threshold)
    if not actual.any():
        raise UndefinedMetricError(no_positives(label_threshold))
    return float(2 * np.sum(actual & predicted) / (np.sum(actual) + np.sum(predicted)))


def no_positives(label_threshold: float) -> str:
    """Say why F1 and recall are undefined without a similar pair."""
    return (
        f"no label reaches {label_threshold:g}, so there is nothing to find and F1 and recall "
        "are undefined; give pairs with higher labels or lower the label threshold"
    )


def no_decisions(threshold: float) -> str:
    """Say why precision is undefined when nothing is called similar."""
    return f"no score reaches {threshold:g}, so precision is undefined; lower the threshold"


@dataclass(frozen=True)
class Cuts:
    """Every way to call the pairs with the m highest distinct scores similar, from few to all.

    ``scores`` (m,) are distinct and descend; with a threshold at or below the nth, ``predicted``
    (m,) pairs are called similar, of which ``found`` (m,) are; ``positives`` pairs are in all.
    """

    scores: Floats
    predicted: npt.NDArray[np.int64]
    found: npt.NDArray[np.int64]
    positives: int

    @classmethod
    def of(cls, labels: npt.ArrayLike, scores: npt.ArrayLike, *, label_threshold: float) -> Cuts:
        """Return the cuts of ``scores`` (n,).

        Raises:
            UndefinedMetricError: no label reaches the label threshold.
        """
        gold, rows = check_pairs(labels, scores)
        actual = gold >= label_threshold
        if not actual.any():
            raise UndefinedMetricError(no_positives(label_threshold))
        order = np.argsort(-rows[0], kind="stable")
        descending = rows[0][order]
        ends = np.flatnonzero(np.append(np.diff(descending) < 0, True))
        found = np.cumsum(actual[order], dtype=np.int64)[ends]
        return cls(descending[ends], ends + 1, found, int(actual.sum()))

    @property
    def gaps(self) -> Floats:
        """How far each score is from the next lower one: (m,), 0 for the lowest."""
        return np.append(-np.diff(self.scores), 0.0)

    def threshold(self, cut: int) -> float:
        """Return the threshold of a cut: the middle between its score and the next lower one."""
        above = self.scores[cut]
        below = self.scores[min(cut + 1, len(self.scores) - 1)]
        middle = below + (above - below) / 2
        # Between two neighbouring floats there is no middle, and `below` would be predicted.
        return float(middle if middle > below else above)


def best_f1_threshold(
    labels: npt.ArrayLike, scores: npt.ArrayLike, *, label_threshold: float = DECISION_THRESHOLD
) -> float:
    """Return the threshold on ``scores`` (n,) with the highest F1.

    F1 changes only where the threshold passes a score, so every gap between two neighbouring
    distinct scores is a plateau: the middle of the best plateau is returned, of the widest
    where several are equally good (the highest of equally wide ones). If calling every pair
    similar is best, it is the lowest score.

    Raises:
        UndefinedMetricError: no label reaches the label threshold.
    """
    cuts = Cuts.of(labels, scores, label_threshold=label_threshold)
    values = 2 * cuts.found / (cuts.positives + cuts.predicted)
    best = max(np.flatnonzero(values == values.max()), key=lambda step: cuts.gaps[step])
    return cuts.threshold(int(best))
