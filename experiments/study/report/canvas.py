"""From a drawing to an SVG that lives inside the page: its fonts, its colours, its dark mode.

Drawings are made with stand-in colours, each replaced by a CSS variable of the page, so that a
plot follows the page from light to dark. Text stays text and takes the page's font, which has
Hangul where matplotlib's own has none.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, RULE, PAPER = "#010101", "#020202", "#030303", "#040404"
_SERIES = ("#050501", "#050502", "#050503", "#050504", "#050505", "#050506")
_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper"} | {
    colour: f"series-{number}" for number, colour in enumerate(_SERIES, start=1)
}
WIDTH = 4.6
"""Inches of one plot; the page scales it, so this sets how large text is beside the lines."""

_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.borderaxespad": 0.0,
    "legend.borderpad": 0.2,
    "legend.columnspacing": 1.4,
    "legend.handlelength": 1.6,
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class Plot:
    """One drawing, its title, and what it shows in words for who cannot see it."""

    title: str
    alt: str
    svg: Markup


def colour(position: int) -> str:
    """Return the stand-in colour of the contender at ``position``."""
    return _SERIES[position % len(_SERIES)]


def draw(
    name: str,
    title: str,
    alt: str,
    paint: Callable[..., None],
    *,
    height: float = 3.1,
    rows: int = 1,
) -> Plot:
    """Draw one plot; the same input gives the same bytes.

    Args:
        name: unique in the page; keeps the identifiers of its plots apart.
        title: shown above the plot.
        alt: what the plot shows, in words.
        paint: draws on the ``rows`` axes it is given, stacked and sharing their x axis.
        height: in inches, at a width of ``WIDTH``.
        rows: the number of axes.
    """
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # matplotlib measures Hangul without having its glyphs; the browser draws them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
        paint(*axes)
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    return Plot(title, alt, _embed(buffer.getvalue(), alt))


def legend(axes: Axes, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Set the legend in one line above the axes, where it covers nothing."""
    axes.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(0, 1.01), ncols=max(len(labels), 1)
    )


def _embed(document: str, alt: str) -> Markup:
    """Turn matplotlib's SVG document into an element of an HTML page."""
    svg = document[document.index("<svg") :]
    head, body = svg.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body).replace("xlink:href=", "href=")
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, f"var(--{variable})")
    opening = Markup('<svg {} role="img" aria-label="{}">').format(
        Markup(view.group() if view else ""), alt
    )
    # Safe: matplotlib escapes every text it is given to draw.
    return opening + Markup(body.strip())
