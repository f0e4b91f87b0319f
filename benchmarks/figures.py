"""Figures with their intervals, as the pages of the benchmarks show them."""

from __future__ import annotations

from collections.abc import Mapping


def interval(figure: Mapping[str, float]) -> str:
    """Return an `Estimate` as ``0.884 [0.860, 0.902]``."""
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def gap(difference: Mapping[str, float]) -> str:
    """Return a `Difference` as ``+0.009 [+0.001, +0.016]``; what rounds to 0 has no sign."""
    value, low, high = (_signed(difference[name]) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _signed(value: float) -> str:
    shown = f"{value:+.3f}"
    return shown if float(shown) else "0.000"
