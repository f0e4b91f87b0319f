"""Mining: the most similar pairs inside a corpus, each pair once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.dimensions import calibration_at
from kosim.encoders.errors import ConfigError
from kosim.encoders.interface import Encoder, SentenceEncoder
from kosim.encoders.language import both
from kosim.encoders.texts import comparable
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document, check_document
from kosim.index.index_encoder import check_bi, check_encoder, check_opened
from kosim.index.ranking import Rows
from kosim.index.reranking import score_pairs
from kosim.index.top_pairs import neighbour_pairs, top_pairs_of_blocks
from kosim.index.vectors.exact import as_cosines

_LOG = logging.getLogger(__name__)

MOST_PAIRS = 100_000
"""Pairs that are returned when only a least score is asked for, at the most."""

EXACT_DOCUMENTS = 50_000
"""An index of up to so many documents is mined exactly."""

_NEIGHBOURS = 20
_NO_GAP = 0.01
"""Points by which a bi-encoder must score a hard pair above the reranker: less is rounding."""
_LEAST_CANDIDATES = 1_000

Progress = Callable[[Literal["compare", "rerank"], int, int], None]


@dataclass(frozen=True)
class MinedPair:
    """Two similar documents; the first stands earlier in the corpus.

    ``score`` is on 0-5: the reranker's calibrated score or, without one, the bi-encoder's.
    ``retrieval_score`` is the cosine, ``rerank_score`` the reranker's raw value. ``gap``, only of
    hard pairs, is by how many points the bi-encoder's score exceeds the reranker's.
    """

    rank: int
    id1: str
    text1: str
    id2: str
    text2: str
    score: float
    retrieval_score: float
    rerank_score: float | None
    gap: float | None = None


def mine(
    source: CorpusIndex,
    *,
    encoder: SentenceEncoder | None = None,
    top: int | None = 100,
    min_score: float | None = None,
    reranker: Encoder | None = None,
    candidates: int | None = None,
    hard: bool = False,
    progress: Progress | None = None,
) -> list[MinedPair]:
    """Find the most similar pairs of an index, best first, ties by row.

    Up to 50,000 documents every pair is compared. In a larger index each document is compared with
    its 20 nearest neighbours, and with more where all of those are among the best pairs: what an
    approximate index does not find is missing. The same sentence under two ids is a pair.

    Args:
        source: the index; its vectors are read in blocks.
        encoder: the bi-encoder that made it, for scores on 0-5 when there is no reranker.
        top: how many pairs; None for all of at least ``min_score``, up to 100,000.
        min_score: leave out pairs below this score on 0-5.
        reranker: scores the pairs with the highest cosines in both orders, and orders them.
        candidates: how many pairs it scores, at least ``top``; by default ten times ``top``,
            and at least 1,000 (10,000 where ``top`` is None).
        hard: find hard negatives instead, the pairs that the bi-encoder scores highest above the
            reranker, among those with the highest cosines; both must be calibrated.
        progress: called with ("compare", rows done, rows) and ("rerank", pairs done, pairs).

    Raises:
        CorpusIndexError: the index was made with another encoder.
        ConfigError: a number is impossible, or there is nothing to score with on 0-5.
    """
    check_opened(index=source, encoder=encoder, reranker=reranker)
    if encoder is not None:
        check_encoder(source, encoder)
    own = None if encoder is None else calibration_at(encoder, source.encoder.dimension)
    calibration = own if reranker is None else reranker.calibration
    if calibration is None:
        raise ConfigError(
            f"pairs of {source.folder} need an encoder for their scores; give the one that made "
            f"it ({source.encoder.name}), or a reranker"
        )
    if hard:
        check_hard(encoder, reranker)
    count = _pairs_to_compare(top, min_score, reranker, candidates)
    snapshot = source.snapshot
    rows = snapshot.rows()
    report = _reporting(progress, "compare")
    if len(rows) <= EXACT_DOCUMENTS:
        found = top_pairs_of_blocks(
            lambda start, stop: snapshot.vectors(rows[start:stop]),
            len(rows),
            count,
            progress=report,
        )
    else:
        found = neighbour_pairs(snapshot, rows, count, neighbours=_NEIGHBOURS, progress=report)
    cosines, first, second = found
    _tell_if_cut(len(cosines), count, top)

    def documents(positions: Rows) -> list[Document]:
        return snapshot.documents(rows[positions])

    above = own if hard else None
    return _ranked(
        cosines, first, second, documents, calibration, reranker, top, min_score, progress, above
    )


def mine_texts(
    documents: Iterable[Document],
    encoder: SentenceEncoder,
    *,
    top: int | None = 100,
    min_score: float | None = None,
    reranker: Encoder | None = None,
    candidates: int | None = None,
    progress: Progress | None = None,
) -> list[MinedPair]:
    """Find the most similar pairs of a corpus that is not an index; its vectors stay in memory.

    Every pair is compared, so that above some 100,000 documents an index is faster. Arguments
    and result are those of `mine`.

    Raises:
        ConfigError: a number is impossible, or the encoder is a cross-encoder.
    """
    check_opened(encoder=encoder, reranker=reranker)
    count = _pairs_to_compare(top, min_score, reranker, candidates)
    check_bi(encoder)
    documents = list(documents)
    for document in documents:
        check_document(document)
    vectors = encoder.encode([document.text for document in documents])
    cosines, first, second = top_pairs_of_blocks(
        lambda start, stop: vectors[start:stop],
        len(vectors),
        count,
        progress=_reporting(progress, "compare"),
    )
    _tell_if_cut(len(cosines), count, top)

    def chosen(positions: Rows) -> list[Document]:
        return [documents[position] for position in positions]

    calibration = (reranker or encoder).calibration
    return _ranked(cosines, first, second, chosen, calibration, reranker, top, min_score, progress)


def check_hard(encoder: Encoder | None, reranker: Encoder | None) -> None:
    """Refuse hard pairs without two calibrated encoders, whose scores are compared.

    Raises:
        ConfigError: one is missing or not calibrated.
    """
    if encoder is None or reranker is None:
        raise ConfigError(
            "hard pairs are those that a bi-encoder scores above a reranker; give both"
        )
    for each in (encoder, reranker):
        if not each.calibrated:
            raise ConfigError(
                f"the {each.kind}-encoder {each.backbone.path} is not calibrated, so that its "
                "scores cannot be compared with another's; calibrate it with `kosim adopt`"
            )


def _pairs_to_compare(
    top: int | None, min_score: float | None, reranker: Encoder | None, candidates: int | None
) -> int:
    for name, value in (("top", top), ("candidates", candidates)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}; ask for at least 1 pair")
    if min_score is not None and not 0 <= min_score <= 5:
        raise ConfigError(f"min_score is {min_score}; give a score between 0 and 5")
    if top is None and min_score is None:
        raise ConfigError("neither top nor min_score is given; say how many pairs or how similar")
    if reranker is None:
        return MOST_PAIRS if top is None else top
    if candidates is None:
        return 10 * _LEAST_CANDIDATES if top is None else max(10 * top, _LEAST_CANDIDATES)
    return max(candidates, top or 1)


def _reporting(
    progress: Progress | None, stage: Literal["compare", "rerank"]
) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(stage, done, total)


def _tell_if_cut(found: int, count: int, top: int | None) -> None:
    """Say that there may be more pairs than those that were looked at, where all were wanted."""
    if top is None and found == count:
        _LOG.warning(
            "%s",
            both(
                "only the {n} pairs with the highest cosines were looked at; others may reach the "
                "minimum score too: raise it, or say how many pairs",
                "코사인이 가장 높은 {n}쌍만 살펴보았습니다. 다른 쌍도 최소 점수를 넘을 수 있으므로 "
                "최소 점수를 높이거나 쌍의 수를 정하십시오",
                n=f"{count:,}",
            ),
        )


def _ranked(
    cosines: FloatArray,
    first: Rows,
    second: Rows,
    documents: Callable[[Rows], list[Document]],
    calibration: MonotoneCalibration,
    reranker: Encoder | None,
    top: int | None,
    min_score: float | None,
    progress: Progress | None,
    above: MonotoneCalibration | None = None,
) -> list[MinedPair]:
    """Return pairs in order; with ``above``, those whose cosines it maps highest above the score.

    ``calibration`` maps the reranker's raw scores to 0-5 or, without one, the cosines.
    """
    raw: npt.NDArray[np.float32] = cosines
    if reranker is not None:
        members, where = np.unique(np.stack([first, second]), return_inverse=True)
        texts = [document.text for document in documents(members)]
        ones, others = where.reshape(2, -1)
        pairs = [(texts[one], texts[other]) for one, other in zip(ones, others, strict=True)]
        report = _reporting(progress, "rerank")
        raw = score_pairs(reranker, pairs, symmetric=True, progress=report)
    scores = calibration(raw)
    gaps = None if above is None else above(as_cosines(cosines)) - scores
    order = np.lexsort((second, first, -(raw if gaps is None else gaps)))
    if gaps is not None:
        order = order[gaps[order] > _NO_GAP]
        order = order[[comparable(pairs[at][0]) != comparable(pairs[at][1]) for at in order]]
    if min_score is not None:
        order = order[scores[order] >= min_score]
    order = order[:top]
    left, right = documents(first[order]), documents(second[order])
    cosines = as_cosines(cosines)
    return [
        MinedPair(
            rank=rank,
            id1=one.id,
            text1=one.text,
            id2=other.id,
            text2=other.text,
            score=float(scores[at]),
            retrieval_score=float(cosines[at]),
            rerank_score=None if reranker is None else float(raw[at]),
            gap=None if gaps is None else float(gaps[at]),
        )
        for rank, (at, one, other) in enumerate(zip(order, left, right, strict=True), 1)
    ]
