"""The form of ``python -m kosim`` in version 0.1: ``python -m experiments.cli`` in a checkout."""

import click

from kosim.experiments.cli import main

if __name__ == "__main__":
    click.echo("Note: `-m experiments.cli` is now `-m kosim`", err=True)
    main(prog_name="kosim")
