"""How work done on another thread learns that its client has gone away."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextvars import ContextVar
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Value = TypeVar("Value")


class Ticket:
    """Belongs to one request and goes with it, as `TICKET`, to whatever thread works for it.

    A request waits for at most one thing at a time. ``tokens`` counts what was computed for it, and
    ``truncated`` the texts and pairs that were cut at an encoder's maximum length.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gone = False
        self._awaited: Future[object] | None = None
        self.tokens = 0
        self.truncated = 0

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


def count_tokens(lengths: npt.NDArray[np.int64], most: int) -> None:
    """Count inputs of a network for the request at hand, if there is one.

    Args:
        lengths: (n,) tokens of the inputs, uncut.
        most: tokens at which they are cut.
    """
    ticket = TICKET.get(None)
    if ticket is not None:
        ticket.tokens += int(lengths.clip(max=most).sum())
        ticket.truncated += int((lengths > most).sum())


TICKET: ContextVar[Ticket] = ContextVar("ticket")
"""That of the request for which the present thread works."""
