"""The OpenAPI document: besides what FastAPI sees in the endpoints, what all of them can answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from kosim.serving.fields import LIMITS

_SCHEME = "bearer"
_REFUSALS = {
    400: "The body is not JSON.",
    401: "A key is asked for, and none or a wrong one was given.",
    403: "The Host or Origin header names another server.",
    404: "What the request needs is not served or not there.",
    408: "The body did not come in time.",
    409: "The index cannot be changed in this way.",
    413: "The body or a list of it is over a limit, which is named.",
    422: "A value is not as it must be; the field is named.",
    429: "Too many requests are inside; `Retry-After` says when to come back.",
    503: "The index or the cluster cannot answer now.",
    507: "The disk is full.",
}
_ALWAYS = (401, 403)
_OF_A_BODY = (400, 404, 408, 413, 422, 429, 503)
_OF_A_CHANGE = (404, 408, 409, 413, 429, 503, 507)
_OF_A_PATH = (404,)


class Fault(BaseModel):
    """What was wrong, in OpenAI's form."""

    message: str
    type: str
    param: str | None
    code: str


class Refusal(BaseModel):
    """Every answer of 400 and more; the message stands wherever clients look for it."""

    message: str
    detail: str
    error: Fault


def add_reference(
    app: FastAPI,
    *,
    keyed: bool,
    public: tuple[str, ...],
    root_path: str,
    limits: Callable[[], Mapping[str, int]],
) -> None:
    """Let an app describe itself.

    Args:
        app: with all its endpoints.
        keyed: whether requests need a key.
        public: the paths that need none all the same.
        root_path: under which a proxy publishes the app.
        limits: returns those of `Stated` keywords that are known, by their names.
    """

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, keyed=keyed, public=public)
            _fill_in(app.openapi_schema["components"]["schemas"], limits())
            if root_path:
                app.openapi_schema["servers"] = [{"url": root_path}]
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, *, keyed: bool, public: tuple[str, ...]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    refusal = Refusal.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(refusal.pop("$defs"), Refusal=refusal)
    components["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer"}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            is_public = path in public or (path, method) == ("/", "get")
            if not is_public:
                operation["security"] = [{_SCHEME: []}] if keyed else [{}, {_SCHEME: []}]
            responses = operation["responses"]
            responses.pop("422", None)
            for status in _statuses(method, operation, is_public=is_public):
                described = {"description": _REFUSALS[status], "content": content}
                responses.setdefault(str(status), described)
    return document


def _fill_in(schema: Any, limits: Mapping[str, int]) -> None:
    """Give keywords the limits that they name; one whose limit is not known is left out."""
    if isinstance(schema, dict):
        named = schema.pop(LIMITS, {})
        schema.update({key: limits[name] for key, name in named.items() if name in limits})
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            _fill_in(part, limits)


def _statuses(method: str, operation: dict[str, Any], *, is_public: bool) -> list[int]:
    statuses = {403} if is_public else set(_ALWAYS)
    if "requestBody" in operation:
        statuses.update(_OF_A_BODY)
    if method == "delete" or operation.get("tags") == ["documents"]:
        statuses.update(_OF_A_CHANGE)
    if operation.get("parameters"):
        statuses.update(_OF_A_PATH)
    return sorted(statuses)
