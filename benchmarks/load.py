"""A load generator that costs little: requests are bytes made beforehand, answers are not parsed.

It speaks to loopback only, and to nothing for longer or more often than it is told.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

_CONNECTIONS = 1024
"""Open connections at most; an arrival beyond them waits for one, and its wait counts."""


@dataclass
class Outcome:
    """What became of the requests of one run: seconds of those with 200, and all statuses."""

    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, status: int, seconds: float) -> None:
        """Count one answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 200:
            self.latencies.append(seconds)

    @property
    def throughput(self) -> float:
        """Answers with 200 a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float | None:
        """Return a percentile of the latencies in milliseconds, None without any."""
        if not self.latencies:
            return None
        return 1000 * float(np.percentile(self.latencies, percent))


class _Connection:
    """One connection that is kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, float]:
        """Send a request; return the status and the seconds of ``Retry-After``, 0 without."""
        if self._streams is not None and self._streams[0].at_eof():
            self.close()  # the server ended it, as it may while it is idle
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(fields["content-length"]))
        if fields.get("connection") == "close":
            self.close()
        return status, float(fields.get("retry-after", 0))

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def closed_loop(
    port: int, requests: list[bytes], *, clients: int, seconds: float, warm_up: float
) -> Outcome:
    """Let ``clients`` ask one request after the other; what ends within the warm-up is left out.

    A client that gets 429 waits for as long as it is told to.
    """
    outcome, cycle = Outcome(), itertools.cycle(requests)
    start = time.perf_counter() + warm_up
    end = start + seconds

    async def client() -> None:
        connection = _Connection(port)
        while (sent := time.perf_counter()) < end:
            status, retry = await connection.ask(next(cycle))
            now = time.perf_counter()
            if start <= now < end:
                outcome.add(status, now - sent)
            if retry:
                await asyncio.sleep(min(retry, max(0.0, end - now)))
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    outcome.seconds = seconds
    return outcome


async def open_loop(
    port: int, requests: list[bytes], *, rate: float, seconds: float, seed: int = 0
) -> Outcome:
    """Let requests arrive at random (Poisson), ``rate`` a second, whatever the server does.

    A latency counts from the moment at which its request was due, so that a generator that
    falls behind cannot make it look shorter. A refused request is not sent again.
    """
    outcome, cycle = Outcome(), itertools.cycle(requests)
    idle = [_Connection(port) for _ in range(_CONNECTIONS)]
    free = asyncio.Semaphore(_CONNECTIONS)
    begun = time.perf_counter()

    async def arrive(due: float) -> None:
        async with free:
            connection = idle.pop()
            try:
                status, _ = await connection.ask(next(cycle))
                outcome.add(status, time.perf_counter() - due)
            except (OSError, asyncio.IncompleteReadError):
                connection.close()
                outcome.add(0, 0.0)
            finally:
                idle.append(connection)

    async with asyncio.TaskGroup() as arrivals:
        for due in _arrivals(begun, rate, seconds, seed):
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            arrivals.create_task(arrive(due))
    outcome.seconds = time.perf_counter() - begun
    for connection in idle:
        connection.close()
    return outcome


def _arrivals(begun: float, rate: float, seconds: float, seed: int) -> Iterator[float]:
    random = np.random.default_rng(seed)
    due = begun
    while (due := due + float(random.exponential(1 / rate))) < begun + seconds:
        yield due
