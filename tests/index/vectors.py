"""Random unit vectors and documents for the tests of the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.index.documents import Document

DIMENSION = 8
ENCODER = EncoderIdentity(fingerprint="f" * 64, name="runs/bi", dimension=DIMENSION)
_WORDS = ("방이", "넓고", "깨끗해요", "기차가", "늦게", "왔다", "비가", "그치면", "나가자", "음악")


def unit_vectors(
    rows: int, *, dimension: int = DIMENSION, seed: int = 0
) -> npt.NDArray[np.float32]:
    """Return random directions: (rows, dimension) float32 with unit rows."""
    values = np.random.default_rng(seed).standard_normal((rows, dimension))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def some_documents(ids: Sequence[str]) -> list[Document]:
    """Return a document for each id, every third one with extra values."""
    return [
        Document(
            name,
            f"{_WORDS[number % 10]} {_WORDS[(3 * number + 1) % 10]} {name}",
            {"쪽": number, "출처": "시험"} if number % 3 == 0 else {},
        )
        for number, name in enumerate(ids)
    ]


def numbered(count: int, prefix: str = "문서") -> list[str]:
    """Return ``count`` ids."""
    return [f"{prefix}-{number}" for number in range(count)]


def corpus(
    count: int, *, prefix: str = "문서", seed: int = 0, dimension: int = DIMENSION
) -> tuple[list[Document], npt.NDArray[np.float32]]:
    """Return ``count`` documents with their vectors."""
    vectors = unit_vectors(count, seed=seed, dimension=dimension)
    return some_documents(numbered(count, prefix)), vectors


def in_blocks(
    documents: list[Document], vectors: npt.NDArray[np.float32], size: int
) -> Iterator[tuple[list[Document], npt.NDArray[np.float32]]]:
    """Yield documents and vectors in blocks."""
    for start in range(0, len(documents), size):
        yield documents[start : start + size], vectors[start : start + size]


def brute_force(
    queries: npt.NDArray[np.float32], vectors: npt.NDArray[np.float32], k: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the ``k`` best cosines in double precision and their rows, ties by row."""
    scores = queries.astype(np.float64) @ vectors.astype(np.float64).T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), order
