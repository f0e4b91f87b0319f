"""Vectors on disk as float32, float16 or a byte a component, each a plain FAISS file."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal, Self, cast

import faiss
import numpy as np
import numpy.typing as npt

from kosim.encoders.durable_file import DurableFile
from kosim.encoders.errors import CorpusIndexError
from kosim.index.vectors.faiss_io import Progress, map_index
from kosim.index.vectors.rotation import turned, turned_alone, turned_back

VectorType = Literal["fp32", "fp16", "int8"]
"""How a component of a stored vector is kept: 4, 2 or 1 byte."""

FILE = "vectors.faiss"
BLOCK = 8192
COMPONENT_BYTES: dict[VectorType, int] = {"fp32": 4, "fp16": 2, "int8": 1}

Ranges = npt.NDArray[np.float32]
"""(2, d): the smallest value of each rotated component, and the width of its range."""

QUANTIZERS = {
    "fp16": faiss.ScalarQuantizer.QT_fp16,
    "int8": faiss.ScalarQuantizer.QT_8bit,
}
_UNIFORM = faiss.ScalarQuantizer.RS_meanstd
_COMPANDED = faiss.ScalarQuantizer.RS_quantiles
"""What a file says of int8 vectors that are rotated, and whether the 256 levels of a component are
equally far apart. Those of kosim 0.2 are not rotated, and say that their ranges are the smallest
and largest values."""
_SPREADS = 4.0
"""Standard deviations from the mean to either end of a range: near the 3.94 at which rounding a
normal distribution to 256 levels costs least (Max 1960, "Quantizing for minimum distortion")."""
_LEVELS = np.array(
    [NormalDist(sigma=3**0.5).inv_cdf((code + 0.5) / 256) for code in range(256)], np.float32
)
"""The levels of companded components, in standard deviations from their mean: as dense as the cube
root of the normal density, which costs half as much as equal steps (Panter & Dite 1951,
"Quantization distortion in pulse-count modulation with nonuniform spacing of levels")."""
_EDGES = (_LEVELS[1:] + _LEVELS[:-1]) / 2
_FARTHEST = 1.5
"""A vector so many times as far from the mean as is usual still fits into the ranges."""
_TOLERANCE = 0.05
"""Share of its width by which a range may be too small for vectors that come again."""


@dataclass(frozen=True)
class Storage:
    """How vectors are to be stored; int8 needs the ``ranges`` of the components.

    ``companded`` int8 vectors are the more exact, but FAISS cannot compare them: they are for who
    reads the vectors of some candidates alone.
    """

    type: VectorType = "fp32"
    ranges: Ranges | None = None
    companded: bool = False

    @property
    def rotated(self) -> bool:
        """Whether vectors are rotated before they are stored."""
        return self.ranges is not None


class StoredVectors:
    """A mapped (n, d) matrix, read by copying rows, which are float32 whatever is stored.

    int8 vectors are rotated before they are rounded: all components then have the same range, and
    what rounding adds to a score is as small in every direction. Of ten nearest among 798,122
    Korean sentences .991 were found again, .994 with companded components, and .988 with the range
    of each component as it comes.
    `score_rows` and `search_exactly` turn their queries alike.

    What rounding made longer or shorter has the length 1 again, which finds more of the nearest.

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
        self.bytewise = quantizer is not None and quantizer.sq.qtype == QUANTIZERS["int8"]
        coding = quantizer.sq.rangestat if self.bytewise else None
        self._rotated = coding in (_UNIFORM, _COMPANDED)
        self.pointer = faiss.swig_ptr(data) if quantizer is None else None
        self.rows = len(data)
        self.dimension = data.shape[1] if quantizer is None else int(quantizer.d)
        self._levels: npt.NDArray[np.float32] | None = None
        if (ranges := self.ranges) is not None and coding == _COMPANDED:
            self._mean, spread = _mean_and_spread(ranges)
            self._levels = spread * _LEVELS

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
        """The ranges of rotated int8 vectors, None of others."""
        if not self._rotated:
            return None
        return faiss.vector_to_array(self._quantizer.sq.trained).reshape(2, self.dimension)

    def turned(self, queries: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return queries (q, d) in the axes of ``take`` and ``block``."""
        return turned_alone(queries) if self._rotated else queries

    def vectors(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return copies of the rows, of shape (*rows.shape, d)."""
        vectors = self.take(rows)
        return turned_back(vectors) if self._rotated else vectors

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return copies of the rows in the axes in which they are stored."""
        return self._units(self._floats(self._bytes.take(rows, axis=0)))

    def block(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Return copies of the rows from ``start`` to ``stop`` in the axes of ``take``."""
        return self._units(self._floats(self._bytes[start:stop].copy()))

    def decoded(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return rows of any length that are the same bytes when they are written again."""
        vectors = self._floats(self._bytes.take(rows, axis=0))
        return turned_back(vectors) if self._rotated else vectors

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
        if self._levels is not None:
            return cast("npt.NDArray[np.float32]", self._levels.take(codes) + self._mean)
        decoded = self._quantizer.sa_decode(codes.reshape(-1, codes.shape[-1]))
        return cast("npt.NDArray[np.float32]", decoded.reshape(*codes.shape[:-1], self.dimension))


def _mean_and_spread(ranges: Ranges) -> tuple[npt.NDArray[np.float32], np.float32]:
    """Return the means (d,) and the standard deviation that ranges were made of."""
    low, width = ranges
    return low + width / 2, width[0] / np.float32(2 * _SPREADS)


def _lengths(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths: npt.NDArray[np.float32] = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
    return lengths


def set_ranges(index: faiss.IndexScalarQuantizer, storage: Storage) -> None:
    """Tell a quantizer the ranges of the components, which FAISS calls training."""
    if storage.ranges is not None:
        faiss.copy_array_to_vector(storage.ranges.ravel(), index.sq.trained)
        index.sq.rangestat = _COMPANDED if storage.companded else _UNIFORM
        index.sq.rangestat_arg = _SPREADS
        index.is_trained = True


def ranges_of(
    type: VectorType, vectors: npt.NDArray[np.float32], known: Ranges | None
) -> Ranges | None:
    """Return the ranges that suit all vectors (n, d): None unless they are stored as int8.

    They are of one width, about the mean of the rotated vectors. What lies outside becomes the end
    of its range, which for the usual vector concerns one component in 16,000.

    The ``known`` ranges are kept where they suit. So vectors that were int8 and are written again,
    as in a merge, become the same bytes, and lose nothing twice.
    """
    if type != "int8":
        return None
    rows, dimension = vectors.shape
    blocks = [vectors[at : at + BLOCK] for at in range(0, rows, BLOCK)]
    mean = sum((one.sum(axis=0, dtype=np.float64) for one in blocks), np.zeros(dimension))
    mean /= max(1, rows)
    squares = [np.square(one - mean).sum(axis=1) for one in blocks] or [np.zeros(1)]
    usual = np.sqrt(np.concatenate(squares).mean())
    farthest = np.sqrt(max(one.max() for one in squares))
    spread = max(usual, farthest / _FARTHEST, np.finfo(np.float32).eps) / np.sqrt(dimension)
    low = turned(mean.astype(np.float32)) - _SPREADS * spread
    width = 2 * _SPREADS * spread
    if known is not None:
        slack = _TOLERANCE * known[1]
        if (low >= known[0] - slack).all() and (low + width <= known.sum(axis=0) + slack).all():
            return known
    return np.stack([low, np.full(dimension, width)]).astype(np.float32)


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
            file.write(_coded(block, storage, empty).data)
            written += len(block)
            if progress is not None:
                progress(written)


def _coded(
    block: npt.NDArray[np.float32], storage: Storage, quantizer: faiss.IndexFlatCodes
) -> npt.NDArray[Any]:
    """Return the rows of a block as they are stored."""
    if storage.type == "fp32":
        return np.ascontiguousarray(block)
    if storage.ranges is None:
        return cast("npt.NDArray[np.uint8]", quantizer.sa_encode(np.ascontiguousarray(block)))
    block = turned(block)
    if not storage.companded:
        return cast("npt.NDArray[np.uint8]", quantizer.sa_encode(block))
    mean, spread = _mean_and_spread(storage.ranges)
    return np.searchsorted(_EDGES, (block - mean) / spread).astype(np.uint8)


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
    set_ranges(index, storage)
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
