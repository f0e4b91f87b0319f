"""Search: retrieve candidates from an index, then let a reranker order them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from encoders.base import FloatArray, PairEncoder
from encoders.bi import BiEncoder
from encoders.errors import ConfigError, DataError
from index.adaptive.policy import CandidatePolicy
from index.corpus_index import CorpusIndex, Snapshot
from index.fusion import reciprocal_rank_fusion
from index.hits import SearchHit, SearchResult
from index.index_encoder import check_encoder
from index.lexical.lexical_index import LexicalIndex
from index.reranking import score_pairs

__all__ = ["Mode", "Places", "SearchHit", "SearchResult", "Searcher"]

Mode = Literal["dense", "lexical", "hybrid"]
Places = npt.NDArray[np.int64]


class Searcher:
    """Finds similar sentences: an index, the bi-encoder that made it, perhaps a reranker.

    Args:
        index: where to search.
        encoder: the bi-encoder whose vectors the index holds, in any precision.
        reranker: orders the candidates; a cross-encoder in most cases.

    Raises:
        CorpusIndexError: the index was made with another encoder.
    """

    def __init__(
        self, index: CorpusIndex, encoder: BiEncoder, reranker: PairEncoder | None = None
    ) -> None:
        check_encoder(index, encoder)
        self.index = index
        self.encoder = encoder
        self.reranker = reranker
        self._policies: dict[Mode, CandidatePolicy] = {}

    def search(
        self,
        queries: Sequence[str],
        *,
        k: int = 10,
        candidates: int | Literal["auto"] = 100,
        mode: Mode = "dense",
        chance: float = 0.05,
    ) -> list[SearchResult]:
        """Find the ``k`` best documents for each query.

        Args:
            queries: sentences; all are encoded, and reranked, together.
            k: hits a query; fewer where the index holds, or the mode finds, fewer.
            candidates: documents that are retrieved for the reranker, at least ``k``; "auto"
                reranks as many as each query needs, by the index's fitted policy. Without a
                reranker it only says how deep a hybrid search fuses its two rankings.
            mode: retrieve by vectors, by words (BM25), or by both.
            chance: of "auto": the accepted share of queries that lose a hit of at least 2.5
                of 5 which reranking to the policy's full depth would have shown.

        Returns:
            One result a query, in their order.

        Raises:
            DataError: a query is blank or no string.
            ConfigError: k or candidates is below 1, the mode or chance is impossible, or "auto"
                lacks a reranker or a policy.
        """
        started = time.perf_counter()
        _check_queries(queries)
        _check_count("k", k)
        _check_mode(mode)
        policy = self._checked_policy(candidates, mode, k, chance)
        depth = policy.depth if policy else max(int(candidates), k)
        if self.reranker is None and mode != "hybrid":
            depth = k
        depth = max(1, min(depth, len(self.index)))
        vectors = self.encoder.encode(queries)
        snapshot, found, places = self._retrieve(queries, vectors, depth, mode)
        retrieved = (places >= 0).sum(axis=1)
        raw = None
        if self.reranker is not None:
            if policy is None:
                raw = self.rerank(queries, places, snapshot=snapshot)
            else:
                raw = policy.rerank_adaptively(
                    self.cosines(vectors, places, snapshot=snapshot),
                    lambda wanted: self.rerank(
                        queries, np.where(wanted, places, -1), snapshot=snapshot
                    ),
                    k=k,
                    chance=chance,
                )
            order = np.argsort(-raw, axis=1, kind="stable")
            found = np.take_along_axis(found, order, axis=1)
            places = np.take_along_axis(places, order, axis=1)
            raw = np.take_along_axis(raw, order, axis=1)
            # What was not reranked cannot be shown beside what was: it has no comparable score.
            reranked = (raw > -np.inf).sum(axis=1)
            places = np.where(raw > -np.inf, places, -1)
        else:
            reranked = np.zeros(len(queries), dtype=np.int64)
        raw = raw if raw is None else raw[:, :k]
        hits = self._hits(snapshot, vectors, found[:, :k], places[:, :k], raw)
        seconds = (time.perf_counter() - started) / max(1, len(queries))
        return [
            SearchResult(query, tuple(hits[row]), int(retrieved[row]), int(reranked[row]), seconds)
            for row, query in enumerate(queries)
        ]

    def retrieve(
        self, queries: Sequence[str] | FloatArray, depth: int, mode: Mode = "dense"
    ) -> tuple[FloatArray, Places]:
        """Return the first ``depth`` documents of each query, without a reranker.

        Args:
            queries: q sentences or, in the mode "dense", their (q, d) unit vectors.
            depth: documents a query.
            mode: as in :meth:`search`.

        Returns:
            Scores (q, depth) float32, best first (cosine, BM25 or reciprocal ranks), and places
            (q, depth) int64; where there are fewer documents, -inf and -1.

        Raises:
            DataError: a query is blank or no string.
            ConfigError: ``depth`` is below 1, the mode is unknown, or needs texts.
        """
        _check_count("depth", depth)
        _check_mode(mode)
        if isinstance(queries, np.ndarray):
            if mode != "dense":
                raise ConfigError(f"mode {mode!r} searches by words; give texts, not vectors")
            return self.index.search(queries, depth)
        _check_queries(queries)
        vectors = None if mode == "lexical" else self.encoder.encode(queries)
        return self._retrieve(queries, vectors, depth, mode)[1:]

    def rerank(
        self, queries: Sequence[str], places: Places, *, snapshot: Snapshot | None = None
    ) -> FloatArray:
        """Return the reranker's raw score of each query with each document of its row.

        All pairs are scored in one call.

        Args:
            queries: q sentences.
            places: (q, d) places in the index, -1 for none.
            snapshot: the state of the index that the places belong to; its present one when None.

        Returns:
            (q, d) float32, -inf where the place is -1.

        Raises:
            ConfigError: the searcher has no reranker.
        """
        if self.reranker is None:
            raise ConfigError("this searcher has no reranker; give one to Searcher(...)")
        scores = np.full(places.shape, -np.inf, dtype=np.float32)
        rows, columns = np.nonzero(places >= 0)
        if len(rows):
            wanted, where = np.unique(places[rows, columns], return_inverse=True)
            texts = (snapshot or self.index.snapshot).texts(wanted)
            pairs = [
                (queries[row], texts[at])
                for row, at in zip(rows.tolist(), where.tolist(), strict=True)
            ]
            scores[rows, columns] = score_pairs(self.reranker, pairs)
        return scores

    def cosines(
        self, vectors: FloatArray, places: Places, *, snapshot: Snapshot | None = None
    ) -> FloatArray:
        """Return the cosines of q queries (q, d) with the documents of their rows.

        ``places`` and the result are (q, m); the result is -inf where the place is -1. The places
        belong to ``snapshot``, or to the index's present one.
        """
        source = snapshot or self.index.snapshot
        result = np.full(places.shape, -np.inf, dtype=np.float32)
        for row, places_of_query in enumerate(places):
            real = places_of_query >= 0
            result[row, real] = source.vectors(places_of_query[real]) @ vectors[row]
        return result

    def policy(self, mode: Mode = "dense") -> CandidatePolicy:
        """Return the policy of ``candidates="auto"`` that was fitted for index and reranker.

        Raises:
            ConfigError: there is no reranker, or no policy that fits it, the index and the mode.
        """
        if self.reranker is None:
            raise ConfigError(
                'candidates "auto" needs a reranker; give one, for example with --reranker CROSS'
            )
        if mode not in self._policies:
            self._policies[mode] = CandidatePolicy.load(
                self.index.folder,
                self.index.encoder.fingerprint,
                self._reranker_fingerprint,
                mode=mode,
            )
        policy = self._policies[mode]
        policy.check_corpus(self.index.made, len(self.index), self.index.folder)
        return policy

    @cached_property
    def _lexical(self) -> LexicalIndex:
        return LexicalIndex(self.index)

    @cached_property
    def _reranker_fingerprint(self) -> str:
        return self.reranker.fingerprint() if self.reranker else ""

    def _checked_policy(
        self, candidates: int | str, mode: Mode, k: int, chance: float
    ) -> CandidatePolicy | None:
        if candidates == "auto":
            policy = self.policy(mode)
            policy.limit(k, chance)
            return policy
        if isinstance(candidates, str):
            raise ConfigError(f'candidates is {candidates!r}; give a number or "auto"')
        _check_count("candidates", candidates)
        return None

    def _retrieve(
        self, queries: Sequence[str], vectors: FloatArray | None, depth: int, mode: Mode
    ) -> tuple[Snapshot, FloatArray, Places]:
        """Retrieve from one state of the index, which is returned: places count within it."""
        while True:
            snapshot = self.index.snapshot
            if vectors is not None and mode == "dense":
                return snapshot, *snapshot.search(vectors, depth)
            by_words = self._lexical.search(queries, depth)
            if self.index.snapshot is not snapshot:
                continue  # another thread refreshed the index between the two
            if vectors is None or mode == "lexical":
                return snapshot, *by_words
            _, by_vectors = snapshot.search(vectors, depth)
            return snapshot, *reciprocal_rank_fusion([by_vectors, by_words[1]], depth)

    def _hits(
        self,
        snapshot: Snapshot,
        vectors: FloatArray,
        found: FloatArray,
        places: Places,
        raw: FloatArray | None,
    ) -> list[list[SearchHit]]:
        if raw is None or self.reranker is None:
            cosines = self.cosines(vectors, places, snapshot=snapshot)
            scores = self.encoder.calibration(cosines)
        else:
            scores = self.reranker.calibration(raw)
        rows, columns = np.nonzero(places >= 0)
        hits: list[list[SearchHit]] = [[] for _ in places]
        documents = snapshot.documents(places[rows, columns])
        for row, column, document in zip(rows, columns, documents, strict=True):
            hits[row].append(
                SearchHit(
                    rank=len(hits[row]) + 1,
                    id=document.id,
                    text=document.text,
                    score=float(scores[row, column]),
                    retrieval_score=float(found[row, column]),
                    rerank_score=None if raw is None else float(raw[row, column]),
                    extra=document.extra,
                )
            )
        return hits


def _check_queries(queries: Sequence[str]) -> None:
    if isinstance(queries, str):
        raise DataError("queries is one string; give a list of texts")
    for number, query in enumerate(queries, 1):
        if not isinstance(query, str) or not query.strip():
            raise DataError(f"query {number} of {len(queries)} is {query!r}; give a sentence")


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ConfigError(f"{name} is {value!r}; give a whole number of at least 1")


def _check_mode(mode: str) -> None:
    if mode not in get_args(Mode):
        raise ConfigError(f"mode {mode!r} is unknown; choose from {', '.join(get_args(Mode))}")
