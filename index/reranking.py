"""Reranking: score many pairs with one encoder, and settle the border between hits and others.

A reranker in lower precision is off by little, but the candidates around the k-th rank are close
together, so it swaps hits there for others. Whether a candidate is a hit hangs on those few alone:
scored again in full precision they are decided as in full precision, at a fraction of its cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.errors import ConfigError
from kosim.encoders.interface import Encoder
from kosim.encoders.records import Pair

NEAR = 3
"""Candidates that are scored again on either side of the border."""

_CHUNK = 512
"""Pairs between two calls of a progress callback."""


def score_pairs(
    encoder: Encoder,
    pairs: Sequence[Pair],
    *,
    symmetric: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """Return the raw scores of n pairs, (n,) float32.

    A pair that occurs twice is scored once, so that identical texts tie exactly instead of
    differing in the last bit by their position in a batch.

    Args:
        encoder: what scores; a cross-encoder in most cases.
        pairs: (first, second) texts.
        symmetric: average both orders of each pair.
        progress: called with (pairs scored, pairs in all).
    """
    positions = {pair: position for position, pair in enumerate(dict.fromkeys(pairs))}
    # Longest first over all chunks: batches of equal length waste the least padding.
    by_length = sorted(positions, key=lambda pair: len(pair[0]) + len(pair[1]), reverse=True)
    scores = np.empty(len(positions), dtype=np.float32)
    size = _CHUNK if progress else max(1, len(by_length))
    for start in range(0, len(by_length), size):
        chunk = by_length[start : start + size]
        scores[[positions[pair] for pair in chunk]] = encoder.score(
            chunk, raw=True, symmetric=symmetric
        )
        if progress:
            progress(start + len(chunk), len(by_length))
    return scores[[positions[pair] for pair in pairs]]


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


def near_border(raw: FloatArray, k: int, *, near: int = NEAR) -> npt.NDArray[np.bool_]:
    """Return which candidates of each query lie around the border between hits and others.

    Args:
        raw: (q, d) raw scores, -inf where there is none.
        k: hits wanted.
        near: candidates on either side of the border.

    Returns:
        (q, d) flags, at most ``2 near`` a row; none in a row of at most ``k`` scores, all of which
        are hits.
    """
    order = np.argsort(-raw, axis=1, kind="stable")
    around = order[:, max(0, k - near) : k + near]
    flags = np.zeros(raw.shape, dtype=bool)
    np.put_along_axis(flags, around, True, axis=1)
    scored = raw > -np.inf
    return flags & scored & (scored.sum(axis=1, keepdims=True) > k)


def check_refiner(refiner: Encoder | None, reranker: Encoder | None) -> None:
    """Check that a refiner is the reranker in full precision.

    Raises:
        ConfigError: it is another encoder, or there is no reranker, or no difference.
    """
    if refiner is None:
        return
    if reranker is None:
        raise ConfigError("refining needs a reranker in lower precision, and there is no reranker")
    if refiner.fingerprint() != reranker.fingerprint():
        raise ConfigError(
            "the refiner is another encoder than the reranker, whose scores it would mix with its "
            "own; load the reranker again, with precision fp32"
        )
    if refiner.precision != "fp32" or reranker.precision == "fp32":
        raise ConfigError(
            f"the reranker computes in {reranker.precision} and the refiner in "
            f"{refiner.precision}; refine a reranker of lower precision in fp32"
        )
