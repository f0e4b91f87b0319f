"""The option by which a command runs on a cluster."""

from __future__ import annotations

import click

ray_option = click.option(
    "--ray",
    metavar="[HOST:PORT]",
    is_flag=False,
    flag_value="auto",
    help="Use a Ray cluster: the one whose head is given, or that runs here, or a new one here.",
)
