"""The report of a comparison, as one self-contained HTML page and as Markdown."""

from kosim.experiments.report.render import render_html, render_markdown

__all__ = ["render_html", "render_markdown"]
