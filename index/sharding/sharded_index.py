"""Search over shards: all are asked at once, and their answers are merged exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import ClusterError, ShardMissingError
from kosim.index.documents import Document
from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.ranking import Ranking, Rows, merge_rankings
from kosim.index.retrieval import Rankings
from kosim.index.searchable import Mode, Retrieved
from kosim.index.sharding.folder import Shards
from kosim.index.sharding.shard import LocalShard, ShardAnswer, ShardCall, ShardClient
from kosim.index.store.block import FloatArray

_SPAN = 1 << 40
"""Rows that each shard has to itself: those of shard n begin at n times as many."""

Answer = TypeVar("Answer")


class ShardedIndex:
    """What a `Searcher` searches where an index is cut into shards.

    It finds what one index of all documents would find: the same hits with the same scores in the
    same order where the shards' vector indexes are exact. BM25 uses the term statistics of all
    shards, which are asked for them first. A shard that does not answer is named in the result,
    and the rest is what an index of the others finds.

    Args:
        shards: what is searched.
        clients: the way to each, in the order of ``shards``; in this process when None.
    """

    def __init__(self, shards: Shards, clients: Sequence[ShardClient] | None = None) -> None:
        self._shards = shards
        self._clients: Sequence[ShardClient] = clients or [
            LocalShard(name, index) for name, index in shards.indexes.items()
        ]
        self._sizes = [len(index) for index in shards.indexes.values()]

    @property
    def folder(self) -> Path:
        """Where the shards lie."""
        return self._shards.folder

    @property
    def encoder(self) -> EncoderIdentity:
        """The encoder of the vectors."""
        return self._shards.encoder

    @property
    def first_generation(self) -> int:
        """The generation with which the corpus began."""
        return self._shards.first_generation

    def __repr__(self) -> str:
        return f"ShardedIndex({str(self.folder)!r}, {len(self):,} documents)"

    def __len__(self) -> int:
        """Return the number of living documents, as the shards last said."""
        return sum(self._sizes)

    def refresh(self) -> bool:
        """Do nothing: each shard sees for itself, at every search, what was committed to it."""
        return False

    def retrieve(
        self, queries: Sequence[str], vectors: FloatArray | None, depth: int, mode: Mode
    ) -> Retrieved:
        """Return the first ``depth`` documents of each query: see `Searchable.retrieve`.

        Raises:
            ClusterError: no shard answers.
        """
        asked = dict(enumerate(self._clients))
        while True:
            counted = None
            if mode != "dense":
                counted = _answers({number: one.count(queries) for number, one in asked.items()})
                asked = {number: asked[number] for number in counted}
            call = ShardCall(
                tuple(queries) if mode != "dense" else (),
                vectors,
                depth,
                mode,
                None if counted is None else WordStatistics.of_all(list(counted.values())),
            )
            answers = _answers({number: one.search(call) for number, one in asked.items()})
            if counted is None or len(answers) == len(counted):
                break
            # The words of a shard that was lost in between must not count in the others' scores.
            asked = {number: asked[number] for number in answers}
        if not answers:
            raise ClusterError(
                f"none of the {len(self._clients)} shards of {self.folder} answers; try again "
                "later, and look after the cluster with `serve status`"
            )
        for number, answer in answers.items():
            self._sizes[number] = answer.size
        asked_for = len(queries) if vectors is None else len(vectors)
        merged = Rankings(
            _merged({n: a.found.by_vectors for n, a in answers.items()}, asked_for, depth),
            _merged({n: a.found.by_words for n, a in answers.items()}, asked_for, depth),
        )
        missing = tuple(
            shard.name for number, shard in enumerate(self._clients) if number not in answers
        )
        return Retrieved(FoundDocuments(answers, asked_for), *merged.fused(depth), missing)


class FoundDocuments:
    """The documents that shards sent along with their rankings.

    Args:
        answers: by the number of the shard.
        queries: how many were asked.
    """

    def __init__(self, answers: Mapping[int, ShardAnswer], queries: int) -> None:
        self._documents: dict[int, Document] = {}
        self._cosines: list[dict[int, float]] = [{} for _ in range(queries)]
        for number, answer in answers.items():
            for row, document in answer.documents.items():
                self._documents[number * _SPAN + row] = document
            found, cosines = answer.found, answer.cosines
            if found.by_words is not None and cosines is not None:
                self._note(number, Ranking(cosines, found.by_words.rows))
            if found.by_vectors is not None:
                self._note(number, found.by_vectors)

    def documents(self, rows: npt.ArrayLike) -> list[Document]:
        """Return the documents of some rows that were found."""
        return [self._documents[row] for row in np.asarray(rows).tolist()]

    def texts(self, rows: npt.ArrayLike) -> list[str]:
        """Return the texts of some rows that were found."""
        return [document.text for document in self.documents(rows)]

    def cosines(self, vectors: FloatArray, rows: Rows) -> FloatArray:
        """Return the cosines of the queries that were asked with the documents that each one found.

        ``rows`` and the result are (q, m); the result is -inf where the row is -1.
        """
        known = [
            [cosines.get(row, -np.inf) for row in found]
            for cosines, found in zip(self._cosines, rows.tolist(), strict=True)
        ]
        return np.array(known, dtype=np.float32).reshape(rows.shape)

    def _note(self, number: int, ranking: Ranking) -> None:
        for query, column in np.argwhere(ranking.rows >= 0).tolist():
            row = number * _SPAN + int(ranking.rows[query, column])
            self._cosines[query][row] = float(ranking.scores[query, column])


def _answers(waiting: Mapping[int, Callable[[], Answer]]) -> dict[int, Answer]:
    """Return the answers of those shards that give one; all were asked before."""
    answers = {}
    for number, wait in waiting.items():
        with suppress(ShardMissingError):
            answers[number] = wait()
    return answers


def _merged(rankings: Mapping[int, Ranking | None], queries: int, depth: int) -> Ranking | None:
    """Return one ranking of the shards', in which rows count over all of them."""
    parts = [
        Ranking(ranking.scores, np.where(ranking.rows < 0, -1, ranking.rows + number * _SPAN))
        for number, ranking in rankings.items()
        if ranking is not None
    ]
    return merge_rankings(queries, depth, parts) if parts else None
