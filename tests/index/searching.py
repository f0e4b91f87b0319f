"""A corpus, queries, and a way to index them for tests of searching."""

from __future__ import annotations

from pathlib import Path

from kosim.encoders.bi import BiEncoder
from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from tests.encoders.tiny import labelled_pairs

TEXTS = list(dict.fromkeys(labelled_pairs(30, seed=3).sentence1))
QUERIES = list(labelled_pairs(3, seed=8).sentence2)
DOCUMENTS = [Document(f"d{row}", text, {"row": row}) for row, text in enumerate(TEXTS)]


def make_index(folder: Path, bi: BiEncoder, documents: list[Document]) -> CorpusIndex:
    identity = EncoderIdentity(bi.fingerprint(), "tiny-bi", bi.dimension)
    vectors = bi.encode([document.text for document in documents])
    return CorpusIndex.create(folder, identity, [(documents, vectors)])
