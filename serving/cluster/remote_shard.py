"""The way to a shard on a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn, TypeVar

from ray.serve.handle import DeploymentHandle

from kosim.encoders.errors import KosimError, ShardMissingError
from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.sharding.shard import ShardAnswer, ShardCall
from kosim.serving.cluster.call import Call

Answer = TypeVar("Answer")


class RemoteShard:
    """A shard that replicas answer for.

    While one call is late, no other one waits: the shard counts as missing at once, until that call
    is answered after all, which is as soon as there is a replica again.

    Args:
        name: the shard's.
        handle: of its deployment.
        seconds: in which an answer must come.
    """

    def __init__(self, name: str, handle: DeploymentHandle, seconds: float) -> None:
        self.name = name
        self._handle = handle
        self._seconds = seconds
        self._late: Call[Any] | None = None
        self._lock = threading.Lock()

    def count(self, queries: Sequence[str]) -> Callable[[], WordStatistics]:
        """Ask for `Shard.count`."""
        return self._asked(partial(self._handle.count.remote, list(queries)))

    def search(self, call: ShardCall) -> Callable[[], ShardAnswer]:
        """Ask for `Shard.search`."""
        return self._asked(partial(self._handle.search.remote, call))

    def _asked(self, send: Callable[[], Any]) -> Callable[[], Answer]:
        if self._is_late():
            return self._refuse
        return partial(self._answer, Call(send, self._seconds))

    def _is_late(self) -> bool:
        with self._lock:
            if self._late is None:
                return False
            try:
                self._late.result()
            except TimeoutError:
                return True
            except KosimError:
                pass  # An answer, too: there is somebody.
            self._late = None
            return False

    def _answer(self, call: Call[Answer]) -> Answer:
        try:
            return call.result()
        except TimeoutError as error:
            with self._lock:
                self._late = self._late or call
            raise self._missing() from error

    def _refuse(self) -> NoReturn:
        raise self._missing()

    def _missing(self) -> ShardMissingError:
        return ShardMissingError(f"shard {self.name} did not answer within {self._seconds:g} s")
