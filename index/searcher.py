"""Search: retrieve candidates from an index, then let a reranker order them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from typing import Generic, Literal, get_args

import numpy as np
import numpy.typing as npt
from typing_extensions import TypeVar

from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.dimensions import calibration_at, shortened
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.interface import Encoder, SentenceEncoder
from kosim.encoders.texts import as_texts
from kosim.index.adaptive.policy import CandidatePolicy, fitting
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import SearchHit, SearchResult
from kosim.index.index_encoder import check_encoder, check_opened
from kosim.index.ranking import Rows
from kosim.index.reranking import check_refiner, near_border, score_pairs
from kosim.index.searchable import DocumentReader, Mode, Searchable
from kosim.index.vectors.exact import as_cosines

__all__ = ["Mode", "Rows", "SearchHit", "SearchResult", "Searcher"]

Index_co = TypeVar("Index_co", bound=Searchable, default=CorpusIndex, covariant=True)


class Searcher(Generic[Index_co]):
    """Finds similar sentences: an index, the bi-encoder of its vectors, perhaps a reranker.

    Args:
        index: where to search; an index, or the shards of one.
        encoder: the bi-encoder whose vectors the index holds, in any precision.
        reranker: orders the candidates; a cross-encoder in most cases.
        refiner: the reranker in full precision, where it computes in a lower one: it decides which
            of the candidates around the last rank are hits.

    Raises:
        CorpusIndexError: the index was made with another encoder.
        ConfigError: the refiner is not the reranker in full precision.
    """

    def __init__(
        self,
        index: Index_co,
        encoder: SentenceEncoder,
        reranker: Encoder | None = None,
        *,
        refiner: Encoder | None = None,
    ) -> None:
        check_opened(index=index, encoder=encoder, reranker=reranker, refiner=refiner)
        check_encoder(index, encoder)
        check_refiner(refiner, reranker)
        self.index = index
        self.encoder = encoder
        self.reranker = reranker
        self.refiner = refiner
        self._policies: dict[Mode, CandidatePolicy] = {}

    def __repr__(self) -> str:
        return f"Searcher({self.index!r}, {self.encoder!r}, {self.reranker!r})"

    def search(
        self,
        queries: Sequence[str],
        *,
        k: int = 10,
        candidates: int | Literal["auto"] = 100,
        mode: Mode = "dense",
        chance: float = 0.05,
        min_score: float | None = None,
        symmetric: bool = False,
        interpolation: float = 0.0,
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
            min_score: leave out hits that score below this on 0-5.
            symmetric: rerank by the mean of both orders of query and document; not with "auto",
                whose policy is fitted on one order.
            interpolation: share of the bi-encoder's score in the score of a reranked hit, from 0
                (the reranker's alone) to 1; not with "auto", whose policy is fitted on 0. Both
                encoders have to be calibrated, so that their scores are on one scale (score
                interpolation, Wang, Zhuang & Zuccon 2021, doi:10.1145/3471158.3472233).

        Returns:
            One result a query, in their order.

        Raises:
            DataError: a query is blank or no string.
            ConfigError: k or candidates is below 1, the mode, chance or interpolation is
                impossible, "auto" lacks a reranker or a policy, or interpolation a reranker or a
                calibration.
        """
        started = time.perf_counter()
        queries = _checked_queries(queries)
        _check_count("k", k)
        _check_mode(mode)
        if symmetric and candidates == "auto":
            raise ConfigError(
                'candidates "auto" is fitted on one order of query and document; give a number of '
                "candidates with symmetric"
            )
        self.check_interpolation(interpolation, candidates)
        policy = self._checked_policy(candidates, mode, k, chance)
        depth = policy.depth if policy else max(int(candidates), k)
        if self.reranker is None and mode != "hybrid":
            depth = k
        depth = max(1, min(depth, len(self.index)))
        vectors = self.encode(queries)
        reader, found, rows, missing = self.index.retrieve(queries, vectors, depth, mode)
        retrieved = (rows >= 0).sum(axis=1)
        raw = scores = None
        if self.reranker is not None:

            def ordering(raw: FloatArray) -> FloatArray:
                if not interpolation:
                    return raw
                return self.mixed(as_cosines(reader.cosines(vectors, rows)), raw, interpolation)

            def score(encoder: Encoder, wanted: npt.NDArray[np.bool_]) -> FloatArray:
                return _reranked(
                    encoder, queries, np.where(wanted, rows, -1), reader, symmetric=symmetric
                )

            if policy is None:
                raw = score(self.reranker, rows >= 0)
            else:
                raw = policy.rerank_adaptively(
                    reader.cosines(vectors, rows),
                    partial(score, self.reranker),
                    k=k,
                    chance=chance,
                )
            if self.refiner is not None:
                near = near_border(ordering(raw), k)
                raw = np.where(near, score(self.refiner, near), raw)
            by = ordering(raw)
            order = np.argsort(-by, axis=1, kind="stable")
            found = np.take_along_axis(found, order, axis=1)
            rows = np.take_along_axis(rows, order, axis=1)
            raw = np.take_along_axis(raw, order, axis=1)
            by = np.take_along_axis(by, order, axis=1)
            scores = by[:, :k] if interpolation else self.reranker.calibration(raw[:, :k])
            # What was not reranked cannot be shown beside what was: it has no comparable score.
            reranked = (raw > -np.inf).sum(axis=1)
            rows = np.where(raw > -np.inf, rows, -1)
        else:
            reranked = np.zeros(len(queries), dtype=np.int64)
        raw = raw if raw is None else raw[:, :k]
        shown = as_cosines(found[:, :k]) if mode == "dense" else found[:, :k]
        if scores is None:
            scores = self._similarity(as_cosines(reader.cosines(vectors, rows[:, :k])))
        hits = _hits(reader, scores, shown, rows[:, :k], raw)
        seconds = (time.perf_counter() - started) / max(1, len(queries))
        return [
            SearchResult(
                query,
                tuple(hit for hit in hits[number] if min_score is None or hit.score >= min_score),
                int(retrieved[number]),
                int(reranked[number]),
                seconds,
                missing,
                (self.reranker or self.encoder).calibrated,
            )
            for number, query in enumerate(queries)
        ]

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return the vectors of some texts as the index has them: (n, its dimensions)."""
        return shortened(self.encoder.encode(texts), self.index.encoder.dimension)

    def retrieve(
        self, queries: Sequence[str] | FloatArray, depth: int, mode: Mode = "dense"
    ) -> tuple[FloatArray, Rows]:
        """Return the first ``depth`` documents of each query, without a reranker.

        Args:
            queries: q sentences or, in the mode "dense", their (q, d) unit vectors.
            depth: documents a query.
            mode: as in `search`.

        Returns:
            Scores (q, depth) float32, best first (cosine, BM25 or reciprocal ranks), and rows
            (q, depth) int64; where there are fewer documents, -inf and -1.

        Raises:
            DataError: a query is blank or no string.
            ConfigError: ``depth`` is below 1, the mode is unknown, or needs texts.
        """
        _check_count("depth", depth)
        _check_mode(mode)
        if isinstance(queries, np.ndarray) and queries.dtype.kind == "f":
            if mode != "dense":
                raise ConfigError(f"mode {mode!r} searches by words; give texts, not vectors")
            _, found, rows, _ = self.index.retrieve([], queries, depth, mode)
            return as_cosines(found), rows
        queries = _checked_queries(queries)
        vectors = None if mode == "lexical" else self.encode(queries)
        _, found, rows, _ = self.index.retrieve(queries, vectors, depth, mode)
        return as_cosines(found) if mode == "dense" else found, rows

    def rerank(self: Searcher[CorpusIndex], queries: Sequence[str], rows: Rows) -> FloatArray:
        """Return the reranker's raw score of each query with each document that it found.

        All pairs are scored in one call.

        Args:
            queries: q sentences.
            rows: (q, d) rows of the index as it is read now, -1 for none.

        Returns:
            (q, d) float32, -inf where the row is -1.

        Raises:
            ConfigError: the searcher has no reranker.
        """
        if self.reranker is None:
            raise ConfigError("this searcher has no reranker; give one to Searcher(...)")
        return _reranked(self.reranker, queries, rows, self.index.snapshot)

    def cosines(self: Searcher[CorpusIndex], vectors: FloatArray, rows: Rows) -> FloatArray:
        """Return the cosines of q queries (q, d) with the documents that each one found.

        ``rows``, of the index as it is read now, and the result are (q, m); the result is
        -inf where the row is -1.
        """
        return as_cosines(self.index.snapshot.cosines(vectors, rows))

    def mixed(self, cosines: npt.ArrayLike, raw: npt.ArrayLike, share: float) -> FloatArray:
        """Return the scores on 0-5 that an interpolation makes of cosines and raw scores.

        Args:
            cosines: of queries with documents, of any shape.
            raw: what `rerank` returned for them, of the same shape; -inf where there is none.
            share: of the bi-encoder's score, as in `search`.

        Returns:
            As many float32, -inf where there is none.

        Raises:
            ConfigError: as `check_interpolation`.
        """
        self.check_interpolation(share)
        if self.reranker is None:
            return np.full(np.shape(raw), -np.inf, dtype=np.float32)
        reranked = self.reranker.calibration(raw)
        mixed = share * self._similarity(cosines) + (1 - share) * reranked
        return np.where(np.isneginf(np.asarray(raw, dtype=np.float32)), -np.inf, mixed).astype(
            np.float32
        )

    def policy(self, mode: Mode = "dense") -> CandidatePolicy:
        """Return the policy of ``candidates="auto"`` that was fitted for index and reranker.

        Raises:
            ConfigError: there is no reranker, or no policy that fits it, the index and the mode.
        """
        if self.reranker is None:
            raise ConfigError('candidates "auto" needs a reranker; give one, such as mini-cross')
        if mode not in self._policies:
            self._policies[mode] = CandidatePolicy.load(
                self.index.folder,
                self.index.encoder.fingerprint,
                self._reranker_fingerprint,
                mode=mode,
            )
        policy = self._policies[mode]
        policy.check_corpus(self.index.first_generation, len(self.index), self.index.folder)
        return policy

    @cached_property
    def _reranker_fingerprint(self) -> str:
        return self.reranker.fingerprint() if self.reranker else ""

    def _checked_policy(
        self, candidates: int | str, mode: Mode, k: int, chance: float
    ) -> CandidatePolicy | None:
        if candidates == "auto":
            policy = self.policy(mode)
            policy.limit(k, chance)
            if k > policy.depth < len(self.index):
                raise ConfigError(
                    f"k is {k:,}, more than the {policy.depth:,} candidates that the policy was "
                    f"fitted on; ask for fewer hits, fit it deeper with "
                    f"{fitting(self.index.folder)}, or give a number of candidates"
                )
            return policy
        if isinstance(candidates, str):
            raise ConfigError(f'candidates is {candidates!r}; give a number or "auto"')
        _check_count("candidates", candidates)
        return None

    def check_interpolation(self, share: float, candidates: int | str = 1) -> None:
        """Check that hits can be ordered by a mix of both encoders' scores.

        Raises:
            ConfigError: the share is no number from 0 to 1 or, where it is above 0, there is no
                reranker, an encoder is not calibrated, or ``candidates`` is "auto".
        """
        if isinstance(share, bool) or not isinstance(share, int | float | np.number):
            raise ConfigError(f"interpolation is {share!r}; give a number from 0 to 1")
        if not 0 <= share <= 1:
            raise ConfigError(f"interpolation is {share:g}; give a share from 0 to 1")
        if not share:
            return
        if self.reranker is None:
            raise ConfigError(
                f"interpolation is {share:g}, but there is no reranker whose scores it could mix "
                "with the bi-encoder's; give one, such as mini-cross"
            )
        if candidates == "auto":
            raise ConfigError(
                'candidates "auto" is fitted on the reranker\'s scores alone; give a number of '
                "candidates with interpolation"
            )
        for role, encoder in (("bi-encoder", self.encoder), ("reranker", self.reranker)):
            if not encoder.calibrated:
                raise ConfigError(
                    f"the {role} is not calibrated, so that its scores cannot be mixed with the "
                    "other's; adopt it (kosim adopt), or leave out interpolation"
                )

    def _similarity(self, cosines: npt.ArrayLike) -> FloatArray:
        """Return the bi-encoder's calibrated scores of cosines of the index's vectors."""
        return calibration_at(self.encoder, self.index.encoder.dimension)(cosines)


def _hits(
    reader: DocumentReader,
    scores: FloatArray,
    found: FloatArray,
    rows: Rows,
    raw: FloatArray | None,
) -> list[list[SearchHit]]:
    queries, columns = np.nonzero(rows >= 0)
    hits: list[list[SearchHit]] = [[] for _ in rows]
    documents = reader.documents(rows[queries, columns])
    for query, column, document in zip(queries, columns, documents, strict=True):
        hits[query].append(
            SearchHit(
                rank=len(hits[query]) + 1,
                id=document.id,
                text=document.text,
                score=float(scores[query, column]),
                retrieval_score=float(found[query, column]),
                rerank_score=None if raw is None else float(raw[query, column]),
                extra=document.extra,
            )
        )
    return hits


def _reranked(
    encoder: Encoder,
    queries: Sequence[str],
    rows: Rows,
    reader: DocumentReader,
    *,
    symmetric: bool = False,
) -> FloatArray:
    """Return an encoder's raw score of each query with each of its documents: (q, d)."""
    scores = np.full(rows.shape, -np.inf, dtype=np.float32)
    asking, columns = np.nonzero(rows >= 0)
    if len(asking):
        wanted, where = np.unique(rows[asking, columns], return_inverse=True)
        texts = reader.texts(wanted)
        pairs = [
            (queries[query], texts[at])
            for query, at in zip(asking.tolist(), where.tolist(), strict=True)
        ]
        scores[asking, columns] = score_pairs(encoder, pairs, symmetric=symmetric)
    return scores


def _checked_queries(queries: Iterable[str]) -> list[str]:
    texts = as_texts(queries, "queries")
    for number, query in enumerate(texts, 1):
        if not query.strip():
            raise DataError(f"query {number} of {len(texts)} is {query!r}; give a sentence")
    return texts


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ConfigError(f"{name} is {value!r}; give a whole number of at least 1")


def _check_mode(mode: str) -> None:
    if mode not in get_args(Mode):
        raise ConfigError(f"mode {mode!r} is unknown; choose from {', '.join(get_args(Mode))}")
