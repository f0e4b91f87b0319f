"""Connections that end: time limits, a bound on their number, and clients that have half closed.

uvicorn waits for ever for a request's head, and for a client that does not read its answer. With
enough of such connections a server has no file descriptor left for anybody else.
"""

from __future__ import annotations

import asyncio
import resource
import time
from asyncio.events import TimerHandle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from kosim.serving.problems import Problem

HEAD_SECONDS = 10.0
"""Within which the head of a request must have come."""

IDLE_SECONDS = 5
"""For which a connection stays open between two requests."""

READ_SECONDS = 30.0
"""For which an answer waits for a client that does not read it."""

_HEAD_BYTES = 65_536
_HEADERS = 100
"""Header fields of a request at most; browsers and proxies send a few dozen."""

_PROBE_SECONDS = (0.1, 1.0)
"""Between a client's half-close and the next look at whether it is there, and between further."""

_OTHER_FILES = 32
"""File descriptors beside connections that a process may need once it serves."""

_FEWEST = 8


@cache
def allowed_connections(wanted: int) -> int:
    """Return how many connections this process may have: as many as it has file descriptors for.

    Args:
        wanted: at most.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return wanted
    opened = len(list(Path("/proc/self/fd").iterdir()))
    return max(_FEWEST, min(wanted, limit - opened - _OTHER_FILES))


class Connection(HttpToolsProtocol):
    """One client's connection.

    Beyond uvicorn's limit of connections (``limit_concurrency``) the one that has been without a
    request for longest gives way; where every one has a request, the new one gets 503.

    A client that closes its sending side still gets its answer. To tell it from one that has closed
    altogether, which looks the same, it is sent ``100 Continue`` now and then, which clients skip:
    what has closed altogether answers with a reset.
    """

    def __init__(
        self,
        config: Config,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._most = self.limit_concurrency or 0
        self.limit_concurrency = None  # uvicorn would refuse requests and keep the connections
        self._timers: dict[str, TimerHandle] = {}
        self._part: Literal["none", "head", "body"] = "none"
        self._head_bytes = 0
        self._half_closed = False
        self._refusal: tuple[int, str, str] | None = None
        self.idle_since = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the client time for a request, and let another connection go if there are many."""
        super().connection_made(transport)
        self._start("input", HEAD_SECONDS, self._late)
        if self._most and len(self.connections) > allowed_connections(self._most):
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        if self.transport.is_closing():
            return
        if self._part == "head":
            self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._part == "head" and self._head_bytes > _HEAD_BYTES:
            self._refuse(431, "head_too_large", f"the head is over {_HEAD_BYTES:,} bytes")
        elif self._part == "head" or (self._part == "body" and self.is_idle):
            # The rest of a body whose answer is sent already is not waited for either.
            self._start("input", HEAD_SECONDS, self._late)

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._part, self._head_bytes = "head", 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, of the head or of a chunked body's end."""
        super().on_header(name, value)
        if len(self.headers) > _HEADERS:
            self._refusal = (431, "too_many_headers", f"there are over {_HEADERS} header fields")
            raise ValueError("too many header fields")  # ends in send_400_response

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._part = "body"
        self._stop("input")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a body."""
        self._part = "none"
        self._stop("input")
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless the client has said that there is none."""
        super().on_response_complete()
        self.idle_since = time.monotonic()
        if self._half_closed and self.is_idle:
            self.transport.close()
        if self.transport.is_closing():
            self._start("output", READ_SECONDS, self.transport.abort)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for the answer of a request that has come whole."""
        if self.is_idle or self.cycle.more_body:
            return False
        self._half_closed = True
        self._look(*_PROBE_SECONDS)
        return True

    def pause_writing(self) -> None:
        """Give the client time to read."""
        super().pause_writing()
        self._start("output", READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it has read."""
        super().resume_writing()
        self._stop("output")

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection: there was no further request."""
        super().timeout_keep_alive_handler()
        self._start("output", READ_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        for name in list(self._timers):
            self._stop(name)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and close."""
        self._refuse(*(self._refusal or (400, "invalid_http", msg)))

    def _refuse(self, status: int, code: str, message: str, *headers: bytes) -> None:
        """Answer in the service's form, without the application, and close."""
        if self.is_idle:
            response = Problem(status, code, message).response()
            lines = [
                b"content-type: application/json",
                b"content-length: %d" % len(response.body),
                b"connection: close",
                *headers,
            ]
            head = STATUS_LINE[status] + b"".join(line + b"\r\n" for line in lines)
            self.transport.write(head + b"\r\n" + bytes(response.body))
        self.transport.close()
        self._start("output", READ_SECONDS, self.transport.abort)

    def _make_room(self) -> None:
        others = [
            one for one in self.connections if one is not self and isinstance(one, Connection)
        ]
        idle = [one for one in others if one.is_idle and not one.transport.is_closing()]
        if idle:
            min(idle, key=lambda one: one.idle_since).transport.abort()
        else:
            message = f"all {len(others):,} connections are in use; come back later"
            self._refuse(503, "too_many_connections", message, b"retry-after: 1")

    def _late(self) -> None:
        if self._part == "head" and not self.transport.is_closing():
            message = f"the head did not come within {HEAD_SECONDS:g} seconds"
            self._refuse(408, "timeout", message)
        else:
            self.transport.close()

    def _look(self, seconds: float, then: float) -> None:
        """Write something to a client that has half closed: if it is gone, the next time fails."""
        if self.transport.is_closing() or self.cycle.response_started:
            return
        if self.cycle.scope["http_version"] == "1.1" and not self.pipeline:
            self.transport.write(STATUS_LINE[100] + b"\r\n")
        self._stop("look")
        self._start("look", seconds, lambda: self._look(then, then))

    def _start(self, name: str, seconds: float, act: Callable[[], object]) -> None:
        """Act after some seconds, unless it is stopped; one that runs already runs on."""
        if name not in self._timers:
            self._timers[name] = self.loop.call_later(seconds, act)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
