"""The door of the service: so many requests may be inside, the next ones are asked to come back."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from serving.problems import Problem
from serving.ticket import TICKET, Ticket

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")

_MEMORY = 0.1
"""Weight of the newest request in the mean time of a request."""


class Admission:
    """Carries out work on threads, a bounded number at a time, and never on the event loop.

    A thread does no computing of its own worth the name: it waits for a
    :class:`serving.microbatch.MicroBatcher`, or reads and writes an index.

    Args:
        capacity: requests that may be at work or waiting.
        changed: called with their number when it changes.
    """

    def __init__(self, capacity: int, changed: Callable[[int], None] = lambda _: None) -> None:
        self.capacity = capacity
        self.inside = 0
        self._changed = changed
        self._mean_seconds = 0.0
        self._threads = ThreadPoolExecutor(capacity, thread_name_prefix="request")

    async def run(
        self,
        work: Callable[Arguments, Value],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Value:
        """Do ``work`` on a thread and return what it returns.

        When the caller is cancelled, the work is told by its ticket, and its place is free as
        soon as it has ended.

        Raises:
            Problem: 429, all places are taken.
        """
        if self.inside >= self.capacity:
            raise Problem(
                429,
                "busy",
                f"{self.capacity} requests are at work or waiting already; come back later",
                retry_after=self.retry_after(),
            )
        loop = asyncio.get_running_loop()
        ticket, started = Ticket(), loop.time()
        context = contextvars.copy_context()
        context.run(TICKET.set, ticket)
        self._enter(+1)
        future = self._threads.submit(context.run, lambda: work(*args, **kwargs))
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._leave, started, done))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            ticket.leave()
            raise

    def retry_after(self) -> int:
        """Return the seconds after which a place should be free: the mean time of a request."""
        return max(1, math.ceil(self._mean_seconds))

    def close(self) -> None:
        """Let no more work begin."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _leave(self, started: float, done: Future[Value]) -> None:
        self._enter(-1)
        if not done.cancelled():
            seconds = asyncio.get_running_loop().time() - started
            self._mean_seconds += _MEMORY * (seconds - self._mean_seconds)

    def _enter(self, change: int) -> None:
        self.inside += change
        self._changed(self.inside)
