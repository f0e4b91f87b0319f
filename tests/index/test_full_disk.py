"""A disk that is full: the index stays as it was, whatever could not be written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.errors import StorageError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.vectors.vector_index import IndexType
from tests.encoders.test_durable_file import largest_file
from tests.index.lexical_stand_ins import Words
from tests.index.stored import MORE, MORE_VECTORS
from tests.index.vectors import ENCODER, corpus, in_blocks

ROWS = 1_300
DOCUMENTS, VECTORS = corpus(ROWS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An index of one segment, half of it removed."""
    CorpusIndex.create(tmp_path / "index", ENCODER, in_blocks(DOCUMENTS, VECTORS, 500))
    CorpusIndex.open(tmp_path / "index").remove([one.id for one in DOCUMENTS[:ROWS:2]])
    return tmp_path / "index"


@pytest.mark.parametrize("size", [60, 200, 4096, 4200, 5000, 5327])
def test_a_list_of_removed_rows_that_is_cut_is_not_committed(
    folder: Path, short_log: None, size: int
) -> None:
    """5,328 bytes for 650 rows: what numpy's own save loses of them it does not tell."""
    before = CorpusIndex.open(folder)
    ids = before.ids(before.rows())
    with largest_file(size), pytest.raises(StorageError, match="the index was left as it was"):
        before.add(MORE, MORE_VECTORS)
    after = CorpusIndex.open(folder)
    assert after.ids(after.rows()) == ids == [one.id for one in DOCUMENTS[1:ROWS:2]]
    assert after.verify() == []


@pytest.mark.parametrize("type", ["flat", "hnsw"])
@pytest.mark.parametrize("share", np.linspace(0.02, 0.98, 7).round(2))
def test_a_segment_that_is_cut_is_not_committed(
    folder: Path, type: IndexType, share: float
) -> None:
    largest = sum(vector.nbytes for vector in VECTORS)
    index = CorpusIndex.open(folder)
    with largest_file(int(share * largest)), pytest.raises(StorageError):
        index.compact(type=type)
    assert CorpusIndex.open(folder).generation == 1
    assert CorpusIndex.open(folder).verify() == []


@pytest.mark.parametrize("size", [100, 1_000, 4_200, 5_000])
def test_postings_that_are_cut_are_not_stored(folder: Path, size: int) -> None:
    index = CorpusIndex.open(folder)
    words = LexicalIndex(folder, analyzer=Words())
    with largest_file(size):
        words.prepare(index.snapshot)
        assert words.not_stored is not None
    again = LexicalIndex(folder, analyzer=Words())
    again.prepare(index.snapshot)
    assert again.not_stored is None
    assert again.verify(index.snapshot) == []
