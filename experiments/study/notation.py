"""How numbers are written, the same in findings, reports and the terminal.

P-values read ``p = 0.012`` or ``p < 0.001``; what has no value is a dash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kosim.encoders.language import Line
from kosim.encoders.records import Kind

DASH = "–"

KIND_NAMES: dict[Kind, Line] = {
    "bi": Line("bi-encoder", "바이인코더"),
    "cross": Line("cross-encoder", "크로스인코더"),
}

METRIC_NAMES = {
    "pearson": Line("Pearson", "피어슨 상관"),
    "spearman": Line("Spearman", "스피어만 상관"),
    "f1": Line("F1 at 3.0", "3.0 기준 F1"),
    "f1_tuned": Line("F1, tuned threshold", "조정한 임계값의 F1"),
    "precision": Line("Precision at 3.0", "3.0 기준 정밀도"),
    "recall": Line("Recall at 3.0", "3.0 기준 재현율"),
    "precision_tuned": Line("Precision, tuned threshold", "조정한 임계값의 정밀도"),
    "recall_tuned": Line("Recall, tuned threshold", "조정한 임계값의 재현율"),
}


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
    (1.0, 1e-3, Line(" ms", "ms")),
    (120.0, 1.0, Line(" s", "초")),
    (7200.0, 60.0, Line(" min", "분")),
    (172_800.0, 3600.0, Line(" h", "시간")),
    (63_115_200.0, 86_400.0, Line(" days", "일")),
    (float("inf"), 31_557_600.0, Line(" years", "년")),
)
"""Below which time, in seconds, a unit is used; its length in seconds; its name."""


def duration(seconds: float | None) -> Line:
    """Return a time in the unit that suits it: ``8.13 ms``, ``1.20 s`` or ``1.20초``."""
    if seconds is None:
        return Line(DASH, DASH)
    size, unit = next((size, unit) for below, size, unit in _UNITS if seconds < below)
    return Line(*(amount(seconds / size) + name for name in unit))


def milliseconds(value: float | None) -> Line:
    """Return a time that is given in milliseconds."""
    return duration(None if value is None else value / 1000)


def count(number: float | None) -> str:
    """Return a whole number with thousands separated."""
    return DASH if number is None else f"{number:,.0f}"


def many(number: int | None, noun: str) -> str:
    """Return a number with its English noun: ``1 pair``, ``2,000 pairs``."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def confidence(config: Mapping[str, Any]) -> str:
    """Return the confidence level of the intervals of a run with these settings: ``95%``."""
    return f"{100 * config.get('evaluation', {}).get('level', 0.95):g}%"


def percent(share: float | None) -> str:
    """Return a share of one as ``2.0%``."""
    return DASH if share is None else f"{100 * share:.1f}%"
