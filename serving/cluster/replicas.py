"""What answers on a node: a shard of the index, and a cross-encoder.

A shard needs no network: what a reranker needs is imported when one begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kosim.encoders.errors import ClusterError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.lexical.lexical_index import FOLDER as LEXICAL
from kosim.index.sharding.shard import Shard, ShardAnswer, ShardCall

if TYPE_CHECKING:
    from kosim.encoders.compute.runtime import Backend, FloatArray, Precision
    from kosim.encoders.compute.text_reader import Lengths
    from kosim.encoders.records import Pair
    from kosim.serving.microbatch import BatchSettings

_ANY = "문장"


class ShardReplica:
    """Answers for one shard; Serve calls it on several threads.

    Args:
        folder: the shard.
        fingerprint: of the encoder that must have made it.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        index = CorpusIndex.open(folder)
        if index.encoder.fingerprint != fingerprint:
            raise ClusterError(
                f"{folder} is of the encoder {index.encoder.name} "
                f"({index.encoder.fingerprint[:12]}), the driver's of another one "
                f"({fingerprint[:12]}); let all nodes see the same shards"
            )
        if (folder / LEXICAL).is_dir():
            # Words are searched here: what that needs is brought to memory before the first call.
            index.lexical.search(index.snapshot, [_ANY], 1)
        self._shard = Shard(index)

    def count(self, queries: Sequence[str]) -> WordStatistics:
        """Return what the other shards must know of this one to search for words."""
        return self._shard.count(queries)

    def search(self, call: ShardCall) -> ShardAnswer:
        """Search."""
        return self._shard.search(call)


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
        from kosim.encoders.cross import CrossEncoder
        from kosim.encoders.loading import load
        from kosim.serving.batched_encoders import BatchedCrossEncoder

        encoder = load(job.folder, backend=job.backend, precision=job.precision, device=job.device)
        if not isinstance(encoder, CrossEncoder) or encoder.fingerprint() != job.fingerprint:
            raise ClusterError(
                f"{job.folder} is not the driver's encoder; let all nodes see the same one"
            )
        self._encoder = BatchedCrossEncoder(encoder, job.batches, lambda _: None)

    def score(self, pairs: Sequence[Pair]) -> tuple[FloatArray, Lengths]:
        """Return the raw scores of n pairs, (n,) float32, and their tokens, uncut."""
        return self._encoder.score_counted(pairs)

    def token_lengths(self, pairs: Sequence[Pair]) -> Lengths:
        """Return the tokens of n pairs, uncut: (n,)."""
        return self._encoder.token_lengths(pairs)
