"""An index out of a FAISS file and its texts, and back.

The file is plain FAISS: its row n is the vector of the n-th text. Vectors are unit vectors and are
compared by inner product.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np

from kosim.encoders.dimensions import shortened
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.interface import SentenceEncoder
from kosim.encoders.storage import atomic_file, check_output
from kosim.index.build import BLOCK, BuildProgress, Report, check_build, identify
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.store.block import Block, Columns, FloatArray
from kosim.index.vectors.stored import VectorType, write_stored
from kosim.index.vectors.vector_index import IndexType

LEAST_COSINE = 0.98
"""Of a vector and of its text encoded now: half precision and int8 stay above, other models not."""

_COMPARED = 8
_LINES = (".jsonl", ".ndjson")


def import_faiss(
    path: str | Path,
    corpus: Iterable[Document],
    encoder: SentenceEncoder,
    folder: str | Path,
    *,
    type: IndexType | Literal["auto"] = "auto",
    vectors: VectorType = "fp32",
    dimensions: int | None = None,
    name: str | None = None,
    overwrite: bool = False,
    progress: Report | None = None,
) -> CorpusIndex:
    """Write the index of vectors that a FAISS file holds, in bounded memory.

    Args:
        path: a FAISS index of n unit vectors compared by inner product, of any type that gives its
            vectors back.
        corpus: n documents, in the order of the vectors.
        encoder: the one that made the vectors; the first texts are encoded to check that.
        folder: where the index goes.
        type: of the vector index, whatever the FAISS file was; "auto" chooses by size.
        vectors: how they are stored, whatever the FAISS file was.
        dimensions: the first ones of the encoder's vectors that the file has; all when None.
        name: where the encoder can be loaded from; its artifact folder by default.
        overwrite: replace an index that is there, once the new one is whole.
        progress: called after every block.

    Raises:
        ConfigError: the type is unknown.
        DataError: the file is not a FAISS index, compares otherwise, is of another dimension, or
            has vectors that are not of length 1 or not the encoder's; or the corpus is empty, has
            another number of documents, a bad text or an id twice.
        StorageError: the folder exists or cannot be written.
        IndexLockedError: another process is building the same index.
    """
    path, folder = Path(path), Path(folder)
    check_build(folder, type, vectors, BLOCK, overwrite=overwrite)
    identity = identify(encoder, name, dimensions)
    _whole, stored = _opened(path, identity.dimension)
    return CorpusIndex.create_from_blocks(
        folder,
        identity,
        _blocks(path, stored, corpus, encoder, progress),
        type=type,
        vectors=vectors,
        overwrite=overwrite,
    )


def export_faiss(
    index: CorpusIndex, path: str | Path, texts: str | Path, *, overwrite: bool = False
) -> int:
    """Write the documents of an index as a flat FAISS index and lines of JSON, in bounded memory.

    Row n of the FAISS index is the float32 vector of line n of the texts, of length 1. A line holds
    ``id``, ``text`` and the document's other values.

    Args:
        index: what to write; removed documents are left out.
        path: the FAISS file, an ``IndexFlatIP``.
        texts: a file with the suffix ``.jsonl`` or ``.ndjson``.
        overwrite: replace files that are there.

    Returns:
        The number of documents.

    Raises:
        ConfigError: ``texts`` has another suffix.
        DataError: a document has a value called ``id`` or ``text`` besides its own.
        StorageError: a file exists or cannot be written.
    """
    path, texts = Path(path), Path(texts)
    if texts.suffix.lower() not in _LINES:
        raise ConfigError(f"{texts} takes lines of JSON; give it the suffix {' or '.join(_LINES)}")
    for one in (path, texts):
        check_output(one, overwrite=overwrite)
    snapshot = index.snapshot
    rows = snapshot.rows()
    parts = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    with atomic_file(path) as vectors_file, atomic_file(texts) as texts_file:
        shape = (len(rows), index.encoder.dimension)
        write_stored(vectors_file, shape, (snapshot.vectors(part) for part in parts))
        with texts_file.open("w", encoding="utf-8", newline="\n") as lines:
            for part in parts:
                lines.writelines(map(_line, snapshot.documents(part)))
        path.unlink(missing_ok=True)  # which would stand beside other texts after a kill
    return len(rows)


def _line(document: Document) -> str:
    if taken := {"id", "text"} & set(document.extra):
        raise DataError(
            f"document {document.id!r} has a value called {min(taken)!r} besides its own; rename it"
        )
    record = {"id": document.id, "text": document.text, **document.extra}
    return json.dumps(record, ensure_ascii=False) + "\n"


def _opened(path: Path, dimension: int) -> tuple[Any, Any]:
    """Return what a FAISS file holds, which must be kept, and what in it gives the vectors back.

    Raises:
        DataError: it cannot be read, or does not hold vectors that can be compared here.
    """
    with suppress(OSError):  # reading says what is wrong
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is not a file; give a FAISS index")  # a pipe would hang
    try:
        stored = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        if not path.is_file():
            raise DataError(f"there is no file {path}; give a FAISS index") from None
        raise DataError(f"{path} is not a FAISS index or is damaged; write it again") from error
    if stored.metric_type != faiss.METRIC_INNER_PRODUCT:
        kind = "the L2 distance" if stored.metric_type == faiss.METRIC_L2 else "another metric"
        raise DataError(
            f"{path} compares by {kind}, and kosim by the inner product; build an IndexFlatIP of "
            "its vectors"
        )
    if stored.d != dimension:
        raise DataError(
            f"{path} has vectors of dimension {stored.d}, not {dimension}; give the encoder that "
            "made them, and the dimensions where they were cut"
        )
    inner = stored
    if isinstance(stored, faiss.IndexIDMap):
        ids = faiss.vector_to_array(stored.id_map)
        if not np.array_equal(ids, np.arange(len(ids))):
            raise DataError(
                f"{path} has ids of its own, which are not 0 to {len(ids) - 1:,} in order; write "
                "its vectors without them, in the order of the texts"
            )
        inner = faiss.downcast_index(stored.index)
    if isinstance(inner, faiss.IndexIVF):
        inner.make_direct_map()
    return stored, inner


def _blocks(
    path: Path,
    stored: Any,
    corpus: Iterable[Document],
    encoder: SentenceEncoder,
    progress: Report | None,
) -> Iterator[Block]:
    """Yield documents with their vectors, checked.

    Raises:
        DataError: their numbers differ, or one cannot be stored, or is not the encoder's.
    """
    documents = iter(corpus)
    total = int(stored.ntotal)
    for start in range(0, total, BLOCK):
        wanted = min(BLOCK, total - start)
        chosen = list(islice(documents, wanted))
        if len(chosen) < wanted:
            raise DataError(_other_number(path, total, f"{start + len(chosen):,}"))
        try:
            vectors = stored.reconstruct_n(start, wanted)
        except RuntimeError as error:
            raise DataError(
                f"{path} does not give its vectors back; write them as an IndexFlatIP"
            ) from error
        block = Block.of(Columns.checked(chosen), vectors, int(stored.d))
        if start == 0:
            _check_encoder(path, block, encoder)
        yield block
        if progress is not None:
            progress(BuildProgress(start + wanted, 0))
    if next(documents, None) is not None:
        raise DataError(_other_number(path, total, f"more than {total:,}"))


def _other_number(path: Path, vectors: int, texts: str) -> str:
    return (
        f"{path} has {vectors:,} vectors, and the texts are {texts}; give the text of each vector"
    )


def _check_encoder(path: Path, block: Block, encoder: SentenceEncoder) -> None:
    texts = block.texts[:_COMPARED]
    encoded: FloatArray = shortened(encoder.encode(texts), block.vectors.shape[1])
    cosines = np.einsum("ij,ij->i", encoded, block.vectors[: len(texts)])
    worst = int(cosines.argmin())
    if cosines[worst] < LEAST_COSINE:
        raise DataError(
            f"{path}: vector {worst} and that of its text, {texts[worst][:40]!r}, have the cosine "
            f"{cosines[worst]:.3f}; give the encoder that made the vectors, and the texts in their "
            "order"
        )
