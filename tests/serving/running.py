"""A ``kosim serve`` of its own process, and what a test asks of it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.forked import Program

_START_SECONDS = 900


class Running:
    """A server that is ready; ``url`` is its address.

    Args:
        arguments: of ``kosim serve``.
        files: how many the server may have open; as many as this process when None.
    """

    def __init__(self, *arguments: object, files: int | None = None) -> None:
        serve = ("serve", "--port", 0, *arguments)
        self.process = Program(
            *("kosim", *serve), stdout=subprocess.DEVNULL, files=files, new="--ray" in arguments
        )
        assert self.process.stderr is not None
        first = self.process.stderr.readline()
        self.url = first.split()[0] if first.startswith("http") else ""
        self._log = [first]
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._wait()

    def _read(self) -> None:
        for line in self.process.stderr or ():
            self._log.append(line)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        with httpx.Client(timeout=30) as client:
            while time.monotonic() < deadline and self.process.poll() is None:
                with suppress(httpx.TransportError):
                    if self.url and client.get(f"{self.url}/readyz").status_code == 200:
                        return
                time.sleep(0.05)  # the server needs the core
        self.end(signal.SIGKILL)
        raise AssertionError(f"the server did not start: {self.log}")

    @property
    def log(self) -> str:
        """What it wrote to standard error so far."""
        return "".join(self._log)

    @property
    def memory(self) -> int:
        """Its resident memory in bytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def kill(self) -> None:
        """Kill it and all its server processes at once, as a power failure would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=60)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self._reader.join(10)
        return code


@contextmanager
def running(*arguments: object, files: int | None = None) -> Iterator[Running]:
    """Start a server, and end it if the test has not."""
    server = Running(*arguments, files=files)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end()
