"""What an exported encoder gains in speed and loses in quality against its full weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.errors import QualityError
from kosim.encoders.loading import load
from kosim.encoders.metrics import f1, pearson
from kosim.encoders.records import DECISION_THRESHOLD, LabelledPairs
from kosim.experiments.study.results import seconds_of

PEARSON_LIMIT = 0.005
"""The fall of Pearson's correlation, half a point, above which an export is refused."""

_ROUNDS = 5
_TIMED = 500
"""Pairs that are timed at most."""


def check_export(folder: Path, choice: ComputeChoice, pairs: LabelledPairs) -> dict[str, Any]:
    """Compare an exported encoder with its full weights on labelled pairs.

    Args:
        folder: the saved encoder.
        choice: the backend and precision of the export.
        pairs: n >= 2 pairs that it was not trained on.

    Returns:
        For ``full`` and ``exported`` the ``pearson``, the ``f1`` at 3.0 and the
        ``pairs_per_second`` (of up to 500, the median of 5 rounds in turn); ``times_faster``,
        the median of the ratios; and the changes ``pearson_change`` and ``f1_change``.

    Raises:
        UndefinedMetricError: the labels are constant, or none is similar.
    """
    full = load(folder, backend="torch", device="cpu")
    exported = load(folder, backend=choice.backend, precision=choice.precision)
    sides = {"full": full, "exported": exported}
    scores = {name: encoder.score(pairs.pairs) for name, encoder in sides.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    timed = pairs.pairs[:_TIMED]
    for _ in range(_ROUNDS):
        for name, encoder in sides.items():
            seconds[name].append(seconds_of(encoder.score, timed))
    figures: dict[str, Any] = {
        name: {
            "pearson": pearson(pairs.labels, scores[name]),
            "f1": f1(pairs.labels, scores[name], threshold=DECISION_THRESHOLD),
            "pairs_per_second": len(timed) / float(np.median(seconds[name])),
        }
        for name in sides
    }
    ratios = np.array(seconds["full"]) / np.array(seconds["exported"])
    return {
        **figures,
        "n": len(pairs),
        "times_faster": float(np.median(ratios)),
        "pearson_change": figures["exported"]["pearson"] - figures["full"]["pearson"],
        "f1_change": figures["exported"]["f1"] - figures["full"]["f1"],
    }


def require_quality(figures: dict[str, Any]) -> None:
    """Refuse an export whose Pearson falls by more than half a point.

    Raises:
        QualityError: it does.
    """
    if figures["pearson_change"] < -PEARSON_LIMIT:
        raise QualityError(
            f"the export loses {-100 * figures['pearson_change']:.2f} points of Pearson "
            f"({figures['full']['pearson']:.4f} to {figures['exported']['pearson']:.4f} on "
            f"{figures['n']} pairs), more than {100 * PEARSON_LIMIT:g}; it was removed: use "
            "another precision, or keep it with --accept-loss"
        )
