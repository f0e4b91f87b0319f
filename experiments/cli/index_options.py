"""Options that several commands about an index take."""

from __future__ import annotations

from typing import get_args

import click

from kosim.index.vectors.vector_index import IndexType

INDEX_TYPES = click.Choice(["auto", *get_args(IndexType)])

timeout_option = click.option(
    "--timeout", type=float, default=10.0, show_default=True, help="Seconds to wait for a writer."
)
