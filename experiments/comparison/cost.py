"""What each encoder costs: measured on this machine, and projected to growing corpora."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.records import Pair
from kosim.experiments.comparison.results import (
    BreakEven,
    CorpusCost,
    Cost,
    EncoderCost,
    Job,
    OutOfReach,
)
from kosim.experiments.study.results import Latency, seconds_of

CORPUS_SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
_BULK = 512
_SINGLE = 20
_QUERY_BUDGET = 1.0
_ALL_PAIRS_BUDGET = 3600.0


def measure(encoder: BiEncoder | CrossEncoder, pairs: list[Pair]) -> EncoderCost:
    """Measure one encoder on up to 512 of the test pairs, in bulk and one pair at a time.

    Of copies and of both orders of a pair one counts: an encoder computes what it is given twice
    once.
    """
    sample = list({tuple(sorted(pair)): pair for pair in reversed(pairs)}.values())[::-1][:_BULK]
    encoder.score(sample[:8])  # the first call allocates
    bulk = seconds_of(encoder.score, sample)
    of_bi: dict[str, Any] = {}
    if isinstance(encoder, BiEncoder):
        texts = list(dict.fromkeys(text for pair in sample for text in pair))
        of_bi["dimension"] = encoder.dimension
        of_bi["sentences_per_second"] = len(texts) / seconds_of(encoder.encode, texts)
    single = [seconds_of(encoder.score, [pair]) for pair in sample[:_SINGLE]]
    return EncoderCost(
        parameters=encoder.parameters,
        pairs_per_second=len(sample) / bulk,
        single_pair_ms=Latency.of(single),
        **of_bi,
    )


def project(
    measured: Mapping[str, EncoderCost], *, bi: str | None, cross: str | None, candidates: int
) -> Cost:
    """Project measured speeds to whole jobs on a corpus of n sentences.

    Comparing all pairs takes a cross-encoder n (n - 1) / 2 scorings and a bi-encoder n
    encodings; answering a query takes n scorings, against one encoding, n dot products and
    the scoring of the candidates. A dot product is counted as measured on this machine.

    Args:
        measured: what `measure` returned, by encoder.
        bi: the bi-encoder that retrieves, if there is one.
        cross: the cross-encoder that scores, if there is one.
        candidates: how many hits the cross-encoder reranks.
    """
    cost = Cost(
        device="cuda" if torch.cuda.is_available() else "cpu",
        threads=torch.get_num_threads(),
        encoders=dict(measured),
        candidates=candidates,
    )
    if bi is None or cross is None:
        return cost
    finder, judge = measured[bi], measured[cross]
    if (
        finder.sentences_per_second is None
        or finder.single_pair_ms is None
        or finder.dimension is None
        or judge.pairs_per_second is None
    ):
        return cost
    encode = 1 / finder.sentences_per_second
    encode_one = finder.single_pair_ms.p50 / 1000 / 2
    score = 1 / judge.pairs_per_second
    dot = _dot_product_seconds(finder.dimension)

    def corpus(n: int) -> CorpusCost:
        pairs, retrieve = n * (n - 1) / 2, encode_one + n * dot
        return CorpusCost(
            sentences=n,
            all_pairs=Job(bi_seconds=n * encode + pairs * dot, cross_seconds=pairs * score),
            query=Job(
                bi_seconds=retrieve,
                rerank_seconds=retrieve + min(n, candidates) * score,
                cross_seconds=n * score,
            ),
            extrapolated=True,
        )

    even = BreakEven()
    if score > dot:
        even = BreakEven(
            query_sentences=math.ceil((encode_one + candidates * score) / (score - dot)),
            all_pairs_sentences=math.ceil(1 + 2 * encode / (score - dot)),
        )
    reach = OutOfReach(
        query_one_second=int(_QUERY_BUDGET / score),
        all_pairs_one_hour=int((1 + math.sqrt(1 + 8 * _ALL_PAIRS_BUDGET / score)) / 2),
    )
    return cost.model_copy(
        update={
            "corpus": [corpus(n) for n in CORPUS_SIZES],
            "break_even": even,
            "out_of_reach": reach,
        }
    )


def _dot_product_seconds(dimension: int, rows: int = 20_000) -> float:
    """Return the seconds of one dot product in a matrix-vector product, the best of five."""
    matrix = np.ones((rows, dimension), dtype=np.float32)
    vector = np.ones(dimension, dtype=np.float32)
    return min(seconds_of(lambda: matrix @ vector) for _ in range(5)) / rows
