"""One server process of several: it answers its parent at once, and imports torch after that.

Little is imported here: what a new process must import before it can answer its parent's health
check, which would take it for hung otherwise.
"""

from __future__ import annotations

import multiprocessing.connection
import os
import signal
import threading
from typing import TYPE_CHECKING

from serving.settings import ServingSettings

if TYPE_CHECKING:
    from fastapi import FastAPI


def app_of_process(settings: ServingSettings) -> FastAPI:
    """Return the application; the process ends when its parent is gone, even if that was killed."""
    if (parent := multiprocessing.parent_process()) is not None:
        follow = threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True)
        follow.start()
    from serving.app import create_app

    return create_app(settings)


def _follow(parent: int) -> None:
    multiprocessing.connection.wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)
