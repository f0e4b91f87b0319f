"""The strictly increasing map from an encoder's raw values to scores on 0-5."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

from kosim.encoders.records import LABEL_HIGH, LABEL_LOW

_MARGIN = 0.02
"""Knots keep this distance from both ends of the scale, so that the tails stay increasing."""

_LOWEST = np.nextafter(np.float32(LABEL_LOW), np.float32(LABEL_HIGH))
_HIGHEST = np.nextafter(np.float32(LABEL_HIGH), np.float32(LABEL_LOW))
"""The tails come nearer to the ends of the scale than float32 can tell from them."""

_POINTS_PER_BIN = 40
_MOST_BINS = 20


class MonotoneCalibration(BaseModel):
    """A piecewise linear map through increasing knots, with hyperbolic tails inside (0, 5).

    Strictly increasing on the whole line, so it keeps every ranking. Beyond the outer knots
    it continues with the slope of the outer segment and approaches the ends of the scale
    without reaching them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    raw: tuple[float, ...]
    score: tuple[float, ...]
    lower_slope: float
    upper_slope: float

    @model_validator(mode="after")
    def _check(self) -> Self:
        increasing = all(a < b for knots in (self.raw, self.score) for a, b in pairwise(knots))
        inside = all(LABEL_LOW < value < LABEL_HIGH for value in self.score)
        if not self.raw or len(self.raw) != len(self.score) or not increasing or not inside:
            raise ValueError("calibration knots must increase and lie inside the label scale")
        if not (self.lower_slope > 0 and self.upper_slope > 0):
            raise ValueError("calibration slopes must be positive")
        return self

    def __repr__(self) -> str:
        return (
            f"MonotoneCalibration({len(self.raw)} knots, {self.raw[0]:.3g} to {self.raw[-1]:.3g})"
        )

    @classmethod
    def identity(cls) -> Self:
        """Spread raw values of 0 to 1 over the scale: the map of an encoder never calibrated."""
        return cls._through([0.0, 1.0], [LABEL_LOW + _MARGIN, LABEL_HIGH - _MARGIN])

    @classmethod
    def fit(cls, raw: npt.ArrayLike, labels: npt.ArrayLike) -> Self:
        """Fit by isotonic regression (Barlow et al. 1972) on quantile bins of the raw values.

        Binning keeps single pairs from making steps; bins that isotonic regression pools
        become one knot, so that the knots increase strictly.

        Args:
            raw: (n,) raw values.
            labels: (n,) gold labels on 0-5.
        """
        from sklearn.isotonic import IsotonicRegression  # which costs more than all else here

        values = np.asarray(raw, dtype=np.float64)
        gold = np.asarray(labels, dtype=np.float64)
        order = np.argsort(values, kind="stable")
        bins = int(np.clip(len(values) // _POINTS_PER_BIN, 2, _MOST_BINS))
        members = [part for part in np.array_split(order, bins) if len(part)]
        centres = np.array([values[part].mean() for part in members])
        means = np.array([gold[part].mean() for part in members])
        weights = np.array([float(len(part)) for part in members])
        fitted = IsotonicRegression().fit_transform(centres, means, sample_weight=weights)
        knots_raw, knots_score = [], []
        for level in np.unique(fitted):
            pooled = fitted == level
            knots_raw.append(float(np.average(centres[pooled], weights=weights[pooled])))
            knots_score.append(float(np.clip(level, LABEL_LOW + _MARGIN, LABEL_HIGH - _MARGIN)))
        return cls._through(*_strictly_increasing(knots_raw, knots_score))

    @classmethod
    def _through(cls, raw: list[float], score: list[float]) -> Self:
        if len(raw) == 1:
            lower = upper = 1.0
        else:
            lower = (score[1] - score[0]) / (raw[1] - raw[0])
            upper = (score[-1] - score[-2]) / (raw[-1] - raw[-2])
        return cls(raw=tuple(raw), score=tuple(score), lower_slope=lower, upper_slope=upper)

    def __call__(self, raw: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Map raw values of any shape to scores in (0, 5), float32."""
        x = np.asarray(raw, dtype=np.float64)
        y = np.interp(x, self.raw, self.score)
        below, above = self.raw[0] - x, x - self.raw[-1]
        room_below = self.score[0] - LABEL_LOW
        room_above = LABEL_HIGH - self.score[-1]
        lower = LABEL_LOW + room_below / (1 + self.lower_slope * np.maximum(below, 0) / room_below)
        upper = LABEL_HIGH - room_above / (1 + self.upper_slope * np.maximum(above, 0) / room_above)
        scores = np.where(below > 0, lower, np.where(above > 0, upper, y)).astype(np.float32)
        return np.clip(scores, _LOWEST, _HIGHEST)


def _strictly_increasing(raw: list[float], score: list[float]) -> tuple[list[float], list[float]]:
    """Drop knots that equal raw values or clipped scores left without a rise."""
    kept_raw, kept_score = raw[:1], score[:1]
    for x, y in zip(raw[1:], score[1:], strict=True):
        if x > kept_raw[-1] and y > kept_score[-1]:
            kept_raw.append(x)
            kept_score.append(y)
    return kept_raw, kept_score
