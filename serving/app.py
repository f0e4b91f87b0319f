"""The application: models, endpoints and the page, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import torch
from fastapi import FastAPI

from serving.admission import Admission
from serving.intake import Intake
from serving.keys import Keys
from serving.limits import Limits
from serving.metrics import Metrics, forget_dead_processes
from serving.models import Models
from serving.problems import add_handlers
from serving.routes import documents, embeddings, operations, page, rerank, search, similarity
from serving.service import Service
from serving.settings import ServingSettings

_ABOUT = """Similarity of Korean sentences, and search with reranking.

Texts longer than an encoder's maximum length are cut there. A request over a limit gets 413 or
422 with the limit's name; when too many are at work, 429 with `Retry-After`."""


def create_app(settings: ServingSettings) -> FastAPI:
    """Return the application of one server process; its models are loaded when it starts up.

    Raises:
        ConfigError: the key file is readable by others, or has no key.
    """
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        forget_dead_processes()
        torch.set_num_threads(max(1, torch.get_num_threads() // settings.workers))
        # Nothing is served yet that this could hold up.
        models = Models.open(settings, metrics.batch_report)
        admission = Admission(settings.queue, metrics.inside.set)
        app.state.service = Service(models, Limits.of(settings), admission, metrics)
        try:
            yield
        finally:
            app.state.service.close()

    app = FastAPI(
        title="kosim",
        version=version("kosim"),
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    for family in (similarity, rerank, embeddings, search, documents, operations, page):
        app.include_router(family.router)
    page.add_assets(app)
    add_handlers(app)
    app.add_middleware(
        Intake,
        keys=Keys.read(settings.keys),
        max_bytes=settings.max_bytes,
        metrics=metrics,
        admission=lambda: app.state.service.admission,
    )
    return app
