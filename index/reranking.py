"""Scores of many pairs by one encoder: each different pair once, the longest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kosim.encoders.base import FloatArray, PairEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.records import Pair

_CHUNK = 512
"""Pairs between two calls of a progress callback."""


def score_pairs(
    encoder: PairEncoder,
    pairs: Sequence[Pair],
    *,
    symmetric: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """Return the raw scores of n pairs, (n,) float32.

    A pair that stands there twice is scored once, so that identical texts tie exactly instead
    of differing in the last bit by their place in a batch.

    Args:
        encoder: what scores; a cross-encoder in most cases.
        pairs: (first, second) texts.
        symmetric: average both orders of each pair.
        progress: called with (pairs scored, pairs in all).
    """
    places = {pair: place for place, pair in enumerate(dict.fromkeys(pairs))}
    # Longest first over all chunks: batches of equal length waste the least padding.
    by_length = sorted(places, key=lambda pair: len(pair[0]) + len(pair[1]), reverse=True)
    scores = np.empty(len(places), dtype=np.float32)
    size = _CHUNK if progress else max(1, len(by_length))
    for start in range(0, len(by_length), size):
        chunk = by_length[start : start + size]
        scores[[places[pair] for pair in chunk]] = encoder.score(
            chunk, raw=True, symmetric=symmetric
        )
        if progress:
            progress(start + len(chunk), len(by_length))
    return scores[[places[pair] for pair in pairs]]


def raw_score(calibration: MonotoneCalibration, score: float) -> float:
    """Return the raw value at which a calibration reaches ``score``, which lies inside 0-5.

    By bisection: the calibration increases strictly over the whole line.
    """
    low, high = -1.0, 1.0
    while float(calibration(low)) >= score:
        low *= 2
    while float(calibration(high)) < score:
        high *= 2
    while low < (middle := (low + high) / 2) < high:
        if float(calibration(middle)) < score:
            low = middle
        else:
            high = middle
    return high
