"""How much an index loses against exact search, measured on its own documents."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, Field

from kosim.encoders.dimensions import shortened
from kosim.encoders.errors import ConfigError, CorpusIndexError, StorageError
from kosim.encoders.interface import SentenceEncoder
from kosim.encoders.storage import read_versioned_json, write_json
from kosim.index.corpus_index import CorpusIndex
from kosim.index.index_encoder import check_encoder
from kosim.index.vectors.recall import DEPTH

SAMPLE = 200

_ROWS = 16_384
_SEED = 0
_ROUNDING = 1e-6
"""Two ways to compute a cosine differ by less."""


def measured_recall(
    index: CorpusIndex,
    sample: int = SAMPLE,
    *,
    k: int = DEPTH,
    encoder: SentenceEncoder | None = None,
) -> float | None:
    """Return recall@k of the index against comparing with every stored vector.

    The queries are documents drawn with a fixed seed; the document itself, which any search
    finds, does not count. Of documents that are equally near, one is as good as another.

    Args:
        index: the index as it is, additions and removals included.
        sample: queries; all documents where there are fewer.
        k: depth.
        encoder: encodes the queries anew, as in a search in another precision than that of the
            index; what is nearest is still judged by the stored vectors.

    Returns:
        0 to 1, or None where the index has fewer than two documents.

    Raises:
        ConfigError: ``sample`` or ``k`` is below 1.
        CorpusIndexError: the index was made with another encoder.
    """
    for name, value in (("sample", sample), ("k", k)):
        if value < 1:
            raise ConfigError(f"{name} is {value}; give at least 1")
    if encoder is not None:
        check_encoder(index, encoder)
    snapshot = index.snapshot
    rows = snapshot.rows()
    if len(rows) < 2:
        return None
    random = np.random.default_rng(_SEED)
    drawn = random.choice(rows, size=min(sample, len(rows)), replace=False)
    stored = snapshot.vectors(drawn)
    depth = min(k, len(rows) - 1)
    nearest = np.full((len(drawn), depth), -np.inf, dtype=np.float32)
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS]
        cosines = stored @ snapshot.vectors(block).T
        cosines[block == drawn[:, None]] = -np.inf
        nearest = np.partition(np.hstack([nearest, cosines]), -depth, axis=1)[:, -depth:]
    asked = (
        stored
        if encoder is None
        else shortened(encoder.encode(snapshot.texts(drawn)), stored.shape[1])
    )
    found = snapshot.search(asked, depth + 1)[1]
    others = (found >= 0) & (found != drawn[:, None])
    scores = np.full(found.shape, -np.inf, dtype=np.float32)
    asking = np.nonzero(others)[0]
    scores[others] = np.einsum("ij,ij->i", stored[asking], snapshot.vectors(found[others]))
    # Another precision may find the document itself late: only the first of the others count.
    scores[others.cumsum(axis=1) > depth] = -np.inf
    good = scores >= nearest.min(axis=1, keepdims=True) - _ROUNDING
    return float(np.mean(good.sum(axis=1) / depth))


class _Kept(BaseModel):
    generation: int
    recall: float | None = Field(ge=0, le=1)


def kept_recall(index: CorpusIndex, encoder: SentenceEncoder) -> float | None:
    """Return `measured_recall` of an encoder's arithmetic, measured once a generation.

    It is kept in the index, unless that cannot be written.

    Raises:
        CorpusIndexError: the index was made with another encoder.
    """
    check_encoder(index, encoder)
    path = index.folder / "recall" / f"{encoder.precision}.json"
    try:
        kept = read_versioned_json(path, _Kept, newest=1, error=CorpusIndexError)
        if kept.generation == index.generation:
            return kept.recall
    except CorpusIndexError:
        pass
    recall = measured_recall(index, encoder=encoder)
    try:
        path.parent.mkdir(exist_ok=True)
        write_json(path, {"generation": index.generation, "recall": recall, "sample": SAMPLE})
    except (OSError, StorageError):
        pass
    return recall
