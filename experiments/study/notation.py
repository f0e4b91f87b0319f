"""How figures are written, the same in the verdict, the reports and the terminal.

Intervals read ``0.881 [0.862, 0.899]``, differences carry their sign, p-values read
``p = 0.012`` or ``p < 0.001``, and a metric without a value is a dash with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

DASH = "–"
Metric = Mapping[str, Any] | None
"""A figure of ``results.json``: value, low, high[, p_value], or undefined with its reason."""

METRIC_NAMES = {
    "pearson": "Pearson",
    "spearman": "Spearman",
    "f1": "F1 at 3.0",
    "f1_tuned": "F1, tuned threshold",
    "precision": "Precision at 3.0",
    "recall": "Recall at 3.0",
    "precision_tuned": "Precision, tuned threshold",
    "recall_tuned": "Recall, tuned threshold",
}

METRIC_NAMES_KO = {
    "pearson": "피어슨 상관",
    "spearman": "스피어만 상관",
    "f1": "3.0 기준 F1",
    "f1_tuned": "조정한 임계값의 F1",
    "precision": "3.0 기준 정밀도",
    "recall": "3.0 기준 재현율",
    "precision_tuned": "조정한 임계값의 정밀도",
    "recall_tuned": "조정한 임계값의 재현율",
}


def is_defined(metric: Metric) -> TypeGuard[Mapping[str, Any]]:
    """Tell whether a metric has a value."""
    return metric is not None and metric.get("value") is not None


def reason(metric: Metric) -> str:
    """Return why a metric has no value, or "" where that was not recorded.

    Only the cause is kept of what our errors say (``cause, so consequence; advice``): a report
    shows the consequence, and has nobody to advise.
    """
    return re.split(";|, so ", str((metric or {}).get("undefined", "")))[0]


def undefined(metric: Metric) -> str:
    """Return the dash of a metric without a value, with the reason where it is known."""
    why = reason(metric)
    return f"{DASH} ({why})" if why else DASH


def decimal(value: float | None, digits: int = 3) -> str:
    """Return ``0.881``, with a true minus sign, or a dash for None."""
    if value is None:
        return DASH
    # Adding zero turns the -0.0 that rounding may leave into 0.0.
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """Return ``+0.019`` or ``−0.019``; a value that rounds to zero has no sign."""
    text = decimal(value, digits)
    return f"+{text}" if round(value, digits) > 0 else text


def interval(metric: Mapping[str, Any]) -> str:
    """Return ``[0.862, 0.899]``."""
    return f"[{decimal(metric['low'])}, {decimal(metric['high'])}]"


def estimate(metric: Metric) -> str:
    """Return ``0.881 [0.862, 0.899]``, or a dash with the reason."""
    if not is_defined(metric):
        return undefined(metric)
    return f"{decimal(metric['value'])} {interval(metric)}"


def difference(metric: Metric) -> str:
    """Return ``+0.019 [0.004, 0.034]``, or a dash with the reason."""
    if not is_defined(metric):
        return undefined(metric)
    return f"{signed(metric['value'])} {interval(metric)}"


def p_value(p: float | None) -> str:
    """Return ``p = 0.012`` or ``p < 0.001``; a fourth digit where three would hide the 5% line."""
    if p is None:
        return DASH
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if f"{p:.3f}" != "0.050" else f"p = {p:.4f}"


def amount(value: float | None) -> str:
    """Return a positive quantity to about three figures: ``0.42``, ``34.7``, ``1,234``."""
    if value is None:
        return DASH
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


_UNITS = (
    (1.0, 1e-3, " ms", "ms"),
    (120.0, 1.0, " s", "초"),
    (7200.0, 60.0, " min", "분"),
    (172_800.0, 3600.0, " h", "시간"),
    (63_115_200.0, 86_400.0, " days", "일"),
    (float("inf"), 31_557_600.0, " years", "년"),
)
"""Below which time, in seconds, a unit is used; its length in seconds; its names."""


def duration(seconds: float | None, *, korean: bool = False) -> str:
    """Return a time in the unit that suits it: ``8.13 ms``, ``1.20 s`` or ``1.20초``."""
    if seconds is None:
        return DASH
    _, size, unit, unit_ko = next(row for row in _UNITS if seconds < row[0])
    return amount(seconds / size) + (unit_ko if korean else unit)


def count(number: float | None) -> str:
    """Return a whole number with thousands separated."""
    return DASH if number is None else f"{number:,.0f}"


def percent(share: float | None) -> str:
    """Return a share of one as ``2.0%``."""
    return DASH if share is None else f"{100 * share:.1f}%"
