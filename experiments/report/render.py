"""Fill the report's templates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kosim.experiments.report.sections import Section, build_sections
from kosim.experiments.verdict.verdict import compute_verdict

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=lambda name: bool(name and name.endswith(".html.j2")),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def escape_markdown(text: str) -> str:
    """Return ``text`` as Markdown that shows it as it is, on one line and inside a table cell.

    A bracket is left alone where it cannot end a link's text, so that intervals stay readable.
    """
    escaped = re.sub(r"([\\`*_<>|#~$&]|\](?=[(\[:]))", r"\\\1", text)
    return " ".join(escaped.split())


def markdown_cell(text: str) -> str:
    """Return ``text`` for a table cell; its lines stay apart."""
    return "<br>".join(escape_markdown(line) for line in text.split("\n"))


_ENVIRONMENT.filters |= {"markdown": escape_markdown, "cell": markdown_cell}


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


def render_page(
    template: str,
    results: Mapping[str, Any],
    *,
    verdict: Mapping[str, Any],
    sections: Sequence[Section],
) -> str:
    """Fill a report's template, the same for every kind of report.

    Args:
        template: ``report.html.j2`` or ``report.md.j2``.
        results: of which ``name``, ``created`` and ``kosim_version`` are shown.
        verdict: under ``en`` and ``ko`` the ``headline``, ``sentences`` and ``warnings``.
        sections: what follows it.
    """
    return _ENVIRONMENT.get_template(template).render(
        name=str(results["name"]),
        created=str(results["created"]),
        version=str(results["kosim_version"]),
        verdict=verdict,
        sections=sections,
    )
