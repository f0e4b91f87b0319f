"""One shard at work: what it is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.retrieval import Rankings, rank
from kosim.index.searchable import Mode
from kosim.index.store.block import FloatArray


@dataclass(frozen=True)
class ShardCall:
    """A search: arguments as of `kosim.index.retrieval.rank`."""

    queries: tuple[str, ...]
    vectors: FloatArray | None
    depth: int
    mode: Mode
    statistics: WordStatistics | None


@dataclass(frozen=True)
class ShardAnswer:
    """What a shard found, and all that may be asked about it later, in one piece.

    So an answer fits together whoever gave it: two replicas of a shard may have seen different
    snapshots of it.

    ``found`` has rows within the shard; ``documents`` are those of these rows, and ``cosines``
    belong to the ranking by words, (q, depth), where vectors were given. ``size`` is the number of
    living documents.
    """

    found: Rankings
    documents: dict[int, Document]
    cosines: FloatArray | None
    size: int


class Shard:
    """Answers calls; several threads may ask at once.

    Args:
        index: the shard; every call sees what was committed to it.
    """

    def __init__(self, index: CorpusIndex) -> None:
        self._index = index

    def count(self, queries: Sequence[str]) -> WordStatistics:
        """Return what the other shards must know of this one to search for words."""
        self._index.refresh()
        return self._index.lexical.statistics(self._index.snapshot, queries)

    def search(self, call: ShardCall) -> ShardAnswer:
        """Search."""
        self._index.refresh()
        snapshot = self._index.snapshot
        found = rank(
            snapshot,
            call.depth,
            vectors=None if call.mode == "lexical" else call.vectors,
            lexical=None if call.mode == "dense" else self._index.lexical,
            queries=call.queries,
            statistics=call.statistics,
        )
        rows = np.unique(
            np.concatenate([ranking.rows.ravel() for ranking in found if ranking is not None])
        )
        rows = rows[rows >= 0]
        cosines = None
        if found.by_words is not None and call.vectors is not None:
            cosines = snapshot.cosines(call.vectors, found.by_words.rows)
        documents = dict(zip(rows.tolist(), snapshot.documents(rows), strict=True))
        return ShardAnswer(found, documents, cosines, len(snapshot))


class ShardClient(Protocol):
    """The way to a shard. Asking returns at once; what it returns waits for the answer.

    That raises ShardMissingError when nobody answers in time.
    """

    @property
    def name(self) -> str:
        """The shard's name."""

    def count(self, queries: Sequence[str]) -> Callable[[], WordStatistics]:
        """Ask for `Shard.count`."""

    def search(self, call: ShardCall) -> Callable[[], ShardAnswer]:
        """Ask for `Shard.search`."""


class LocalShard:
    """The way to a shard in this process."""

    def __init__(self, name: str, index: CorpusIndex) -> None:
        self.name = name
        self._shard = Shard(index)

    def count(self, queries: Sequence[str]) -> Callable[[], WordStatistics]:
        """Ask for `Shard.count`."""
        return partial(self._shard.count, queries)

    def search(self, call: ShardCall) -> Callable[[], ShardAnswer]:
        """Ask for `Shard.search`."""
        return partial(self._shard.search, call)
