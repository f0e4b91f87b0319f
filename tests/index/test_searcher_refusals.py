"""What a searcher refuses: other encoders, blank queries, impossible settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.bi import BiEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.errors import ConfigError, CorpusIndexError, DataError
from kosim.index.build import build_index
from kosim.index.corpus_index import CorpusIndex
from kosim.index.mining import mine
from kosim.index.searcher import Searcher
from tests.index.searching import QUERIES


def test_another_encoder_than_that_of_the_index_is_refused(
    searched: CorpusIndex, koelectra: Path
) -> None:
    other = BiEncoder.from_backbone(str(koelectra), pooling="cls", device="cpu")
    prints = searched.encoder.fingerprint[:12], other.fingerprint()[:12]
    with pytest.raises(CorpusIndexError, match=f"tiny-bi .{prints[0]}.*{prints[1]}"):
        Searcher(searched, other)


def test_names_are_no_encoders(searched: CorpusIndex, dense: Searcher) -> None:
    with pytest.raises(ConfigError, match=r"reranker is the name 'mini-cross'; give kosim\.load"):
        Searcher(searched, dense.encoder, "mini-cross")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"index is the name 'i'; give kosim\.CorpusIndex\.open"):
        Searcher("i", dense.encoder)  # type: ignore[type-var]
    with pytest.raises(ConfigError, match="encoder is the name 'mini-bi'"):
        mine(searched, encoder="mini-bi")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="encoder is the name 'mini-bi'"):
        build_index(["하나"], "mini-bi", searched.folder.with_name("new"))  # type: ignore[arg-type]


def test_same_encoder_in_another_precision_is_allowed(
    searched: CorpusIndex, koelectra: Path
) -> None:
    lowered = BiEncoder.from_backbone(str(koelectra), device="cpu", precision="bf16")
    assert len(Searcher(searched, lowered).search(QUERIES, k=4)[0].hits) == 4


def test_blank_query_is_refused(dense: Searcher) -> None:
    with pytest.raises(DataError, match=r"query 2 of 2 is ' \\t'; give a sentence"):
        dense.search([QUERIES[0], " \t"])
    with pytest.raises(DataError, match="give a list of texts"):
        dense.search(QUERIES[0])
    with pytest.raises(DataError, match="queries 0 is None"):
        dense.retrieve([None], 5)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"k": 0}, "k is 0"),
        ({"k": 1.5}, "k is 1.5"),
        ({"candidates": 0}, "candidates is 0"),
        ({"candidates": "all"}, "candidates is 'all'"),
        ({"mode": "fuzzy"}, "mode 'fuzzy' is unknown; choose from dense, lexical, hybrid"),
        ({"candidates": "auto"}, "needs a reranker"),
        ({"interpolation": 0.5}, "0.5, but there is no reranker"),
        ({"interpolation": -0.1}, "interpolation is -0.1; give a share from 0 to 1"),
        ({"interpolation": 1.01}, "interpolation is 1.01; give a share from 0 to 1"),
        ({"interpolation": float("nan")}, "interpolation is nan; give a share from 0 to 1"),
        ({"interpolation": "half"}, "interpolation is 'half'; give a number"),
        ({"interpolation": True}, "interpolation is True; give a number"),
    ],
)
def test_impossible_settings_are_refused(
    dense: Searcher, setting: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        dense.search(QUERIES, **setting)  # type: ignore[arg-type]


def test_interpolation_needs_scores_on_one_scale(
    reranking: Searcher, bi: BiEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"the bi-encoder is not calibrated.*kosim adopt"):
        reranking.search(QUERIES, interpolation=0.5)
    labels = np.linspace(0, 5, 21)
    monkeypatch.setattr(bi, "calibration", MonotoneCalibration.fit(labels, labels))
    with pytest.raises(ConfigError, match="the reranker is not calibrated"):
        reranking.search(QUERIES, interpolation=0.5)
    with pytest.raises(ConfigError, match=r"auto.*fitted on the reranker's scores alone"):
        reranking.search(QUERIES, interpolation=0.5, candidates="auto")


def test_auto_without_a_policy_says_what_fits_it(reranking: Searcher) -> None:
    with pytest.raises(ConfigError, match=f"kosim depth {reranking.index.folder} --reranker CROSS"):
        reranking.search(QUERIES, candidates="auto")


def test_reranking_without_a_reranker_is_refused(dense: Searcher) -> None:
    with pytest.raises(ConfigError, match="no reranker"):
        dense.rerank(QUERIES, np.zeros((3, 1), dtype=np.int64))


def test_vectors_are_not_searched_by_words(dense: Searcher, bi: BiEncoder) -> None:
    with pytest.raises(ConfigError, match="mode 'hybrid' searches by words"):
        dense.retrieve(bi.encode(QUERIES), 5, "hybrid")
