"""What scores pairs on a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kosim.encoders.base import FloatArray
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ClusterError
from kosim.encoders.loading import load
from kosim.encoders.records import Pair
from kosim.serving.batched_encoders import BatchedCrossEncoder
from kosim.serving.microbatch import BatchSettings


@dataclass(frozen=True)
class RerankerJob:
    """What a reranker's replicas are told: the encoder in ``folder``, and how to compute."""

    folder: Path
    fingerprint: str
    backend: Backend | None
    precision: Precision
    device: str | None
    batches: BatchSettings


class RerankerReplica:
    """Scores pairs; what several calls want is computed together."""

    def __init__(self, job: RerankerJob) -> None:
        encoder = load(job.folder, backend=job.backend, precision=job.precision, device=job.device)
        if not isinstance(encoder, CrossEncoder) or encoder.fingerprint() != job.fingerprint:
            raise ClusterError(
                f"{job.folder} is not the driver's encoder; let all nodes see the same one"
            )
        self._encoder = BatchedCrossEncoder(encoder, job.batches, lambda _: None)

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """Return the raw scores of n pairs, (n,) float32."""
        return self._encoder.score(pairs, raw=True)
