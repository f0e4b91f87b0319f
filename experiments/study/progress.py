"""How an experiment tells what it is doing, also below the cell of a notebook."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from kosim.encoders.language import Text, language_of_locale, text


class Progress(Protocol):
    """Called with what is being done, how much of it is done, and how much there is.

    The total is 0 where that is not counted.
    """

    def __call__(self, stage: Text, done: int = 0, total: int = 0, /) -> None:
        """Show it."""


def silent(stage: Text, done: int = 0, total: int = 0, /) -> None:
    """Show nothing."""


def notebook_progress() -> Progress:
    """Return what shows each stage in one line below the cell; outside a notebook, `silent`."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if not hasattr(shell, "kernel"):
        return silent
    handle = ipython.display.display({"text/plain": ""}, raw=True, display_id=True)

    def show(stage: Text, done: int = 0, total: int = 0, /) -> None:
        counted = f" ({done:,} of {total:,})" if total else ""
        handle.update(
            {"text/plain": f"kosim: {text(stage, language_of_locale())}{counted}"}, raw=True
        )

    return show
