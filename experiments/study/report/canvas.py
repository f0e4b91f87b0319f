"""From a drawing to an SVG that lives inside the page: its fonts, its colours, its dark mode.

Drawings are made with stand-in colours, each replaced by a CSS variable of the page, so that a
plot follows the page from light to dark. Text stays text and takes the page's font, which has
Hangul where matplotlib's own has none.
"""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, partial
from html import unescape
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kosim.encoders.language import Line, Text, text

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


def colour(position: int) -> str:
    """Return the stand-in colour of the series at ``position``."""
    return _SERIES[position % len(_SERIES)]


def colours_by_kind(kinds: Sequence[str]) -> list[str]:
    """Return a colour for each contender: warm ones for "bi", cool ones for the others.

    The first of either kind has the colour that its kind has on the service's page.
    """
    met: Counter[bool] = Counter()
    found = []
    for kind in kinds:
        cool = kind != "bi"
        found.append(colour(2 * met[cool] + cool))
        met[cool] += 1
    return found


@dataclass(frozen=True)
class Plot:
    """One plot of a page; it is drawn when a page asks for it.

    Args:
        name: unique in the page; keeps the identifiers of its plots apart.
        title: shown above the plot.
        alt: what the plot shows, in words, for who cannot see it.
        paint: draws on the ``rows`` axes it is given, stacked and sharing their x axis; a figure
            that it returns, as another library drew it, is shown in their place.
        height: in inches, at a width of ``WIDTH``.
        rows: the number of axes.
    """

    name: str
    title: Text
    alt: Text
    paint: Callable[..., object]
    height: float = 3.1
    rows: int = 1

    @cached_property
    def svg(self) -> Markup:
        """The drawing as an element of a page; the same plot gives the same bytes."""
        style = {**_STYLE, "svg.hashsalt": self.name}
        words: dict[str, str] = {}
        token = _WORDS.set(words)
        with matplotlib.rc_context(style), warnings.catch_warnings():
            # matplotlib measures Hangul without having its glyphs; the browser draws them.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure = Figure(figsize=(WIDTH, self.height))
            axes = figure.subplots(self.rows, 1, sharex=True, squeeze=False)[:, 0]
            if isinstance(drawn := self.paint(*axes), Figure):
                figure = drawn
            buffer = io.StringIO()
            nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
        _WORDS.reset(token)
        return _embed(buffer.getvalue(), words)


def drawn(plots: Sequence[Plot]) -> Figure:
    """Return plots of one axes each side by side, as a figure for a notebook."""
    token = _WORDS.set({})
    try:
        with matplotlib.rc_context(_STYLE):
            height = max((plot.height for plot in plots), default=1.0)
            figure = Figure(figsize=(WIDTH * max(len(plots), 1), height))
            for position, plot in enumerate(plots, 1):
                axes = figure.add_subplot(1, len(plots), position)
                plot.paint(axes)
                axes.set_title(text(plot.title, "en"))
            return figure
    finally:
        _WORDS.reset(token)


_WORDS: ContextVar[dict[str, str]] = ContextVar("words")


def say(line: Text) -> str:
    """Return what to draw for a text; in a page it changes with the page's language."""
    if isinstance(line, Line):
        _WORDS.get()[line.en] = line.ko
    return text(line, "en")


def legend(axes: Axes, handles: Sequence[Artist], labels: Sequence[Text]) -> None:
    """Set the legend in one line above the axes, where it covers nothing."""
    shown = [say(label) for label in labels]
    axes.legend(
        handles, shown, loc="lower left", bbox_to_anchor=(0, 1.01), ncols=max(len(shown), 1)
    )


def _embed(document: str, words: Mapping[str, str]) -> Markup:
    """Turn matplotlib's SVG document into an element of an HTML page, which says beside it in words
    what it shows.
    """
    svg = document[document.index("<svg") :]
    head, body = svg.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body).replace("xlink:href=", "href=")
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, f"var(--{variable})")
    body = re.sub(r"(<text[^>]*>)(.*?)</text>", partial(_in_both, words=words), body)
    opening = Markup('<svg {} aria-hidden="true">').format(Markup(view.group() if view else ""))
    # Safe: matplotlib escapes every text it is given to draw.
    return opening + Markup(body.strip())


def _in_both(found: re.Match[str], *, words: Mapping[str, str]) -> str:
    opening, english = found.groups()
    korean = words.get(unescape(english))
    if korean is None:
        return found.group()
    spans = Markup('<tspan lang="en">{}</tspan><tspan lang="ko">{}</tspan></text>')
    # Safe: what matplotlib wrote is escaped already.
    return Markup(opening) + spans.format(Markup(english), korean)
