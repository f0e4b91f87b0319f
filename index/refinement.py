"""Scoring again, in full precision, what lies around the last hit.

A reranker in lower precision is off by little, but the candidates around the k-th place are close
together, so it swaps hits there for others. Whether a candidate is a hit hangs on those few alone:
scored again they are decided as in full precision, at a fraction of its cost.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kosim.encoders.base import FloatArray, PairEncoder
from kosim.encoders.errors import ConfigError

NEAR = 3
"""Candidates that are scored again on either side of the border."""


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


def check_refiner(refiner: PairEncoder | None, reranker: PairEncoder | None) -> None:
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
