"""The geometry that a student learns: the teacher's vectors, centred and turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.errors import DataError
from kosim.encoders.pretraining.batches import Rows

_MOST_FITTED = 50_000
"""Vectors from which the mean and the axes are estimated."""


@dataclass(frozen=True)
class SentenceGeometry:
    """Target vectors for a student of a given width.

    A teacher's vectors often lie in a narrow cone; without their mean their angles differ as much
    as meanings do. They are turned to their principal axes, of which the first ``width`` are kept
    (all, followed by zeros, where the teacher is narrower), and brought to unit length.

    ``vectors`` is (n, d), ``mean`` (d,), ``axes`` (d, width); ``kept`` is the share of the
    variance that the axes hold.
    """

    vectors: npt.NDArray[np.floating]
    mean: FloatArray
    axes: FloatArray
    kept: float

    @classmethod
    def fit(
        cls, vectors: npt.NDArray[np.floating], width: int, *, seed: int = 0
    ) -> SentenceGeometry:
        """Find the mean and the principal axes of ``vectors`` (n, d).

        Raises:
            DataError: the vectors are all the same, or not finite.
        """
        random = np.random.default_rng(seed)
        rows = np.sort(random.permutation(len(vectors))[:_MOST_FITTED])
        sample = vectors[rows].astype(np.float64)
        if not np.isfinite(sample).all():
            raise DataError("the teacher's vectors are not all numbers; give another teacher")
        mean = sample.mean(axis=0)
        variances, directions = np.linalg.eigh(np.cov((sample - mean).T, bias=True))
        if variances[-1] <= 1e-12:
            raise DataError("the teacher gives every sentence the same vector; give another one")
        directions = directions[:, ::-1]
        # An axis has no sign of its own; this makes it the same on every machine.
        signs = np.sign(directions[np.abs(directions).argmax(axis=0), range(len(mean))])
        axes = np.zeros((len(mean), width))
        count = min(width, len(mean))
        axes[:, :count] = (directions * signs)[:, :count]
        kept = float(variances[::-1][:count].clip(0).sum() / variances.clip(0).sum())
        return cls(vectors, mean.astype(np.float32), axes.astype(np.float32), kept)

    def targets(self, rows: Rows) -> FloatArray:
        """Return the target vectors of the sentences in ``rows`` (b,): (b, width), unit rows."""
        turned = (self.vectors[rows].astype(np.float32) - self.mean) @ self.axes
        lengths = np.linalg.norm(turned, axis=1, keepdims=True)
        unit: FloatArray = turned / np.maximum(lengths, 1e-6)
        return unit
