"""The scale on which a data file states its labels, and the way from there to 0-5."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ConfigError
from kosim.encoders.records import LABEL_HIGH, LABEL_LOW

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelScale:
    """The scale on which a file states its labels; ``LOW:HIGH`` or ``binary`` (0 and 1 only)."""

    low: float = LABEL_LOW
    high: float = LABEL_HIGH
    binary: bool = False

    @classmethod
    def parse(cls, text: str) -> LabelScale:
        """Read ``LOW:HIGH``, such as ``0:5`` or ``1:5``, or ``binary``.

        Raises:
            ConfigError: ``text`` is neither, or LOW is not below HIGH.
        """
        if text == "binary":
            return cls(0.0, 1.0, binary=True)
        try:
            low, high = (float(end) for end in text.split(":"))
        except ValueError:
            low = high = np.nan
        if not -np.inf < low < high < np.inf:
            raise ConfigError(
                f"label scale {text!r} is neither LOW:HIGH with LOW below HIGH, such as 0:5, "
                "nor binary"
            )
        return cls(low, high)

    def __str__(self) -> str:
        return "binary" if self.binary else f"{self.low:g}:{self.high:g}"

    def contains(self, values: Floats) -> npt.NDArray[np.bool_]:
        """Tell for each of n values whether the scale has it; NaN is in no scale."""
        if self.binary:
            return np.isin(values, (self.low, self.high))
        return (values >= self.low) & (values <= self.high)

    def to_labels(self, values: Floats) -> Floats:
        """Map n values linearly to 0-5, also those that the scale does not contain."""
        share = (values - self.low) / (self.high - self.low)
        return LABEL_LOW + share * (LABEL_HIGH - LABEL_LOW)
