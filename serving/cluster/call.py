"""One call of a deployment, from a thread that may wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException

from kosim.encoders.errors import ClusterError, KosimError

Answer = TypeVar("Answer")

_PAUSE = 0.05
"""Seconds between two replicas that died with the call."""


class Call(Generic[Answer]):
    """Is sent at once, and again where the replica that has it dies: calls change nothing.

    Serve keeps a call until there is a replica to give it to.

    Args:
        send: a handle's ``remote`` with its arguments.
        seconds: from now on in which an answer is worth waiting for.
    """

    def __init__(self, send: Callable[[], Any], seconds: float) -> None:
        self._send = send
        self._deadline = time.monotonic() + seconds
        self._response = send()

    def result(self) -> Answer:
        """Return the answer, at once if the time is over.

        Raises:
            TimeoutError: there is none yet; it may be asked for again.
            KosimError: the replica raised it.
            ClusterError: the replica failed in another way.
        """
        while True:
            left = max(0.0, self._deadline - time.monotonic())
            try:
                answer: Answer = self._response.result(timeout_s=left)
                return answer
            except TimeoutError:
                raise
            except RayTaskError as error:
                if isinstance(error.cause, KosimError):
                    raise error.cause from error
                said = [line for line in str(error).splitlines() if line.strip()]
                raise ClusterError(f"a replica failed: {said[-1].strip()}") from error
            except (RayError, RayServeException) as error:
                if not left:
                    self._response = self._send()
                    raise TimeoutError(str(error)) from error
                time.sleep(min(_PAUSE, left))
                self._response = self._send()
