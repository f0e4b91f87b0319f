"""Candidates out of one index: by vectors, by words, or by both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kosim.index.fusion import reciprocal_rank_fusion
from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.merging import Ranking
from kosim.index.searchable import Mode, Retrieved
from kosim.index.store.block import FloatArray
from kosim.index.store.snapshot import Snapshot

if TYPE_CHECKING:
    from kosim.index.corpus_index import CorpusIndex


class Rankings(NamedTuple):
    """What each way to search found, None where it was not asked."""

    by_vectors: Ranking | None
    by_words: Ranking | None

    def fused(self, depth: int) -> Ranking:
        """Return the one ranking that there is, or both in one, ``depth`` places a query."""
        found = [ranking for ranking in self if ranking is not None]
        if len(found) == 1:
            return found[0]
        return Ranking(*reciprocal_rank_fusion([ranking.places for ranking in found], depth))


def retrieve(
    index: CorpusIndex,
    queries: Sequence[str],
    vectors: FloatArray | None,
    depth: int,
    mode: Mode,
) -> Retrieved:
    """Retrieve as `Searchable.retrieve` says."""
    snapshot, found = rankings(index, queries, vectors, depth, mode)
    return Retrieved(snapshot, *found.fused(depth))


def rankings(
    index: CorpusIndex,
    queries: Sequence[str],
    vectors: FloatArray | None,
    depth: int,
    mode: Mode,
    *,
    statistics: WordStatistics | None = None,
) -> tuple[Snapshot, Rankings]:
    """Rank from one state of the index, which is returned: places count within it.

    Args:
        index: the index.
        queries: q texts; not looked at in the mode "dense".
        vectors: (q, d) unit rows; not looked at in the mode "lexical".
        depth: places a query and ranking.
        mode: which rankings.
        statistics: of the words of the whole corpus, where the index is one shard of it.
    """
    while True:
        snapshot = index.snapshot
        by_vectors = by_words = None
        if mode != "lexical" and vectors is not None:
            by_vectors = Ranking(*snapshot.search(vectors, depth))
        if mode != "dense":
            by_words = index.lexical.search(queries, depth, statistics=statistics)
            if index.snapshot is not snapshot:
                continue  # another thread refreshed the index between the two
        return snapshot, Rankings(by_vectors, by_words)
