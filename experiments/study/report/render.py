"""Render a report: as one page in both languages that needs nothing else, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from kosim.encoders.language import Language, Line, Text, text
from kosim.experiments.study.finding import Finding
from kosim.experiments.study.report.canvas import Plot
from kosim.experiments.study.report.document import Section, says
from kosim.experiments.study.results import Results

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=lambda name: bool(name and name.endswith(".html.j2")),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


_WHOLE = re.compile(
    r"(--[a-z][a-z-]*|\[[+−\d., ]+\]|p [=<] [\d.]*\d|[\d.,]+ (?:ms|s|min|h|days|years)\b)"
)
"""Options, intervals, p-values and times."""


def render(
    form: str,
    results: Results,
    finding: Finding,
    sections: Sequence[Section],
    *,
    opening: Plot | None = None,
    language: Language = "en",
) -> str:
    """Return a report.

    Args:
        form: ``html``, a page that can switch its language, or ``md``, Markdown in one.
        results: of which the header is shown.
        finding: what the report opens with.
        sections: what follows it; those without content are left out.
        opening: the chart that stands beside the finding.
        language: of the Markdown, and in which the page opens.
    """
    return _ENVIRONMENT.get_template(f"report.{form}.j2").render(
        results=results,
        finding=finding,
        sections=[section for section in sections if section.tables or section.plots],
        opening=opening,
        language=language,
    )


def in_both(line: Text) -> Markup:
    """Return a text for the page, which shows it in the language that is switched on."""
    if isinstance(line, str) or line.en == line.ko:
        return _kept_whole(text(line, "en"))
    spans = Markup('<span lang="en">{}</span><span lang="ko">{}</span>')
    return spans.format(*map(_kept_whole, line))


def _kept_whole(text: str) -> Markup:
    """Return a text as HTML in which no line ends inside a figure or an option."""
    parts = _WHOLE.split(text)
    whole = Markup('<span class="whole">{}</span>')
    return Markup("").join(
        whole.format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def escape_markdown(line: Text, language: Language = "en") -> str:
    """Return a text as Markdown that shows it as it is, on one line and inside a table cell.

    A bracket is left alone where it cannot end a link's text, so that intervals stay readable.
    """
    escaped = re.sub(r"([\\`*_<>|#~$&]|\](?=[(\[:]))", r"\\\1", text(line, language))
    return " ".join(escaped.split())


def markdown_cell(line: Text, language: Language) -> str:
    """Return a text for a table cell; its lines stay apart."""
    return "<br>".join(escape_markdown(each) for each in text(line, language).split("\n"))


_ENVIRONMENT.filters |= {
    "both": in_both,
    "plain": text,
    "markdown": escape_markdown,
    "cell": markdown_cell,
    "says": says,
}
_ENVIRONMENT.globals["Line"] = Line
