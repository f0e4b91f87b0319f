"""What asks the replicas on a cluster: one call, a shard, and a cross-encoder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, NoReturn, TypeVar

import numpy as np
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from kosim.encoders.compute.runtime import FloatArray, Precision
from kosim.encoders.compute.text_reader import Lengths
from kosim.encoders.errors import ArtifactError, ClusterError, KosimError, ShardMissingError
from kosim.encoders.loading import Description
from kosim.encoders.records import Pair
from kosim.encoders.scoring import PairScorer
from kosim.encoders.storage import read_json
from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.sharding.shard import ShardAnswer, ShardCall
from kosim.serving.ticket import count_tokens

Answer = TypeVar("Answer")

_PAUSE = 0.05
"""Seconds between two replicas that died with the call."""

_TOGETHER = 32
"""Pairs of a call: what one replica does for a request while the others do the rest."""


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


class RemoteCrossEncoder(PairScorer):
    """A cross-encoder that many threads may use; tokenizer and network are where its replicas are.

    Args:
        described: the cross-encoder.
        precision: the arithmetic of the replicas.
        handle: of its deployment.
        seconds: in which a score must come.
    """

    kind = "cross"
    order_matters = True

    def __init__(
        self, described: Description, precision: Precision, handle: DeploymentHandle, seconds: float
    ) -> None:
        self.backbone = described.backbone
        self.calibration, self.threshold = described.calibration, described.threshold
        self.max_length = described.max_length
        self.training = described.training
        self.precision = precision
        self._fingerprint = described.fingerprint
        self._handle = handle
        self._seconds = seconds

    @property
    def mask_token(self) -> str | None:
        """The text of the tokenizer's mask token, if it has one."""
        said = read_json(self.backbone.path / "tokenizer_config.json", error=ArtifactError)
        token = said.get("mask_token")
        return token["content"] if isinstance(token, dict) else token

    @property
    def alive(self) -> bool:
        """True: whether there are replicas is Serve's to see to."""
        return True

    def close(self) -> None:
        """Do nothing: there is no thread here."""

    def fingerprint(self) -> str:
        """Return that of the saved encoder."""
        return self._fingerprint

    def token_lengths(self, pairs: Sequence[Pair]) -> Lengths:
        """Return the tokens of each pair as one sequence, uncut: (n,)."""
        calls = self._sent(self._handle.token_lengths.remote, pairs, _TOGETHER)
        return np.concatenate([self._result(call) for call in calls])

    def _raw_scores(
        self, pairs: list[Pair], *, batch_size: int | None, progress: bool
    ) -> FloatArray:
        """Score on the replicas.

        Raises:
            ClusterError: none answers in time.
        """
        size = min(_TOGETHER, batch_size or _TOGETHER)
        calls = self._sent(self._handle.score.remote, pairs, size)
        answers: list[tuple[FloatArray, Lengths]] = [self._result(call) for call in calls]
        count_tokens(np.concatenate([lengths for _, lengths in answers]), self.max_length)
        return np.concatenate([scores for scores, _ in answers])

    def _sent(self, send: Callable[..., Any], pairs: Sequence[Pair], size: int) -> list[Call[Any]]:
        """Return a call for every ``size`` pairs, all of them on their way."""
        return [
            Call(partial(send, list(pairs[start : start + size])), self._seconds)
            for start in range(0, len(pairs), size)
        ]

    def _result(self, call: Call[Answer]) -> Answer:
        try:
            return call.result()
        except TimeoutError as error:
            raise ClusterError(
                f"no reranker answered within {self._seconds:g} s; try again later, or start more "
                "with --reranker-replicas"
            ) from error
