"""The two consoles of all commands, JSON, and the style of tables."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from kosim.encoders.training.ranks import is_main

output = Console(quiet=not is_main())
"""Results: standard output. Of several processes only the main one prints."""

notes = Console(stderr=True, quiet=not is_main())
"""Everything said on the way: standard error."""


def print_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def print_json_line(value: Any) -> None:
    """Print one JSON document on a line of its own to standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table in the style of all our tables: text left, the rest right."""
    made = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 2))
    for place, column in enumerate(columns):
        made.add_column(column, justify="left" if place == 0 else "right")
    return made
