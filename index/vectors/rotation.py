"""A fixed rotation, after which every component of a vector has about the same spread."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import cast

import faiss
import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


def turned(vectors: Vectors) -> Vectors:
    """Return rotated vectors (n, d): lengths and inner products stay as they are."""
    return cast("Vectors", vectors @ rotation(vectors.shape[-1]).T)


def turned_alone(vectors: Vectors) -> Vectors:
    """Return `turned`, whose last bits here depend on no other vector, for some ten times as long.

    FAISS multiplies vector by vector; the sums of a matrix product depend on its size.
    """
    dimension = vectors.shape[-1]
    given, result = np.ascontiguousarray(vectors), np.empty_like(vectors)
    matrix = faiss.swig_ptr(rotation(dimension))
    for vector, into in zip(given, result, strict=True):
        faiss.fvec_inner_products_ny(
            faiss.swig_ptr(into), faiss.swig_ptr(vector), matrix, dimension, dimension
        )
    return result


def turned_back(vectors: Vectors) -> Vectors:
    """Return what `turned` was given."""
    return cast("Vectors", vectors @ rotation(vectors.shape[-1]))


@lru_cache(maxsize=4)
def rotation(dimension: int) -> Vectors:
    """Return an orthogonal matrix (d, d): random signs, then a discrete cosine transform (DCT-II).

    It takes no place on disk, as it follows from the dimension: the cosines from the formula, the
    signs from SHAKE-128, which is the same everywhere and in every version.
    """
    count = np.arange(dimension)
    cosines = np.cos(np.pi * (count + 0.5) * count[:, None] / dimension)
    cosines[0] /= np.sqrt(2)
    bits = np.frombuffer(hashlib.shake_128(b"kosim").digest(-(-dimension // 8)), np.uint8)
    signs = 1 - 2.0 * np.unpackbits(bits)[:dimension]
    matrix = (np.sqrt(2 / dimension) * cosines * signs).astype(np.float32)
    matrix.flags.writeable = False
    return matrix
