"""BM25 over several sets of postings at once, with the statistics of all of them together.

The Lucene variant, accurate lengths (Kamphuis, de Vries, Boytsov & Lin 2020, "Which BM25 do you
mean?"): the sum over a query's terms of ``idf * tf / (tf + k1 * (1 - b + b * length / mean))``
with ``idf = ln(1 + (N - df + 0.5) / (df + 0.5))``; a term counts as often as the query has it,
times its weight: 1 for a morpheme, less for a part of a word.

bm25s, which is fast by computing every score of every term when an index is built, can't serve
here: idf and mean length are frozen into its scores, so that a sentence added later could only
compete under statistics of its own, or after the whole corpus is scored again. It is the oracle of
the tests instead.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kosim.index.lexical.postings import Postings
from kosim.index.lexical.word_parts import weight as term_weight
from kosim.index.ranking import Rows, Scores

_K1 = 1.5
_B = 0.75
"""The defaults of bm25s and of the paper's comparison."""

_LONG = 10_000
_LOOKUP = 8
"""Postings from which it pays to see whether a term's list must be read whole, and by how much
the rows to look up must be fewer: a search in the list costs about that many steps along it."""


class PostingsPart(NamedTuple):
    """Postings of the documents from row ``start`` on; those not alive are no hits."""

    postings: Postings
    start: int
    alive: npt.NDArray[np.bool_]


class WordStatistics(NamedTuple):
    """What BM25 must know of a whole corpus: its documents, their length, and how many have each
    term of some queries.
    """

    documents: int
    length: int
    having: Mapping[str, int]

    @classmethod
    def of_all(cls, parts: Sequence[WordStatistics]) -> WordStatistics:
        """Return the statistics of a corpus by those of its parts, for the same queries."""
        having: Counter[str] = Counter()
        for part in parts:
            having.update(part.having)
        return cls(
            sum(part.documents for part in parts), sum(part.length for part in parts), having
        )


class _Weighted(NamedTuple):
    """The postings of one query term in one part, and the score that no document can exceed."""

    found: slice
    weight: np.float32

    def __len__(self) -> int:
        return int(self.found.stop - self.found.start)


