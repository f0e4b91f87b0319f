"""The first thing that a request meets: checks of its host, key and size, and of its client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kosim.serving.admission import Admission
from kosim.serving.hosts import Hosts
from kosim.serving.keys import Keys
from kosim.serving.metrics import Metrics
from kosim.serving.problems import Problem
from kosim.serving.shape import check_shape

_BODY_SECONDS = 30.0
"""Within which a body must have come."""

_DROPPED = 64_000_000
"""Bytes of a body that is too large which are read all the same."""

_WORK = ("POST", "DELETE")
"""Methods of requests that need a slot."""

PUBLIC = ("/health", "/healthz", "/readyz", "/docs", "/openapi.json", "/assets/", "/favicon.ico")
"""What needs no key, and the page, which asks for one."""


class Intake:
    """Reads the body whole before the request begins, and ends it when its client goes away.

    So a request that is being computed always has a client that waits for it, and no body larger
    than ``max_bytes`` is ever held. A request that asks for work gets its slot before its body is
    even parsed: under overload, parsing is what would pile up. The metrics of every request are
    taken here.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Keys,
        hosts: Hosts,
        max_bytes: int,
        metrics: Metrics,
        admission: Callable[[], Admission],
        root_path: str = "",
    ) -> None:
        self._app = app
        self._keys = keys
        self._hosts = hosts
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._admission = admission
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; anything but HTTP is handed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _below_root(scope, self._root_path)
        started = time.perf_counter()
        status = 499  # nginx's number for a client that left

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._admitted(scope, receive, sending)
        except Problem as problem:
            await problem.response()(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, _method(scope), str(status)).inc()
            self._metrics.request_seconds.labels(route).observe(time.perf_counter() - started)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._hosts.check(headers)
        if not _is_public(scope):
            self._keys.check(headers.get("authorization"))
        body = await self._body(headers, receive)
        if body is None:
            self._metrics.left.inc()
            return
        check_shape(body)
        await asyncio.sleep(0)  # Parsing takes as long again: others come in between.
        with self._admission().slot() if scope["method"] in _WORK else nullcontext():
            if not await _while_connected(self._app, scope, body, receive, send):
                self._metrics.left.inc()

    async def _body(self, headers: Headers, receive: Receive) -> bytes | None:
        """Return the whole body, None if the client left before its end.

        Of a body that is too large the rest is read and dropped, so that the client, which is
        still sending, comes to read the answer; if there is too much of it, it is cut off.
        """
        announced = headers.get("content-length", "")
        if announced.isdigit() and int(announced) > _DROPPED:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    size += len(part)
                    more = message.get("more_body", False)
                    if size > self._max_bytes:
                        parts.clear()
                        if not more or size > _DROPPED:
                            raise self._too_large()
                        continue
                    parts.append(part)
                    if not more:
                        return b"".join(parts)
        except TimeoutError:
            raise Problem(
                408, "timeout", f"the body did not come within {_BODY_SECONDS:g} seconds"
            ) from None

    def _too_large(self) -> Problem:
        return Problem(
            413,
            "too_large",
            f"the body is larger than the limit max-bytes, {self._max_bytes:,} bytes: split it",
        )


async def _while_connected(
    app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send
) -> bool:
    """Let ``app`` answer; return whether the client was there until the end."""
    gone = asyncio.ensure_future(_disconnected(receive))
    answer = asyncio.ensure_future(_call(app, scope, _Replay(body, gone), send))
    try:
        await asyncio.wait({gone, answer}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            await answer
            return True
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)
        return False
    finally:
        gone.cancel()
        answer.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _call(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


class _Replay:
    """Gives an app the body that was read, and then waits for the client to leave."""

    def __init__(self, body: bytes, gone: Awaitable[None]) -> None:
        self._body: bytes | None = body
        self._gone = gone

    async def __call__(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await asyncio.shield(self._gone)
        return {"type": "http.disconnect"}


def _below_root(scope: Scope, root: str) -> Scope:
    """Return a request whose path begins with the root path, also where a proxy has stripped it."""
    if not root:
        return scope
    path = scope["path"]
    below = path == root or path.startswith(f"{root}/")
    return {**scope, "root_path": root, "path": path if below else root + path}


def _is_public(scope: Scope) -> bool:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    if path == "/":
        return scope["method"] in ("GET", "HEAD")
    return any(
        path.startswith(public) if public.endswith("/") else path == public for public in PUBLIC
    )


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _method(scope: Scope) -> str:
    """Return the method as a label: of made-up ones there could be any number."""
    return scope["method"] if scope["method"] in _METHODS else "other"
