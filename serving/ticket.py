"""How work done on another thread learns that its client has gone away."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextvars import ContextVar
from typing import TypeVar

Value = TypeVar("Value")


class Ticket:
    """Belongs to one request and goes with it, as :data:`TICKET`, to whatever thread works for it.

    A request waits for at most one thing at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gone = False
        self._awaited: Future[object] | None = None

    def wait(self, future: Future[Value]) -> Value:
        """Wait for a result, at most until the client leaves.

        Raises:
            CancelledError: of `concurrent.futures`: the client has left; the future is cancelled.
        """
        with self._lock:
            self._awaited = future  # type: ignore[assignment]
            if self._gone:
                future.cancel()
        return future.result()

    def leave(self) -> None:
        """Say that the client has left."""
        with self._lock:
            self._gone = True
            if self._awaited is not None:
                self._awaited.cancel()


TICKET: ContextVar[Ticket] = ContextVar("ticket")
"""That of the request for which the present thread works."""
