"""The two consoles of all commands, JSON, and the style of tables."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
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


_SPACES = re.compile(r"[ \n]+")
"""Where a line of a cell may end: at no space that keeps a number and its unit together."""


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
            min_width=_longest_word([column]),  # no word of a head is cut
        )
    return shown


def fitting_tables(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Table]:
    """Yield a table of rows, in parts one below the other where the terminal is too narrow.

    Every part has the first column, and no word is cut that fits into the terminal at all.
    """
    cells = list(zip(columns, *rows, strict=True))
    least = [_longest_word(column) for column in cells]
    widest = [max(map(cell_len, column)) for column in cells]
    gap = 2 if sum(widest) + 4 * len(widest) <= output.width else 1
    for part in _parts(least, output.width, 2 * gap):
        shown = table(*(columns[each] for each in part))
        shown.padding = (0, gap)
        space = output.width - 2 * gap * len(part)
        chosen = _widths([least[each] for each in part], [widest[each] for each in part], space)
        for column, width in zip(shown.columns, chosen, strict=True):
            column.width = width
        for row in rows:
            shown.add_row(*(row[each] for each in part))
        yield shown


def _parts(least: Sequence[int], width: int, gap: int) -> list[list[int]]:
    """Return which columns stand beside each other: the first, and as many others as fit."""
    parts = [[0]]
    for number in range(1, len(least)):
        taken = sum(least[each] + gap for each in (*parts[-1], number))
        if taken > width and len(parts[-1]) > 1:
            parts.append([0])
        parts[-1].append(number)
    return parts


def _widths(least: Sequence[int], widest: Sequence[int], space: int) -> list[int]:
    """Share the space among columns: those whose cells need least beyond a word get all they need.

    What is left over goes to the one that needs most.
    """
    widths, spare = list(least), space - sum(least)
    wanted = sorted(range(len(least)), key=lambda column: widest[column] - least[column])
    for column in wanted:
        more = max(0, min(widest[column] - least[column], spare))
        if least[column] + more == widest[column] or column == wanted[-1]:
            widths[column] += more
            spare -= more
    return widths


def _longest_word(texts: Iterable[str]) -> int:
    words = (word for text in texts for word in _SPACES.split(text))
    return max(map(cell_len, words), default=0)
