"""The page for people, and the reference of the endpoints; neither asks any other server."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

FOLDER = Path(str(files("kosim.serving") / "page"))
_SWAGGER = "/assets/swagger"

_POLICY = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self'{styles}; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

router = APIRouter()


class Entrance(BaseModel):
    """Where to go from here."""

    name: str
    service: str
    openapi: str
    docs: str


@router.get(
    "/",
    response_model=Entrance,
    responses={200: {"description": "The page, or where to go.", "content": {"text/html": {}}}},
    tags=["operations"],
)
async def page(request: Request) -> Response:
    """Return the page to a browser; tell others where to go."""
    if "text/html" in request.headers.get("accept", ""):
        return FileResponse(
            FOLDER / "index.html",
            headers={
                **_HEADERS,
                "Content-Security-Policy": _POLICY.format(scripts="", styles=""),
                "Cache-Control": "no-cache",
                "Vary": "Accept",
            },
        )
    root = request.scope.get("root_path", "")
    paths = {"service": "/v1/service", "openapi": "/openapi.json", "docs": "/docs"}
    addresses = {name: root + path for name, path in paths.items()}
    return JSONResponse({"name": "kosim", **addresses}, headers={"Vary": "Accept"})


@router.get("/favicon.ico", include_in_schema=False)
async def icon() -> Response:
    """Return the icon that browsers ask for by themselves."""
    return FileResponse(FOLDER / "icon.svg", media_type="image/svg+xml")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """Return Swagger UI over the OpenAPI document, from this server alone."""
    html = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=request.app.title,
        swagger_js_url=f"{_SWAGGER[1:]}/swagger-ui-bundle.js",
        swagger_css_url=f"{_SWAGGER[1:]}/swagger-ui.css",
        swagger_favicon_url="assets/icon.svg",
    )
    policy = _POLICY.format(scripts=_hashes(bytes(html.body)), styles=" 'unsafe-inline'")
    return HTMLResponse(html.body, headers={**_HEADERS, "Content-Security-Policy": policy})


def add_assets(app: FastAPI) -> None:
    """Serve the files of the page and of Swagger UI."""
    found = find_spec("fastapi_offline")
    if found is not None and found.origin is not None:
        swagger = Path(found.origin).parent / "static"
        app.mount(_SWAGGER, StaticFiles(directory=swagger))
    app.mount("/assets", StaticFiles(directory=FOLDER))


def _hashes(html: bytes) -> str:
    """Return the scripts that stand in a page, as a content security policy allows them."""
    scripts = re.findall(rb"<script>(.*?)</script>", html, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts]
    return "".join(f" 'sha256-{digest}'" for digest in digests)
