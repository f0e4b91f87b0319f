"""Tiny encoders, and an index that tests may change, shared by the tests of this room."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path

import pytest
import torch

from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.index.corpus_index import CorpusIndex
from kosim.index.searcher import Searcher
from kosim.index.store import commit
from tests.index import searching
from tests.index.searching import make_index
from tests.index.stored import DOCUMENTS, VECTORS
from tests.index.vectors import ENCODER, in_blocks


@pytest.fixture(scope="session", autouse=True)
def quick() -> None:
    """One thread, and no garbage collection through the imported libraries."""
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def bi(koelectra: Path) -> BiEncoder:
    """An untrained bi-encoder; its random weights are large, so that cosines differ clearly."""
    return BiEncoder.from_backbone(str(koelectra), device="cpu")


@pytest.fixture(scope="session")
def cross(koelectra: Path) -> CrossEncoder:
    """An untrained cross-encoder whose scores differ clearly and depend on a pair's order."""
    return CrossEncoder.from_backbone(str(koelectra), device="cpu")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three segments that no test changes."""
    folder = tmp_path_factory.mktemp("made") / "index"
    CorpusIndex.create(folder, ENCODER, in_blocks(DOCUMENTS, VECTORS, 7), segment_rows=25)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(made, tmp_path / "index")


@pytest.fixture
def index(folder: Path) -> CorpusIndex:
    """The copy, opened."""
    return CorpusIndex.open(folder)


@pytest.fixture
def short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log ends with its generation after 10 documents."""
    monkeypatch.setattr(commit, "LOG_DOCUMENTS", 10)


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory, bi: BiEncoder) -> CorpusIndex:
    """An index of the corpus in `searching` that no test changes."""
    return make_index(tmp_path_factory.mktemp("searched") / "index", bi, searching.DOCUMENTS)


@pytest.fixture
def dense(searched: CorpusIndex, bi: BiEncoder) -> Searcher:
    """A searcher without a reranker."""
    return Searcher(searched, bi)


@pytest.fixture
def reranking(searched: CorpusIndex, bi: BiEncoder, cross: CrossEncoder) -> Searcher:
    """A searcher with the cross-encoder."""
    return Searcher(searched, bi, cross)
