"""What answers for a shard on a node; it needs no network, and so imports little."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kosim.encoders.errors import ClusterError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.lexical.lexical_index import FOLDER as LEXICAL
from kosim.index.sharding.shard import Shard, ShardAnswer, ShardCall

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
            index.lexical.search([_ANY], 1)
        self._shard = Shard(index)

    def count(self, queries: Sequence[str]) -> WordStatistics:
        """Return what the other shards must know of this one to search for words."""
        return self._shard.count(queries)

    def search(self, call: ShardCall) -> ShardAnswer:
        """Search."""
        return self._shard.search(call)
