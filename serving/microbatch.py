"""Dynamic micro-batching: what several requests want of one network is computed together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.errors import KosimError
from kosim.serving.passes import Taken, Waiting, into_passes, take
from kosim.serving.ticket import TICKET, Ticket

Item = TypeVar("Item")


@dataclass(frozen=True)
class BatchSettings:
    """How long a request waits for others, in seconds, and how many tokens make a batch.

    Without a wait a batch begins as soon as the network is idle: what comes while it is at work
    makes the next one.

    Without ``together`` a batch is what is left of one request.
    """

    wait: float = 0.0
    tokens: int = 2048
    together: bool = True


@dataclass(frozen=True)
class BatchReport:
    """What a batch was: its requests, items and tokens, and its seconds in the network."""

    requests: int
    items: int
    tokens: int
    seconds: float


class MicroBatcher(Generic[Item]):
    """One thread that feeds one network.

    Requests wait on threads of their own. A batch begins when the first of them has waited for
    as long as it may, or when there are tokens enough; while the network is at work, the next one
    gathers.

    Args:
        name: of the thread.
        compute: (n items) -> (n, ...) rows; called on this thread only.
        lengths: (n items) -> (n,) tokens; called on the threads of the requests.
        settings: when a batch begins, and how large it is.
        report: called after every batch.
    """

    def __init__(
        self,
        name: str,
        compute: Callable[[list[Item]], FloatArray],
        lengths: Callable[[Sequence[Item]], npt.NDArray[np.int64]],
        settings: BatchSettings,
        report: Callable[[BatchReport], None] = lambda _: None,
    ) -> None:
        self._compute = compute
        self._lengths = lengths
        self._settings = settings
        self._report = report
        self._queue: deque[Waiting[Item]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """How many items wait."""
        with self._changed:
            return sum(len(request.items) - request.taken for request in self._queue)

    def submit(self, items: Sequence[Item]) -> FloatArray:
        """Return the rows of n items, (n, ...) float32; an item that appears twice is one.

        Blocks, at most until the client of the present `TICKET` has
        left;
        then its items wait no longer.

        Raises:
            CancelledError: of `concurrent.futures`: the client has left, or the service ends.
        """
        rows_of = {item: row for row, item in enumerate(dict.fromkeys(items))}
        unique = list(rows_of)
        if not self.alive and not self._closing:
            raise KosimError(
                f"the thread of the {self._thread.name} has ended; open the encoder again, "
                "after a fork in the new process"
            )
        request = Waiting(unique, self._lengths(unique), time.monotonic())
        with self._changed:
            if self._closing:
                request.result.cancel()
            else:
                self._queue.append(request)
                self._changed.notify_all()
        request.result.add_done_callback(lambda done: self._withdraw(request, done))
        rows = TICKET.get(Ticket()).wait(request.result)
        return rows[[rows_of[item] for item in items]]

    def close(self, timeout: float = 10.0) -> None:
        """Finish what waits, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _withdraw(self, request: Waiting[Item], done: Future[FloatArray]) -> None:
        if done.cancelled():
            with self._changed, suppress(ValueError):
                self._queue.remove(request)

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            self._carry_out(batch)

    def _next(self) -> list[Taken[Item]] | None:
        """Wait for the next batch; None when the service ends."""
        with self._changed:
            while True:
                while not self._queue:
                    if self._closing:
                        return None
                    self._changed.wait()
                if self._is_due():
                    return self._take()

    def _is_due(self) -> bool:
        """Whether a batch should begin; if not, wait for something to change."""
        left = min(request.arrived for request in self._queue) + self._settings.wait
        left -= time.monotonic()
        enough = sum(request.tokens_left for request in self._queue) >= self._settings.tokens
        if left <= 0 or enough or self._closing or not self._settings.together:
            return True
        self._changed.wait(left)
        return False

    def _take(self) -> list[Taken[Item]]:
        if self._settings.together:
            return take(self._queue, self._settings.tokens)
        alone = self._queue.popleft()
        return take(deque([alone]), alone.tokens_left)

    def _carry_out(self, batch: list[Taken[Item]]) -> None:
        started = time.perf_counter()
        for some in into_passes(batch, self._settings.tokens):
            wanted = [one for one in some if not one.request.result.done()]
            if not wanted:
                continue
            try:
                rows: Any = self._compute([one.item for one in wanted])
            except Exception as error:
                for one in wanted:
                    _settle(one.request.result.set_exception, error)
                continue
            for one, row in zip(wanted, rows, strict=True):
                request = one.request
                request.rows[one.position] = row
                request.missing -= 1
                if not request.missing:
                    _settle(request.result.set_result, np.stack(request.rows))
        self._report(
            BatchReport(
                requests=len({id(one.request) for one in batch}),
                items=len(batch),
                tokens=sum(one.length for one in batch),
                seconds=time.perf_counter() - started,
            )
        )


def _settle(set_outcome: Callable[[Any], None], outcome: object) -> None:
    with suppress(InvalidStateError):  # its client has left in this very moment
        set_outcome(outcome)
