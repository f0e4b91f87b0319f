"""Candidates out of one index: by vectors, by words, or by both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.ranking import Ranking, reciprocal_rank_fusion
from kosim.index.store.block import FloatArray
from kosim.index.store.snapshot import Snapshot


class Rankings(NamedTuple):
    """What each way to search found, None where it was not asked."""

    by_vectors: Ranking | None
    by_words: Ranking | None

    def fused(self, depth: int) -> Ranking:
        """Return the one ranking that there is, or both in one, ``depth`` rows a query."""
        found = [ranking for ranking in self if ranking is not None]
        if len(found) == 1:
            return found[0]
        return Ranking(*reciprocal_rank_fusion([ranking.rows for ranking in found], depth))


def rank(
    snapshot: Snapshot,
    depth: int,
    *,
    vectors: FloatArray | None,
    lexical: LexicalIndex | None,
    queries: Sequence[str],
    statistics: WordStatistics | None = None,
) -> Rankings:
    """Rank the documents of one snapshot.

    Args:
        snapshot: what is searched; rows count within it.
        depth: rows a query and ranking.
        vectors: (q, d) unit rows; None leaves out the ranking by vectors.
        lexical: the words of the index; None leaves out the ranking by words.
        queries: q texts, for ``lexical`` alone.
        statistics: of the words of the whole corpus, where the index is one shard of it.
    """
    by_vectors = by_words = None
    if vectors is not None:
        by_vectors = Ranking(*snapshot.search(vectors, depth))
    if lexical is not None:
        by_words = lexical.search(snapshot, queries, depth, statistics=statistics)
    return Rankings(by_vectors, by_words)
