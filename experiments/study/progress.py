"""How an experiment tells what it is doing."""

from __future__ import annotations

from typing import Protocol

from kosim.experiments.study.language import Text


class Progress(Protocol):
    """Called with what is being done, how much of it is done, and how much there is.

    The total is 0 where that is not counted.
    """

    def __call__(self, stage: Text, done: int = 0, total: int = 0, /) -> None:
        """Show it."""


def silent(stage: Text, done: int = 0, total: int = 0, /) -> None:
    """Show nothing."""
