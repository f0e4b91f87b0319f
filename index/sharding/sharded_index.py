"""Search over shards: all are asked at once, and their answers are merged exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import ClusterError, ShardMissingError
from kosim.index.corpus_index import EncoderIdentity
from kosim.index.documents import Document
from kosim.index.lexical.bm25 import WordStatistics
from kosim.index.merging import Ranking, merge_rankings
from kosim.index.retrieval import Rankings
from kosim.index.searchable import Mode, Places, Retrieved
from kosim.index.sharding.folder import Shards
from kosim.index.sharding.shard import LocalShard, ShardAnswer, ShardCall, ShardClient
from kosim.index.store.block import FloatArray

_SPAN = 1 << 40
"""Places that each shard has to itself: those of shard n begin at n times as many."""

Answer = TypeVar("Answer")


class ShardedIndex:
    """What a `Searcher` searches where an index is cut into shards.

    It finds what one index of all documents would find: the same hits with the same scores in the
    same order where the shards' vector indexes are exact. Words are weighed by their frequency in
    all shards, which are asked for it first. A shard that does not answer is named in the result,
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
        """The encoder that made the vectors."""
        return self._shards.encoder

    @property
    def made(self) -> int:
        """The generation with which the corpus began."""
        return self._shards.made

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
        rows = len(queries) if vectors is None else len(vectors)
        merged = Rankings(
            _merged({n: a.found.by_vectors for n, a in answers.items()}, rows, depth),
            _merged({n: a.found.by_words for n, a in answers.items()}, rows, depth),
        )
        missing = tuple(
            shard.name for number, shard in enumerate(self._clients) if number not in answers
        )
        return Retrieved(FoundDocuments(answers, rows), *merged.fused(depth), missing)


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
            for place, document in answer.documents.items():
                self._documents[number * _SPAN + place] = document
            found, cosines = answer.found, answer.cosines
            if found.by_words is not None and cosines is not None:
                self._note(number, Ranking(cosines, found.by_words.places))
            if found.by_vectors is not None:
                self._note(number, found.by_vectors)

    def documents(self, places: npt.ArrayLike) -> list[Document]:
        """Return the documents at some places that were found."""
        return [self._documents[place] for place in np.asarray(places).tolist()]

    def texts(self, places: npt.ArrayLike) -> list[str]:
        """Return the texts at some places that were found."""
        return [document.text for document in self.documents(places)]

    def cosines(self, vectors: FloatArray, places: Places) -> FloatArray:
        """Return the cosines of the queries that were asked with the documents of their rows.

        ``places`` and the result are (q, m); the result is -inf where the place is -1.
        """
        known = [
            [cosines.get(place, -np.inf) for place in row]
            for cosines, row in zip(self._cosines, places.tolist(), strict=True)
        ]
        return np.array(known, dtype=np.float32).reshape(places.shape)

    def _note(self, number: int, ranking: Ranking) -> None:
        for row, column in np.argwhere(ranking.places >= 0).tolist():
            place = number * _SPAN + int(ranking.places[row, column])
            self._cosines[row][place] = float(ranking.scores[row, column])


def _answers(waiting: Mapping[int, Callable[[], Answer]]) -> dict[int, Answer]:
    """Return the answers of those shards that give one; all were asked before."""
    answers = {}
    for number, wait in waiting.items():
        with suppress(ShardMissingError):
            answers[number] = wait()
    return answers


def _merged(rankings: Mapping[int, Ranking | None], queries: int, depth: int) -> Ranking | None:
    """Return one ranking of the shards', in which places count over all of them."""
    parts = [
        Ranking(ranking.scores, np.where(ranking.places < 0, -1, ranking.places + number * _SPAN))
        for number, ranking in rankings.items()
        if ranking is not None
    ]
    return merge_rankings(queries, depth, parts) if parts else None
