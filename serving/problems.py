"""What a client is told when its request is not carried out."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from kosim.encoders.errors import (
    ClusterError,
    ConfigError,
    CorpusIndexError,
    DataError,
    IndexLockedError,
    KosimError,
    MissingExtraError,
    StorageError,
)

_LOG = logging.getLogger("kosim.serving")
_MOST_SHOWN = 200

STATUS_OF: dict[type[KosimError], int] = {
    DataError: 422,
    ConfigError: 422,
    MissingExtraError: 422,
    IndexLockedError: 503,
    CorpusIndexError: 503,
    StorageError: 507,
    ClusterError: 503,
}
"""Of an error of ours; the first class that fits counts."""


class Problem(Exception):  # noqa: N818 - it is what RFC 9457 calls a problem
    """A request is refused.

    Args:
        status: of the response.
        code: a word for programs.
        message: what was wrong with which value, and what to do.
        param: the field that was wrong.
        retry_after: seconds after which the same request may succeed.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after = retry_after

    def response(self) -> JSONResponse:
        """Return the response: OpenAI's form, and the message also where other clients look."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        message = encodable(self.message)
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": message, "type": kind, "param": self.param, "code": self.code}
        return JSONResponse(
            {"message": message, "detail": message, "error": error}, self.status, headers
        )


def encodable(text: str) -> str:
    """Return a text without what no UTF-8 can carry: half characters are shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def add_handlers(app: FastAPI, routes: Iterable[BaseRoute]) -> None:
    """Let an app with these routes answer every error in the one form."""
    known = [route for route in routes if isinstance(route, Route)]

    async def http(request: Request, error: Exception) -> JSONResponse:
        response = await _http(request, error)
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        methods = {
            one for route in known if route.path_regex.match(path) for one in route.methods or ()
        }
        if response.status_code == 405 and methods:
            # The error knows those of one route, and a path can have several.
            response.headers["Allow"] = ", ".join(sorted(methods))
        return response

    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(KosimError, _refused)
    app.add_exception_handler(Exception, _failed)


async def _problem(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Problem):
        raise error
    return error.response()


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first: dict[str, Any] = error.errors()[0]
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "")
        return Problem(400, "invalid_json", f"the body is not JSON: {reason}").response()
    # The value itself is not repeated: it can be large, or nothing that JSON can say.
    parts = [str(part) for part in first["loc"][1:]]
    named = [part for part in parts if not part.startswith("function-")]  # pydantic's validators
    field = encodable(".".join(named))[:_MOST_SHOWN]
    reason = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
    message = f"{field or first['loc'][0]}: {reason}"[:_MOST_SHOWN]
    if not field and "json" not in request.headers.get("content-type", ""):
        message = "the body is not sent as JSON; send it with Content-Type: application/json"
    return Problem(422, "invalid_value", message, param=field or None).response()


async def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    problem = Problem(error.status_code, f"http_{error.status_code}", str(error.detail))
    if error.status_code == 400:  # FastAPI's, of a body that it cannot decode
        problem = Problem(400, "invalid_json", "the body cannot be read; send JSON in UTF-8")
    response = problem.response()
    response.headers.update(error.headers or {})
    return response


async def _refused(_: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in STATUS_OF.items() if isinstance(error, kind)), 500)
    if status >= 500:
        _LOG.error("%s", error)
    retry = 1 if isinstance(error, IndexLockedError | ClusterError) else None
    code = type(error).__name__.removesuffix("Error").lower()
    return Problem(status, code, str(error), retry_after=retry).response()


async def _failed(_: Request, error: Exception) -> JSONResponse:
    # Starlette raises it again after the answer, so the server logs where it came from.
    return Problem(500, "internal", "the service failed; its log says more").response()
