"""How much an index loses against exact search, measured on its own documents."""

from __future__ import annotations

import numpy as np

from encoders.errors import ConfigError
from index.corpus_index import CorpusIndex
from index.vectors.recall import DEPTH

_ROWS = 16_384
_SEED = 0
_ROUNDING = 1e-6
"""Two ways to compute a cosine differ by less."""


def measured_recall(index: CorpusIndex, sample: int = 200, *, k: int = DEPTH) -> float | None:
    """Return recall@k of the index against comparing with every stored vector.

    The queries are documents drawn with a fixed seed; the document itself, which any search
    finds, does not count. Of documents that are equally near, one is as good as another.

    Args:
        index: the index as it is, additions and removals included.
        sample: queries; all documents where there are fewer.
        k: depth.

    Returns:
        0 to 1, or None where the index has fewer than two documents.

    Raises:
        ConfigError: ``sample`` or ``k`` is below 1.
    """
    for name, value in (("sample", sample), ("k", k)):
        if value < 1:
            raise ConfigError(f"{name} is {value}; give at least 1")
    snapshot = index.snapshot
    places = snapshot.places()
    if len(places) < 2:
        return None
    random = np.random.default_rng(_SEED)
    drawn = random.choice(places, size=min(sample, len(places)), replace=False)
    queries = snapshot.vectors(drawn)
    depth = min(k, len(places) - 1)
    nearest = np.full((len(drawn), depth), -np.inf, dtype=np.float32)
    for start in range(0, len(places), _ROWS):
        block = places[start : start + _ROWS]
        cosines = queries @ snapshot.vectors(block).T
        cosines[block == drawn[:, None]] = -np.inf
        nearest = np.partition(np.hstack([nearest, cosines]), -depth, axis=1)[:, -depth:]
    scores, found = snapshot.search(queries, depth + 1)
    others = (found >= 0) & (found != drawn[:, None])
    good = others & (scores >= nearest.min(axis=1, keepdims=True) - _ROUNDING)
    return float(np.mean(np.minimum(good.sum(axis=1), depth) / depth))
