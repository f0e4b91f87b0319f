"""Builds of small indexes, and what the indexes must hold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kosim.encoders.base import FloatArray
from kosim.encoders.bi import BiEncoder
from kosim.index.build import build_index
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from tests.encoders.tiny import WORDS

BLOCK = 8


class Watched(BiEncoder):
    """A bi-encoder that counts what it encodes, and fails before the block of that number."""

    def __init__(self, encoder: BiEncoder, *, fails_at: int | None = None) -> None:
        super().__init__(encoder.model, backbone=encoder.backbone)
        self.encoded: list[str] = []
        self.calls = 0
        self.fails_at = fails_at

    def encode(
        self, texts: Sequence[str], *, batch_size: int = 64, progress: bool = False
    ) -> FloatArray:
        if self.calls == self.fails_at:
            raise KeyboardInterrupt
        self.calls += 1
        self.encoded += texts
        return super().encode(texts, batch_size=batch_size, progress=progress)


def documents(count: int, *, prefix: str = "d", seed: int = 0) -> list[Document]:
    """Return documents of one to six words, with an extra value each."""
    random = np.random.default_rng(seed)
    return [
        Document(f"{prefix}{i}", " ".join(random.choice(WORDS, random.integers(1, 7))), {"n": i})
        for i in range(count)
    ]


CORPUS = documents(30)


def build(
    folder: Path, encoder: BiEncoder, corpus: Sequence[Document] = CORPUS, **options: Any
) -> CorpusIndex:
    return build_index(iter(corpus), encoder, folder, **{"block_size": BLOCK, **options})


def content(index: CorpusIndex) -> tuple[list[Document], FloatArray]:
    places = index.rows()
    return index.documents(places), index.vectors(places)


def assert_holds(index: CorpusIndex, corpus: Sequence[Document], encoder: BiEncoder) -> None:
    """Check documents, and vectors against those of one encoding of everything."""
    found, vectors = content(index)
    assert found == list(corpus)
    wanted = encoder.encode([document.text for document in corpus])
    np.testing.assert_allclose(vectors, wanted, atol=1e-5)
    assert index.verify() == []


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def checksum(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "lock" not in path.name
    }
