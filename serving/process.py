"""One server process of several: it answers its parent at once, and imports torch after that.

Little is imported here: what a new process must import before it can answer its parent's health
check, which would take it for hung otherwise.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing.connection
import os
import signal
import threading
from typing import TYPE_CHECKING

from uvicorn.config import STARTUP_FAILURE

from kosim.encoders.errors import KosimError
from kosim.serving.settings import ServingSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from kosim.serving.cluster.deployment import Cluster


def app_of_process(settings: ServingSettings, cluster: Cluster | None = None) -> FastAPI:
    """Return the application with its models loaded, as far as no ``cluster`` has them.

    A process that has a parent ends when that is gone, even if it was killed.

    Raises:
        KosimError: a model or the index cannot be opened.
        SystemExit: the same in a process that has a parent, which is not to try it again.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()
    from kosim.serving.app import create_app
    from kosim.serving.metrics import Metrics
    from kosim.serving.service import Service

    try:
        app = create_app(settings, service=Service.open(settings, Metrics(), cluster))
    except KosimError as error:
        if parent is None:
            raise
        logging.getLogger("uvicorn.error").error("%s", error)
        raise SystemExit(STARTUP_FAILURE) from error
    # Or the first large request has all that was imported looked through, and the loop waits.
    gc.collect()
    gc.freeze()
    return app


def _follow(parent: int) -> None:
    multiprocessing.connection.wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)
