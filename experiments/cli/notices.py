"""What the library says to its logger, on the terminal and in its language."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click

from kosim.encoders.language import Line, text


class _OnTheTerminal(logging.Handler):
    """Prints the messages of records to standard error as the rest of a command's text."""

    def __init__(self, context: click.Context) -> None:
        super().__init__(logging.WARNING)
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message; a text in both languages in that of the command."""
        from kosim.experiments.cli.console import chosen_language, notes

        try:
            message = record.getMessage()
            if isinstance(record.args, tuple) and len(record.args) == 1:
                (said,) = record.args
                message = (
                    text(said, chosen_language(self._context))
                    if isinstance(said, Line)
                    else message
                )
            notes.print(message, soft_wrap=True)
        except Exception:  # what is said on the way ends no command
            self.handleError(record)


@contextmanager
def notices_on_terminal(context: click.Context) -> Iterator[None]:
    """Print the warnings of the library while a command runs."""
    handler = _OnTheTerminal(context)
    logger = logging.getLogger("kosim")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
