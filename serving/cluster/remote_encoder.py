"""A cross-encoder whose network works on a cluster: the interface stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from ray.serve.handle import DeploymentHandle

from kosim.encoders.artifact import read_manifest
from kosim.encoders.base import FloatArray
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ClusterError
from kosim.encoders.records import Pair
from kosim.serving.batched_encoders import described
from kosim.serving.cluster.call import Call
from kosim.serving.tokens import Lengths, TokenCounter

_TOGETHER = 32
"""Pairs of a call: what one replica does for a request while the others do the rest."""


class RemoteCrossEncoder(CrossEncoder):
    """A cross-encoder that many threads may use; its weights are where its replicas are.

    Args:
        folder: a saved cross-encoder.
        handle: of its deployment.
        seconds: in which a score must come.
    """

    def __init__(self, folder: Path, handle: DeploymentHandle, seconds: float) -> None:
        manifest = read_manifest(folder)
        encoder = CrossEncoder.open(folder, manifest, device=None, weights=False)
        super().__init__(encoder.model, **described(encoder))
        self._fingerprint = manifest.fingerprint
        self._counter = TokenCounter(encoder)
        self._handle = handle
        self._seconds = seconds

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
        return self._counter.pairs(pairs)

    def _raw_scores(
        self, pairs: list[Pair], *, batch_size: int | None, progress: bool
    ) -> FloatArray:
        """Score on the replicas.

        Raises:
            ClusterError: none answers in time.
        """
        size = min(_TOGETHER, batch_size or _TOGETHER)
        calls: list[Call[FloatArray]] = [
            Call(partial(self._handle.score.remote, pairs[start : start + size]), self._seconds)
            for start in range(0, len(pairs), size)
        ]
        try:
            return np.concatenate([call.result() for call in calls])
        except TimeoutError as error:
            raise ClusterError(
                f"no reranker answered within {self._seconds:g} s; try again later, or start more "
                "with --reranker-replicas"
            ) from error
