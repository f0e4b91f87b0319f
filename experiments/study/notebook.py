"""The progress of an experiment below the cell of a notebook that started it."""

from __future__ import annotations

import sys
from typing import Any

from kosim.experiments.study.language import Text, language_of_locale, text
from kosim.experiments.study.progress import Progress, silent


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
