"""The corpus of the store's tests, and what an index must hold and find."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from tests.index.vectors import brute_force, corpus, unit_vectors

DOCUMENTS, VECTORS = corpus(60)
MORE, MORE_VECTORS = corpus(20, prefix="새것", seed=1)
QUERIES = unit_vectors(7, seed=99)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "write.lock"
    }


def expect(index: CorpusIndex, documents: list[Document], vectors: npt.NDArray[np.float32]) -> None:
    """The index holds exactly these documents, and finds what brute force finds."""
    places = index.rows()
    assert len(index) == len(documents) == len(places)
    assert sorted(index.ids(places)) == sorted(document.id for document in documents)
    located = index.locate([document.id for document in documents])
    assert index.documents(located) == documents
    np.testing.assert_array_equal(index.vectors(located), vectors)
    scores, found = index.search(QUERIES, 10)
    true_scores, rows = brute_force(QUERIES, vectors, 10)
    width = true_scores.shape[1]
    np.testing.assert_allclose(scores[:, :width], true_scores, atol=1e-6)
    np.testing.assert_array_equal(found[:, :width], located[rows])
    assert index.verify() == []


def expect_search_only(
    index: CorpusIndex, documents: list[Document], vectors: npt.NDArray[np.float32]
) -> None:
    _, places = index.search(QUERIES, 5)
    _, rows = brute_force(QUERIES, vectors, 5)
    assert index.documents(places[0]) == [documents[row] for row in rows[0]]


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
