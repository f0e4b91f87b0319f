"""The report of a comparison, as one self-contained HTML page and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from kosim.experiments.comparison.sections import build_sections
from kosim.experiments.comparison.verdict import compute_verdict
from kosim.experiments.study.report.render import render_page


def render_html(results: Mapping[str, Any], predictions: pd.DataFrame) -> str:
    """Return the report as one HTML page that needs no other file and no network.

    Args:
        results: the content of ``results.json``; the verdict is computed where it is missing.
        predictions: the content of ``predictions.parquet``.
    """
    return _render("report.html.j2", results, predictions)


def render_markdown(results: Mapping[str, Any]) -> str:
    """Return the report as Markdown, the verdict first, without plots."""
    return _render("report.md.j2", results, None)


def _render(name: str, results: Mapping[str, Any], predictions: pd.DataFrame | None) -> str:
    return render_page(
        name,
        results,
        verdict=results.get("verdict") or compute_verdict(results),
        sections=build_sections(results, predictions),
    )