class Bm25:
    """Scores the documents of all parts; not to be shared between threads.

    Args:
        parts: the documents.
        statistics: of the corpus that the parts belong to; None where they are all of it.
    """

    def __init__(
        self, parts: Sequence[PostingsPart], statistics: WordStatistics | None = None
    ) -> None:
        self._parts = [part for part in parts if part.postings.total_length]
        if statistics is None:
            self._documents = sum(len(part.postings.lengths) for part in parts)
            self._length = sum(part.postings.total_length for part in parts)
        else:
            self._documents, self._length = statistics.documents, statistics.length
        self._having = None if statistics is None else statistics.having
        self._scratch = [
            np.zeros(len(part.postings.lengths), dtype=np.float32) for part in self._parts
        ]

    def search(self, terms: Sequence[str], k: int) -> tuple[Scores, Rows]:
        """Return the scores and rows of the best ``k`` documents that have one of the terms.

        Best first, ties by the smaller row; at most k of each. Removed documents still count in
        the statistics, as in Lucene, until their segment is compacted.
        """
        scores, rows = [np.zeros(0, dtype=np.float32)], [np.zeros(0, dtype=np.int64)]
        for part, scratch, weighted in zip(
            self._parts, self._scratch, self._weigh(terms), strict=True
        ):
            local, values = self._score(part, scratch, weighted, k)
            chosen = _top(values, k)
            scores.append(values[chosen])
            rows.append(part.start + local[chosen])
        all_scores, all_rows = np.concatenate(scores), np.concatenate(rows)
        chosen = _top(all_scores, k)
        return all_scores[chosen], all_rows[chosen]

    def statistics(self, terms: Sequence[str]) -> WordStatistics:
        """Return what another part of the corpus must know of this one to score these terms."""
        having = {term: self._count(self._slices(term)) for term in dict.fromkeys(terms)}
        return WordStatistics(self._documents, self._length, having)

    def _slices(self, term: str) -> list[slice]:
        return [part.postings.find(term) for part in self._parts]

    @staticmethod
    def _count(slices: Sequence[slice]) -> int:
        return sum(int(found.stop - found.start) for found in slices)

    def _weigh(self, terms: Sequence[str]) -> list[list[_Weighted]]:
        """Look the terms up in each part and weigh them by how rare they are in all.

        Heaviest first, the same order in every part: equal documents get equal scores.
        """
        weighed = []
        for term, count in Counter(terms).items():
            slices = self._slices(term)
            having = self._count(slices) if self._having is None else self._having[term]
            idf = math.log(1 + (self._documents - having + 0.5) / (having + 0.5))
            weighed.append((np.float32(count * idf * term_weight(term)), term, slices))
        weighed.sort(key=lambda row: (-row[0], row[1]))
        return [
            [_Weighted(slices[number], weight) for weight, _, slices in weighed]
            for number in range(len(self._parts))
        ]

    def _score(
        self, part: PostingsPart, scores: Scores, weighted: list[_Weighted], k: int
    ) -> tuple[Rows, Scores]:
        """Return live rows, ascending, and their scores; the best k are among them.

        Terms are added up from the rarest on. When k documents have more than all terms that are
        left could give to one that has only those, the long lists of these common terms are only
        looked into for the documents that still can be among the best (MaxScore, Turtle & Flood
        1995).
        """
        weighted = [term for term in weighted if len(term)]
        scores.fill(0)
        for number, term in enumerate(weighted):
            if number and len(term) >= _LONG:
                left = weighted[number:]
                rows = _contenders(scores, part.alive, k, float(sum(t.weight for t in left)))
                if rows is not None and len(rows) < len(term) / _LOOKUP:
                    return rows, self._complete(part.postings, rows, scores[rows], left)
            # A document stands once in a term's postings, so this adds to each of them.
            scores[part.postings.rows[term.found]] += self._gains(part.postings, term)
        rows = np.flatnonzero((scores > 0) & part.alive)
        return rows, scores[rows]

    def _complete(
        self, postings: Postings, rows: Rows, scores: Scores, weighted: list[_Weighted]
    ) -> Scores:
        """Add what some terms give to some rows, by searching for the rows in their postings."""
        for term in weighted:
            having = postings.rows[term.found]
            where = np.searchsorted(having, rows)
            where[where == len(having)] = 0
            hits = np.flatnonzero(having[where] == rows)
            scores[hits] += self._gains(postings, term, where[hits])
        return scores

    def _gains(
        self, postings: Postings, term: _Weighted, chosen: Rows | slice = slice(None)
    ) -> Scores:
        """Return what a term gives to the documents of its chosen postings."""
        mean = self._length / self._documents
        frequencies = postings.frequencies[term.found][chosen].astype(np.float32)
        saturation = postings.lengths[postings.rows[term.found][chosen]] * np.float32(
            _K1 * _B / mean
        )
        saturation += np.float32(_K1 * (1 - _B))
        saturation += frequencies
        frequencies /= saturation
        frequencies *= term.weight
        return frequencies


def _contenders(scores: Scores, alive: npt.NDArray[np.bool_], k: int, left: float) -> Rows | None:
    """Return the rows that can be among the best k when each gets up to ``left`` more.

    None if a row that has nothing yet could be, too.
    """
    rows = np.flatnonzero((scores > 0) & alive)
    if len(rows) < k:
        return None
    values = scores[rows]
    # Less by more than what rounding can do.
    least = float(np.partition(values, len(values) - k)[len(values) - k]) * (1 - 1e-5)
    return rows[values >= least - left] if least > left else None


def _top(scores: Scores, k: int) -> Rows:
    """Return the positions of the k highest scores, best first, ties in order."""
    if len(scores) <= k:
        return np.argsort(-scores, kind="stable")
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > least)
    equal = np.flatnonzero(scores == least)[: k - len(above)]
    chosen = np.concatenate([above, equal])
    return chosen[np.argsort(-scores[chosen], kind="stable")]
