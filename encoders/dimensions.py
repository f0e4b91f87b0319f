"""Vectors of fewer dimensions: the first ones of a longer vector, of unit length again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kosim.encoders.bundle import name_of
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.errors import ConfigError
from kosim.encoders.interface import SentenceEncoder
from kosim.encoders.records import LabelledPairs
from kosim.encoders.scoring import cosines


def shortened(vectors: FloatArray, dimensions: int) -> FloatArray:
    """Return the first ``dimensions`` of vectors (n, d), of unit length: (n, dimensions)."""
    if dimensions == vectors.shape[1]:
        return vectors
    first = vectors[:, :dimensions]
    norms = np.linalg.norm(first, axis=1, keepdims=True)
    return first / np.maximum(norms, np.finfo(np.float32).tiny)


def check_dimensions(encoder: SentenceEncoder, dimensions: int | None) -> int:
    """Return how many dimensions are asked for: all of the encoder's when None.

    Raises:
        ConfigError: it does not have so many, or they are below 1.
    """
    if dimensions is None:
        return encoder.dimension
    return checked_dimensions(encoder.dimension, dimensions, name_of(encoder.backbone.path))


def checked_dimensions(whole: int, dimensions: int | None, encoder: str) -> int:
    """Return how many of ``whole`` dimensions are asked for; ``encoder`` is named in the error.

    Raises:
        ConfigError: there are not so many, they are below 1, or no whole number.
    """
    if dimensions is None:
        return whole
    if isinstance(dimensions, bool) or not isinstance(dimensions, int | np.integer):
        raise ConfigError(f"dimensions is {dimensions!r}; give a whole number from 1 to {whole:,}")
    if not 1 <= dimensions <= whole:
        raise ConfigError(
            f"dimensions is {dimensions:,}, but the vectors of {encoder} have {whole:,}; "
            f"give 1 to {whole:,}"
        )
    return int(dimensions)


def fit_shortened(
    encoder: SentenceEncoder, pairs: LabelledPairs, dimensions: Iterable[int]
) -> dict[int, MonotoneCalibration]:
    """Return for each number of dimensions the map from cosines of vectors cut to it to 0-5."""

    def fitted(number: int) -> MonotoneCalibration:
        raw = cosines(lambda texts: shortened(encoder.encode(texts), number), pairs.pairs)
        return MonotoneCalibration.fit(raw, pairs.labels)

    return {number: fitted(number) for number in dimensions}


def calibration_at(encoder: SentenceEncoder, dimensions: int) -> MonotoneCalibration:
    """Return the map from cosines of vectors cut to ``dimensions`` to 0-5.

    It is that of whole vectors where the encoder was not trained for so many.
    """
    own = ((encoder.training or {}).get("shortened") or {}).get(str(dimensions))
    if own is None or dimensions == encoder.dimension:
        return encoder.calibration
    return MonotoneCalibration.model_validate(own)


def untrained(training: dict[str, Any] | None, whole: int, dimensions: int) -> str | None:
    """Return a notice where an encoder was not trained for vectors cut to ``dimensions``.

    ``training`` is what an artifact says of its training, ``whole`` its full dimension.
    """
    trained: Sequence[int] = ((training or {}).get("config") or {}).get("matryoshka") or ()
    if dimensions in (whole, *trained):
        return None
    if training is None:
        return (
            f"it is not known whether the encoder was trained for {dimensions} dimensions; if it "
            f"was not, search finds less than with its {whole}"
        )
    known = ", ".join(map(str, trained)) or "none"
    return (
        f"the encoder was not trained for {dimensions} dimensions (trained for: {known}); search "
        f"finds less than with its {whole}: train one with --matryoshka {dimensions}"
    )
