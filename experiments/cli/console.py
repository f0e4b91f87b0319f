"""The two consoles of all commands, JSON, and the style of tables."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.table import Table
from rich.text import Text

from kosim.encoders.language import Language, language_of_locale
from kosim.encoders.training.ranks import is_main
from kosim.experiments.cli.terminal import can_encode, visible

_JSON_CONTROL = re.compile("[\x7f-\x9f\u061c\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]")


class PlainConsole(Console):
    """A console whose strings are text: no markup, no emoji codes, no control characters.

    Documents, paths and messages come from others. What they hold is shown and never obeyed.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text of a string, before it is measured."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield what is written; only rich's own control codes pass."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)


output = PlainConsole(quiet=not is_main())
"""Results: standard output. Of several processes only the main one prints."""

notes = PlainConsole(stderr=True, quiet=not is_main())
"""Everything said on the way: standard error."""


LANGUAGE = "kosim.language"
"""Where the context of a command keeps what --lang says."""


def chosen_language(context: click.Context | None = None) -> Language:
    """Return the one language of a command's terminal and report.

    That is --lang, or the locale's; English where the command knows no other.

    Args:
        context: of the command; by default the one that runs in this thread.
    """
    context = context or click.get_current_context(silent=True)
    if context is not None and LANGUAGE not in context.meta:
        return "en"
    return (context.meta[LANGUAGE] if context else None) or language_of_locale()


def working(text: str) -> Status:
    """Return a display that says on standard error what is being done while it lasts."""
    spinner = "dots" if notes.encoding.lower().startswith("utf") else "line"
    return notes.status(Text(visible(text)), spinner=spinner)


def print_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    _write_json(value, indent=2)


def print_json_line(value: Any) -> None:
    """Print one JSON document on a line of its own to standard output."""
    _write_json(value, indent=None)


def _write_json(value: Any, *, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    text = _JSON_CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
    if not can_encode(text):
        text = json.dumps(value, ensure_ascii=True, indent=indent, allow_nan=False)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table in the style of all our tables: text left, the rest right."""
    shown = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 2))
    for position, column in enumerate(columns):
        shown.add_column(
            column,
            justify="left" if position == 0 else "right",
            overflow="fold",
            min_width=max(map(cell_len, column.split()), default=0),  # no word of a head is cut
        )
    return shown
