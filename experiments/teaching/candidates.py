"""Pairs of corpus sentences that are worth a teacher's label: found by vectors, BM25 and chance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import faiss
import numpy as np
import numpy.typing as npt
import pandas as pd

from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.errors import DataError
from kosim.encoders.language import Line
from kosim.experiments.study.progress import Progress, silent
from kosim.experiments.teaching.kept_out import KeptOut
from kosim.experiments.teaching.sampling import Rows, draw
from kosim.experiments.teaching.settings import EVEN, Source
from kosim.index.lexical.bm25 import Bm25, PostingsPart
from kosim.index.lexical.morphemes import MorphemeAnalyzer
from kosim.index.lexical.postings import Postings
from kosim.index.lexical.word_parts import WordPartAnalyzer

RANKS = (1, 2, 4, 8, 16, 32)
"""Neighbours of a sentence that become pairs with it: the nearest, and some that are less near."""

_BLOCK = 1_000


def find_candidates(
    sentences: Sequence[str],
    vectors: npt.NDArray[np.floating],
    calibration: MonotoneCalibration,
    *,
    count: int,
    sources: Sequence[Source],
    kept_out: KeptOut,
    random: np.random.Generator,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Return ``count`` distinct pairs whose scores by the miner cover the scale evenly.

    Each source finds more pairs than are wanted; the miner's cosine, which costs nothing more,
    stands for the label until teachers give it. A pair that two sources find is of the first.

    Args:
        sentences: n distinct texts.
        vectors: (n, d) of about unit length, by the miner.
        calibration: that of the miner, from cosines to 0-5.
        count: pairs wanted; fewer are returned where the corpus has fewer.
        sources: where pairs come from.
        kept_out: pairs of these are left out.
        random: draws sentences, pairs and the order within a pair.
        progress: told what is being done.

    Returns:
        Columns ``sentence1``, ``sentence2``, ``source`` and ``mined`` (the miner's score, 0-5), in
        random order.

    Raises:
        DataError: the sentences are too few to make a pair.
        MissingExtraError: BM25 is asked for and kiwipiepy is not installed.
    """
    if len(sentences) < 2:
        raise DataError(f"{len(sentences)} sentences make no pair; give a larger corpus")
    unit = np.ascontiguousarray(vectors, dtype=np.float32)
    # Which pairs by vectors are hard is known when they are labelled.
    find = {"vectors": _by_vectors, "bm25": _by_words, "random": _by_chance}
    found = [
        (source, find[source](sentences, unit, count, random, progress))
        for source in sources
        if source in find
    ]
    rows = np.concatenate([np.sort(pairs, axis=1) for _, pairs in found])
    names = np.concatenate([[source] * len(pairs) for source, pairs in found])
    _, first = np.unique(rows[:, 0] * len(sentences) + rows[:, 1], return_index=True)
    first.sort()
    rows, names = rows[first], names[first]
    allowed = np.array(
        [kept_out.allows(sentences[one], sentences[other]) for one, other in rows], dtype=bool
    )
    rows, names = rows[allowed], names[allowed]
    cosines = np.einsum("ij,ij->i", unit[rows[:, 0]], unit[rows[:, 1]])
    scores = calibration(cosines.clip(-1, 1))
    chosen = random.permutation(draw(scores, list(names), count, mix=EVEN, random=random))
    turned = random.random(len(chosen)) < 0.5
    ones = np.where(turned, rows[chosen, 1], rows[chosen, 0])
    others = np.where(turned, rows[chosen, 0], rows[chosen, 1])
    return pd.DataFrame(
        {
            "sentence1": [sentences[row] for row in ones],
            "sentence2": [sentences[row] for row in others],
            "source": names[chosen],
            "mined": scores[chosen],
        }
    )


def _by_vectors(
    sentences: Sequence[str],
    vectors: FloatArray,
    count: int,
    random: np.random.Generator,
    progress: Progress,
) -> Rows:
    """Return about 2 ``count`` pairs of a sentence and one of its nearest neighbours, (m, 2)."""
    anchors = _anchors(len(sentences), 2 * count, random)
    found = [np.zeros((0, 2), dtype=np.int64)]
    depth = min(RANKS[-1] + 1, len(sentences))
    for start in range(0, len(anchors), _BLOCK):
        block = anchors[start : start + _BLOCK]
        _, near = faiss.knn(vectors[block], vectors, depth, faiss.METRIC_INNER_PRODUCT)
        found += [_with_ranks(anchor, row) for anchor, row in zip(block, near, strict=True)]
        _tell(progress, Line("neighbours by vectors", "벡터로 이웃 찾기"), start, len(anchors))
    return np.concatenate(found)


def _by_words(
    sentences: Sequence[str],
    vectors: FloatArray,
    count: int,
    random: np.random.Generator,
    progress: Progress,
) -> Rows:
    """Return about 2 ``count`` pairs of a sentence and one that shares rare words, (m, 2)."""
    analyzer, stage = WordPartAnalyzer(MorphemeAnalyzer()), Line("words of the corpus", "단어 분석")
    texts, done = iter(sentences), 0

    def told(size: int) -> None:
        nonlocal done
        done += size
        progress(stage, done, len(sentences))

    batches = iter(lambda: list(islice(texts, _BLOCK)), [])
    postings = Postings.build((analyzer.terms(batch) for batch in batches), progress=told)
    bm25 = Bm25([PostingsPart(postings, 0, np.ones(len(sentences), dtype=np.bool_))])
    anchors = _anchors(len(sentences), 2 * count, random)
    found = [np.zeros((0, 2), dtype=np.int64)]
    queries = analyzer.query_terms([sentences[anchor] for anchor in anchors])
    for number, (anchor, terms) in enumerate(zip(anchors, queries, strict=True)):
        found.append(_with_ranks(anchor, bm25.search(terms, RANKS[-1] + 1)[1]))
        if number % _BLOCK == 0:
            _tell(progress, Line("neighbours by words", "단어로 이웃 찾기"), number, len(anchors))
    return np.concatenate(found)


def _by_chance(
    sentences: Sequence[str],
    vectors: FloatArray,
    count: int,
    random: np.random.Generator,
    progress: Progress,
) -> Rows:
    """Return 2 ``count`` pairs of two sentences, (m, 2); all of them where these are fewer."""
    size, wanted = len(sentences), 2 * count
    if size * (size - 1) // 2 <= wanted:
        return np.stack(np.triu_indices(size, k=1), axis=1).astype(np.int64)
    ones = random.integers(0, size, size=wanted)
    steps = random.integers(1, size, size=wanted)
    return np.stack([ones, (ones + steps) % size], axis=1).astype(np.int64)


def _anchors(size: int, pairs: int, random: np.random.Generator) -> Rows:
    """Return the sentences, ascending, whose neighbours make about so many pairs."""
    wanted = min(size, -(-pairs // len(RANKS)))
    return np.sort(random.permutation(size)[:wanted]).astype(np.int64)


def _with_ranks(anchor: np.int64, near: Rows) -> Rows:
    """Return the pairs (m, 2) of a sentence with those of its neighbours that `RANKS` names."""
    others = near[(near != anchor) & (near >= 0)]
    chosen = others[[rank - 1 for rank in RANKS if rank <= len(others)]]
    return np.stack([np.full(len(chosen), anchor), chosen], axis=1).astype(np.int64)


def _tell(progress: Progress, stage: Line, start: int, total: int) -> None:
    progress(stage, min(start + _BLOCK, total), total)
