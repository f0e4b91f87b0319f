"""Refining: the hits are those of full precision, from a few scores more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ConfigError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.reranking import NEAR, near_border
from kosim.index.searcher import Searcher
from tests.encoders.tiny import tiny_encoder
from tests.index.searching import QUERIES, TEXTS

NONE = -np.inf


def test_the_border_is_between_the_hits_and_the_others() -> None:
    raw = np.array([[0.1, 0.9, 0.5, 0.8, 0.3, 0.7]], dtype=np.float32)
    # In order: 0.9 0.8 0.7 | 0.5 0.3 0.1
    assert near_border(raw, 3, near=1).tolist() == [[False, False, True, False, False, True]]
    assert near_border(raw, 3, near=2).tolist() == [[False, False, True, True, True, True]]
    assert near_border(raw, 1, near=2).tolist() == [[False, True, False, True, False, True]]


def test_without_others_than_hits_there_is_no_border() -> None:
    raw = np.array([[0.1, 0.9, NONE, 0.8], [0.1, 0.9, 0.2, 0.8]], dtype=np.float32)
    assert near_border(raw, 3, near=1).tolist() == [[False] * 4, [True, False, True, False]]
    assert not near_border(raw, 4).any()
    assert not near_border(raw[:, :0], 2).any()


class _Noisy:
    """A reranker whose scores are off by up to ``noise``, and which says that it is in int8."""

    def __init__(self, exact: CrossEncoder, noise: float) -> None:
        self._exact, self._noise = exact, noise
        self.precision, self.fingerprint = "int8", exact.fingerprint
        self.calibration, self.calibrated = exact.calibration, exact.calibrated

    def score(self, pairs: Sequence[tuple[str, str]], **options: Any) -> Any:
        off = [np.random.default_rng(len(a) * 1000 + len(b)).uniform(-1, 1) for a, b in pairs]
        return self._exact.score(pairs, **options) + np.float32(self._noise) * np.float32(off)


@pytest.mark.parametrize("k", [1, 4, 10])
def test_hits_are_those_of_full_precision(
    searched: CorpusIndex, bi: BiEncoder, cross: CrossEncoder, k: int
) -> None:
    scores = np.stack([cross.score([(one, text) for text in TEXTS], raw=True) for one in QUERIES])
    ordered = -np.sort(-scores, axis=1)
    # Off by less than half of what lies between a hit and the NEAR-th candidate behind it, and
    # between a candidate and the NEAR-th hit before it, so that no other can change sides.
    noise = 0.49 * min(
        float((ordered[:, k - 1] - ordered[:, k - 1 + NEAR]).min()),
        float((ordered[:, max(0, k - NEAR)] - ordered[:, k]).min()),
    )
    noisy: Any = _Noisy(cross, noise)
    full, rough, refined = (
        [{hit.id for hit in result.hits} for result in searcher.search(QUERIES, k=k)]
        for searcher in (
            Searcher(searched, bi, cross),
            Searcher(searched, bi, noisy),
            Searcher(searched, bi, noisy, refiner=cross),
        )
    )
    assert refined == full
    if k == 10:
        assert rough != full


def test_scores_around_the_border_are_those_of_full_precision(
    searched: CorpusIndex, bi: BiEncoder, cross: CrossEncoder
) -> None:
    noisy: Any = _Noisy(cross, 1e-4)
    result = Searcher(searched, bi, noisy, refiner=cross).search(QUERIES[:1], k=8)[0]
    for hit in result.hits[-NEAR:]:
        exact = cross.score([(QUERIES[0], hit.text)], raw=True)[0]
        assert hit.rerank_score == pytest.approx(float(exact), abs=1e-6)


def test_another_encoder_is_refused(
    searched: CorpusIndex, bi: BiEncoder, cross: CrossEncoder, koelectra: Path
) -> None:
    noisy: Any = _Noisy(cross, 0.1)
    with pytest.raises(ConfigError, match="another encoder than the reranker"):
        Searcher(searched, bi, noisy, refiner=bi)
    with pytest.raises(ConfigError, match="there is no reranker"):
        Searcher(searched, bi, refiner=cross)
    with pytest.raises(ConfigError, match="computes in fp32 and the refiner in fp32"):
        Searcher(searched, bi, cross, refiner=cross)
    lower = tiny_encoder("cross", koelectra)
    lower.compute_with(ComputeChoice("torch", "bf16"))
    with pytest.raises(ConfigError, match="computes in int8 and the refiner in bf16"):
        Searcher(searched, bi, noisy, refiner=lower)
