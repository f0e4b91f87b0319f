"""The door of the service: so many requests may be inside, the next ones are asked to come back."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from kosim.serving.problems import Problem
from kosim.serving.ticket import TICKET, Ticket

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")

_MEMORY = 0.1
"""Weight of the newest request in the mean time of a request."""


class Admission:
    """A bounded number of slots, and threads to work on for those who have one.

    A thread does no computing of its own worth the name: it waits for a
    `MicroBatcher`, or reads and writes an index. So none of
    that ever happens on the event loop.

    Args:
        capacity: requests that may be inside.
        changed: called with their number when it changes.
    """

    def __init__(self, capacity: int, changed: Callable[[int], None] = lambda _: None) -> None:
        self.capacity = capacity
        self.inside = 0
        self._changed = changed
        self._mean_seconds = 0.0
        self._threads = ThreadPoolExecutor(capacity, thread_name_prefix="request")

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the slots; on the event loop's thread.

        Raises:
            Problem: 429, all slots are taken.
        """
        if self.inside >= self.capacity:
            raise Problem(
                429,
                "busy",
                f"{self.capacity} requests are at work or waiting already; come back later",
                retry_after=max(1, math.ceil(self._mean_seconds)),
            )
        started = time.monotonic()
        self._enter(+1)
        try:
            yield
        finally:
            self._enter(-1)
            seconds = time.monotonic() - started
            self._mean_seconds += _MEMORY * (seconds - self._mean_seconds)

    async def run(
        self,
        work: Callable[Arguments, Value],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Value:
        """Do ``work`` on a thread and return what it returns.

        When the caller is cancelled, the work is told by its ticket.
        """
        ticket, context = Ticket(), contextvars.copy_context()
        context.run(TICKET.set, ticket)
        future = self._threads.submit(context.run, lambda: work(*args, **kwargs))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            ticket.leave()
            raise

    def close(self) -> None:
        """Let no more work begin."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _enter(self, change: int) -> None:
        self.inside += change
        self._changed(self.inside)
