"""Vectors on disk as float32, float16 or a byte a component, each a plain FAISS file."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, cast

import faiss
import numpy as np
import numpy.typing as npt

from kosim.encoders.durable_file import DurableFile
from kosim.encoders.errors import CorpusIndexError
from kosim.index.vectors.faiss_io import Progress, map_index

VectorType = Literal["fp32", "fp16", "int8"]
"""How a component of a stored vector is kept: 4, 2 or 1 byte."""

FILE = "vectors.faiss"
BLOCK = 8192
COMPONENT_BYTES: dict[VectorType, int] = {"fp32": 4, "fp16": 2, "int8": 1}

Ranges = npt.NDArray[np.float32]
"""(2, d): the smallest value of each component, and the width of its range."""

QUANTIZERS = {
    "fp16": faiss.ScalarQuantizer.QT_fp16,
    "int8": faiss.ScalarQuantizer.QT_8bit,
}
_LEVELS = 255


@dataclass(frozen=True)
class Storage:
    """How vectors are to be stored; int8 needs the ``ranges`` of the components."""

    type: VectorType = "fp32"
    ranges: Ranges | None = None


class StoredVectors:
    """A mapped (n, d) matrix, read by copying rows, which are float32 whatever is stored.

    What rounding made longer or shorter has the length 1 again: that finds more of the nearest (of
    100,000 Korean sentences and int8, .992 instead of .988 of ten; a scale for each vector instead
    of a range for each component found .990).

    The vectors inside a FAISS file do not start at a multiple of four bytes, which numpy copies
    whole before it computes with them: the matrix is kept as bytes, and only copies are floats.
    FAISS reads float32 vectors where they are, from ``pointer``, which others do not have.
    """

    def __init__(
        self,
        data: npt.NDArray[np.float32] | npt.NDArray[np.uint8],
        quantizer: faiss.Index = None,
        *,
        rounded: bool = False,
    ) -> None:
        """Wrap a float32 matrix, or with its ``quantizer`` the codes (n, bytes) of one.

        ``rounded``: rows of the matrix were stored rounded, and may have other lengths than 1.
        """
        self._bytes = data.view(np.uint8)
        self._rounded = rounded or quantizer is not None
        self._quantizer = self._owner = quantizer
        self.pointer = faiss.swig_ptr(data) if quantizer is None else None
        self.rows = len(data)
        self.dimension = data.shape[1] if quantizer is None else int(quantizer.d)

    @classmethod
    def of(cls, index: faiss.IndexFlatCodes) -> Self:
        """Return the vectors of an index that keeps them, and keep it: they are its memory."""
        if isinstance(index, faiss.IndexFlatIP):
            if index.ntotal == 0:
                return cls(np.empty((0, index.d), dtype=np.float32))
            floats = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d)
            stored = cls(floats.reshape(index.ntotal, index.d))
            stored._owner = index
            return stored
        size = index.sa_code_size()
        codes = np.empty(0, dtype=np.uint8)
        if index.ntotal:
            codes = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * size)
        return cls(codes.reshape(index.ntotal, size), index)

    @property
    def ranges(self) -> Ranges | None:
        """The ranges of int8 vectors, None of others."""
        if self._quantizer is None or self._quantizer.sq.qtype != QUANTIZERS["int8"]:
            return None
        return faiss.vector_to_array(self._quantizer.sq.trained).reshape(2, self.dimension)

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return copies of the rows, of shape (*rows.shape, d)."""
        return self._units(self.decoded(rows))

    def block(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Return copies of the rows from ``start`` to ``stop``."""
        return self._units(self._floats(self._bytes[start:stop].copy()))

    def decoded(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return rows as they are stored, of any length: written again they are the same bytes."""
        return self._floats(self._bytes.take(rows, axis=0))

    def deviation(self) -> float:
        """Return how far the length of a stored vector is from 1 at most, by reading all."""
        starts = range(0, self.rows, BLOCK)
        blocks = (self._floats(self._bytes[at : at + BLOCK].copy()) for at in starts)
        return max((float(np.abs(_lengths(one) - 1).max()) for one in blocks), default=0.0)

    def _units(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if not self._rounded:
            return vectors
        lengths = np.maximum(_lengths(vectors), np.finfo(np.float32).tiny)[..., None]
        return cast("npt.NDArray[np.float32]", vectors / lengths)

    def _floats(self, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if self._quantizer is None:
            return codes.view(np.float32)
        decoded = self._quantizer.sa_decode(codes.reshape(-1, codes.shape[-1]))
        return cast("npt.NDArray[np.float32]", decoded.reshape(*codes.shape[:-1], self.dimension))


def _lengths(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths: npt.NDArray[np.float32] = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
    return lengths


def set_ranges(index: faiss.IndexScalarQuantizer, ranges: Ranges | None) -> None:
    """Tell a quantizer the ranges of the components, which FAISS calls training."""
    if ranges is not None:
        faiss.copy_array_to_vector(ranges.ravel(), index.sq.trained)
        index.is_trained = True


def ranges_of(
    type: VectorType, vectors: npt.NDArray[np.float32], known: Ranges | None
) -> Ranges | None:
    """Return the ranges that hold all vectors (n, d): None unless they are stored as int8.

    A component whose values lie in its ``known`` range keeps that. So vectors that were int8 and
    are written again, as in a merge, become the same bytes, and lose nothing twice.
    """
    if type != "int8":
        return None
    dimension = vectors.shape[1]
    low, high = np.full((2, dimension), 0, dtype=np.float32)
    if len(vectors):
        starts = range(0, len(vectors), BLOCK)
        low = np.min([vectors[at : at + BLOCK].min(axis=0) for at in starts], axis=0)
        high = np.max([vectors[at : at + BLOCK].max(axis=0) for at in starts], axis=0)
    if known is not None:
        before, width = known
        step = width / _LEVELS
        low = np.where(low < before - step, low, before)
        high = np.where(high > before + width + step, high, before + width)
        kept = (low == before) & (high == before + width)
        return np.stack([low, np.where(kept, width, high - low)]).astype(np.float32)
    return np.stack([low, high - low])


def write_stored(
    path: Path,
    shape: tuple[int, ...],
    blocks: Iterable[npt.NDArray[np.float32]],
    storage: Storage = Storage(),
    progress: Progress | None = None,
) -> None:
    """Write a FAISS file of blocks whose rows together have the ``shape`` (n, d).

    Never more than a block is in memory.

    Raises:
        OSError: it could not be written.
    """
    rows, dimension = shape
    empty = _empty(storage, dimension)
    written = 0
    with DurableFile(path) as file:
        file.write(_header(empty, rows))
        for block in blocks:
            contiguous = np.ascontiguousarray(block)
            file.write((contiguous if storage.type == "fp32" else empty.sa_encode(contiguous)).data)
            written += len(block)
            if progress is not None:
                progress(written)


def in_blocks(vectors: npt.NDArray[np.float32]) -> Iterable[npt.NDArray[np.float32]]:
    """Yield the rows of a matrix that may be mapped, a block at a time."""
    return (vectors[start : start + BLOCK] for start in range(0, len(vectors), BLOCK))


def open_stored(path: Path, rows: int, dimension: int, type: VectorType) -> faiss.IndexFlatCodes:
    """Map a file that `write_stored` wrote.

    Raises:
        CorpusIndexError: it is damaged, or holds other vectors than promised.
    """
    index = map_index(path, rows, dimension)
    expect_stored(index, type, path)
    return index


def expect_stored(index: faiss.Index, type: VectorType, path: Path) -> None:
    """Refuse a FAISS index that keeps its vectors otherwise.

    Raises:
        CorpusIndexError: it does.
    """
    found: str = index.__class__.__name__
    if isinstance(index, faiss.IndexFlatIP):
        found = "fp32"
    elif isinstance(index, faiss.IndexScalarQuantizer):
        names = {code: name for name, code in QUANTIZERS.items()}
        found = names.get(index.sq.qtype, found)
    if found != type:
        raise CorpusIndexError(
            f"{path} holds {found} vectors, not {type}; build the index again or restore the file"
        )


def _empty(storage: Storage, dimension: int) -> faiss.IndexFlatCodes:
    if storage.type == "fp32":
        return faiss.IndexFlatIP(dimension)
    kind = QUANTIZERS[storage.type]
    index = faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT)
    set_ranges(index, storage.ranges)
    return index


def _header(empty: faiss.IndexFlatCodes, rows: int) -> bytes:
    """Return what FAISS writes before the vectors of an index that keeps them.

    It is FAISS's own for an empty index, with the two counts filled in: the rows, which follow
    the four letters of the kind and the dimension, and the size, which comes last: of float32
    vectors in floats, of others in bytes. Opening checks both.
    """
    header = bytearray(faiss.serialize_index(empty).tobytes())
    size = empty.d if isinstance(empty, faiss.IndexFlatIP) else empty.sa_code_size()
    struct.pack_into("<q", header, 8, rows)
    struct.pack_into("<Q", header, len(header) - 8, rows * size)
    return bytes(header)
