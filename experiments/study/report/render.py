"""Fill the report's templates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kosim.experiments.study.report.document import Section

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
