"""From a corpus to an index: encode in blocks, resume after a kill, add to what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Literal, get_args

from kosim.encoders.bundle import name_of
from kosim.encoders.dimensions import check_dimensions, shortened
from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import (
    ConfigError,
    DataError,
    KosimError,
)
from kosim.encoders.interface import SentenceEncoder
from kosim.encoders.storage import check_output
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.index_encoder import check_bi, check_encoder, check_opened
from kosim.index.store.block import Block, Columns
from kosim.index.store.identifiers import GrowingIdTable, hash_ids
from kosim.index.store.spool import Spool, SpoolSettings
from kosim.index.vectors.stored import VectorType
from kosim.index.vectors.vector_index import IndexType, check_vector_type

BLOCK = 8_192
"""Documents encoded at a time: sorted by length they need little padding, and a kill loses at
most these."""

ATOMIC = 16 * BLOCK
"""Documents that `extend_index` commits at a time: up to so many are added all or not at all."""

_TYPES = ("auto", *get_args(IndexType))


@dataclass(frozen=True)
class BuildProgress:
    """How far a build is: ``documents`` are encoded, ``resumed`` of them by an earlier run."""

    documents: int
    resumed: int


Report = Callable[[BuildProgress], None]


def build_index(
    corpus: Iterable[Document | str],
    encoder: SentenceEncoder,
    folder: str | Path,
    *,
    type: IndexType | Literal["auto"] = "auto",
    vectors: VectorType = "fp32",
    dimensions: int | None = None,
    name: str | None = None,
    overwrite: bool = False,
    progress: Report | None = None,
    block_size: int = BLOCK,
) -> CorpusIndex:
    """Encode a corpus and write its index, in bounded memory.

    What is encoded is kept in ``<folder>.building`` until the index is there. After a kill the
    same call goes on where the last one stopped: it reads the corpus again, checks that it is
    the same, and encodes what is missing.

    Args:
        corpus: documents with unique ids, such as `read_corpus` yields, or texts, whose ids are
            their numbers from 1.
        encoder: makes the vectors.
        folder: where the index goes.
        type: of the vector index; "auto" chooses by size.
        vectors: how vectors are stored: in 4, 2 or 1 byte a component.
        dimensions: the first ones of the encoder's vectors that are kept; all when None.
        name: where the encoder can be loaded from; its artifact folder by default.
        overwrite: replace an index that is there, once the new one is whole.
        progress: called after every block.
        block_size: documents encoded at a time.

    Raises:
        ConfigError: a type is unknown, the block size is below 1, or the encoder does not have so
            many dimensions.
        DataError: the corpus is empty, was changed since an unfinished build, or holds a bad text
            or an id twice.
        StorageError: the folder exists, or cannot be written, or an unfinished build with
            another encoder is in the way.
        IndexLockedError: another process is building the same index.
    """
    check_opened(encoder=encoder)
    folder = Path(folder)
    check_build(folder, type, vectors, block_size, overwrite=overwrite)
    identity = identify(encoder, name, dimensions)
    building = folder.with_name(f"{folder.name}.building")
    with Spool.opened(building, spool_settings(encoder, identity, block_size)) as spool:
        checked = _checked(_numbered(corpus), block_size)
        filled = _fill(spool, checked, encoder, unique=True, progress=progress)
        if not filled.documents:
            spool.remove()
            raise DataError("the corpus is empty; an index needs at least one document")
        index = CorpusIndex.create_from_blocks(
            folder,
            identity,
            spool.blocks(filled.blocks),
            type=type,
            vectors=vectors,
            overwrite=overwrite,
        )
        spool.remove()
    return index


def extend_index(
    index: CorpusIndex,
    corpus: Iterable[Document],
    encoder: SentenceEncoder,
    *,
    on_duplicate: Literal["refuse", "replace"] = "refuse",
    progress: Report | None = None,
    timeout: float = 10.0,
    block_size: int = BLOCK,
) -> int:
    """Encode documents and add them to an index.

    The whole corpus is read, encoded and checked before the first document is added. Up to
    `ATOMIC` documents are added all or not at all; of more, if adding fails on the way, what was
    added before stays, and the message says how many. Meanwhile the vectors of a corpus of
    several blocks lie in ``<index>.adding``.

    Args:
        index: where to add.
        corpus: the documents.
        encoder: the one that made the index, in any precision.
        on_duplicate: what to do with an id that is in the index, or came earlier in the corpus:
            refuse the corpus, or let the later document replace the earlier.
        progress: called after every encoded block.
        timeout: seconds to wait for another writer of the index.
        block_size: documents encoded at a time.

    Returns:
        The number of documents of the corpus.

    Raises:
        ConfigError: ``on_duplicate`` is unknown.
        CorpusIndexError: the index was made with another encoder.
        DataError: the corpus is empty, holds a bad text or an id twice, or one that is there.
        StorageError: the disk is full or cannot be written.
        IndexLockedError: another process is writing the index.
    """
    if on_duplicate not in ("refuse", "replace"):
        raise ConfigError(f"on_duplicate is {on_duplicate!r}; choose refuse or replace")
    check_opened(index=index, encoder=encoder)
    check_encoder(index, encoder)
    unique = on_duplicate == "refuse"
    checked = _checked(corpus, block_size)
    first = next(checked, None)
    if first is None:
        raise DataError("the corpus is empty; there is nothing to add")
    second = next(checked, None)
    if second is None:
        if unique:
            _check_unique(first, GrowingIdTable(), None)
        block = encoded(first, encoder, index.encoder.dimension)
        if progress:
            progress(BuildProgress(len(first), 0))
        index.add_block(block, on_duplicate=on_duplicate, timeout=timeout)
        return len(first)
    adding = index.folder.with_name(f"{index.folder.name}.adding")
    settings = spool_settings(encoder, index.encoder, block_size)
    with Spool.opened(adding, settings) as spool:
        spool.discard()
        try:
            every = chain([first, second], checked)
            filled = _fill(spool, every, encoder, unique=unique, progress=progress)
            if unique:
                _check_absent(index, spool, filled)
            _add(index, spool, filled, on_duplicate, timeout)
        finally:
            spool.remove()
    return filled.documents


def check_build(folder: Path, type: str, vectors: str, block_size: int, *, overwrite: bool) -> None:
    """Check what can be wrong with a build before anything is encoded.

    Raises:
        ConfigError: a type is unknown, or the block size below 1.
        StorageError: the folder exists and is not to be overwritten, or it cannot be written.
    """
    if type not in _TYPES:
        raise ConfigError(f"index type {type!r} is unknown; choose from {', '.join(_TYPES)}")
    check_vector_type(vectors)
    if block_size < 1:
        raise ConfigError(f"block_size is {block_size}; give at least 1 document")
    check_output(folder, overwrite=overwrite)


def identify(
    encoder: SentenceEncoder, name: str | None = None, dimensions: int | None = None
) -> EncoderIdentity:
    """Return what an index remembers of its encoder; ``name`` is its artifact folder by default.

    A bundled encoder is remembered by its name: it is in every installation, at another path.

    Raises:
        ConfigError: it is a cross-encoder, or does not have so many ``dimensions``.
    """
    check_bi(encoder)
    name = name or str(encoder.backbone.path.resolve())
    return EncoderIdentity(
        fingerprint=encoder.fingerprint(),
        name=name_of(name),
        dimension=check_dimensions(encoder, dimensions),
    )


def spool_settings(
    encoder: SentenceEncoder, identity: EncoderIdentity, block_size: int
) -> SpoolSettings:
    """Return what all encoded blocks of a build have in common."""
    return SpoolSettings(
        fingerprint=identity.fingerprint,
        precision=encoder.precision,
        encoder=identity.name,
        dimension=identity.dimension,
        block_size=block_size,
    )


def _numbered(corpus: Iterable[Document | str]) -> Iterator[Document]:
    """Yield documents, and texts with their number in the corpus as id."""
    for number, one in enumerate(_members(corpus), 1):
        yield Document(str(number), one) if isinstance(one, str) else one


def _members(corpus: Iterable[Document | str]) -> Iterable[Document | str]:
    if isinstance(corpus, str | Path):
        raise DataError(f"the corpus is {str(corpus)[:40]!r}; read a file with read_corpus first")
    if hasattr(corpus, "columns") or isinstance(corpus, Mapping):
        raise DataError("the corpus is a table; give its column of texts")
    return corpus


def _checked(corpus: Iterable[Document], size: int) -> Iterator[Columns]:
    _members(corpus)
    documents = iter(corpus)
    while some := list(islice(documents, size)):
        yield Columns.checked(some)


def encoded(columns: Columns, encoder: SentenceEncoder, dimensions: int) -> Block:
    """Return documents with their vectors, of so many dimensions."""
    return Block.of(columns, shortened(encoder.encode(columns.texts), dimensions), dimensions)


@dataclass(frozen=True)
class _Filled:
    """How many blocks and documents of a corpus a spool holds."""

    blocks: int
    documents: int


def _fill(
    spool: Spool,
    checked: Iterable[Columns],
    encoder: SentenceEncoder,
    *,
    unique: bool,
    progress: Report | None,
) -> _Filled:
    """Encode what the spool lacks and return what it holds."""
    seen = GrowingIdTable()
    total = resumed = count = 0
    for number, columns in enumerate(checked):
        if unique:
            _check_unique(columns, seen, spool)
        if spool.holds(number, columns):
            resumed += len(columns)
        else:
            spool.write(number, encoded(columns, encoder, spool.settings.dimension))
        total += len(columns)
        count = number + 1
        if progress:
            progress(BuildProgress(total, resumed))
    if spool.finished > count:
        raise DataError(
            f"the corpus was changed since {spool.folder} was begun: it ends after {total:,} "
            "documents, and more are encoded; restore it, or remove that folder to start again"
        )
    return _Filled(count, total)


def _check_unique(columns: Columns, seen: GrowingIdTable, spool: Spool | None) -> None:
    """Check the ids of the next documents against each other and those ``seen``; see them."""
    repeated = columns.repeated_id()
    if repeated is not None:
        raise _twice(repeated)
    hashes = hash_ids(columns.ids)
    for number, row in seen.candidates(hashes):
        if spool is not None and spool.id(row) == columns.ids[number]:
            raise _twice(columns.ids[number])
    seen.add(hashes)


def _twice(id: str) -> DataError:
    return DataError(f"id {id!r} appears twice in the corpus; give every document an id of its own")


def _check_absent(index: CorpusIndex, spool: Spool, filled: _Filled) -> None:
    index.refresh()
    for block in spool.blocks(filled.blocks):
        for id, row in zip(block.ids, index.locate(block.ids).tolist(), strict=True):
            if row >= 0:
                raise DataError(
                    f"id {id!r} is in {index.folder} already; nothing was added: replace it "
                    "(on_duplicate='replace') or give another id"
                )


def _add(
    index: CorpusIndex,
    spool: Spool,
    filled: _Filled,
    on_duplicate: Literal["refuse", "replace"],
    timeout: float,
) -> None:
    """Add all blocks of the spool, as many at a time as `ATOMIC` allows."""
    together = max(1, ATOMIC // spool.settings.block_size)
    added = 0
    blocks = spool.blocks(filled.blocks)
    while some := list(islice(blocks, together)):
        block = Block.joined(some)
        try:
            index.add_block(block, on_duplicate=on_duplicate, timeout=timeout)
        except KosimError as error:
            if not added:
                raise
            raise type(error)(
                f"{error}; the first {added:,} of {filled.documents:,} documents had been added "
                "and stay"
            ) from error
        added += len(block)
