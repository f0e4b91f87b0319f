"""The application: models, endpoints and the page, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from kosim.serving.fields import DIMENSION, MAX_CHARACTERS, MAX_ITEMS
from kosim.serving.hosts import Hosts
from kosim.serving.intake import PUBLIC, Intake
from kosim.serving.keys import Keys
from kosim.serving.metrics import Metrics
from kosim.serving.problems import add_handlers
from kosim.serving.reference import add_reference
from kosim.serving.routes import (
    documents,
    embeddings,
    explain,
    operations,
    page,
    rerank,
    search,
    similarity,
)
from kosim.serving.service import Service
from kosim.serving.settings import ServingSettings

_ABOUT = """Similarity of Korean sentences, and search with reranking.

Texts longer than an encoder's maximum length are cut there, and `X-Kosim-Truncated` says how many.
A request over a limit gets 413 or 422 with the limit's name; when too many are at work, 429 with
`Retry-After`."""


def create_app(settings: ServingSettings, *, service: Service | None = None) -> FastAPI:
    """Return the application of one server process.

    Args:
        settings: what to serve.
        service: what was opened of them already; else the application opens it when it starts
            up. It is closed when the application shuts down.

    Raises:
        ConfigError: the key file is readable by others, or has no key.
    """
    metrics = Metrics() if service is None else service.metrics

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = service or Service.open(settings, metrics)
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
    families = (similarity, explain, rerank, embeddings, search, documents, operations, page)
    for family in families:
        app.include_router(family.router)
    page.add_assets(app)
    add_handlers(app, (route for family in families for route in family.router.routes))
    keys = Keys.read(settings.keys)

    def limits() -> dict[str, int]:
        known = {MAX_ITEMS: settings.max_items, MAX_CHARACTERS: settings.max_characters}
        opened: Service | None = getattr(app.state, "service", None)
        if opened is not None and opened.models.bi is not None:
            known[DIMENSION] = opened.models.bi.dimension
        return known

    add_reference(
        app, keyed=keys.needed, public=PUBLIC, root_path=settings.root_path, limits=limits
    )
    app.add_middleware(
        Intake,
        keys=keys,
        hosts=Hosts.of(settings),
        max_bytes=settings.max_bytes,
        metrics=metrics,
        root_path=settings.root_path,
        admission=lambda: app.state.service.admission,
    )
    return app
