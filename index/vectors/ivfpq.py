"""Lists of product quantizer codes (Jégou et al. 2011)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from kosim.encoders.durable_file import DurableFile, read_array
from kosim.encoders.errors import CorpusIndexError
from kosim.index.vectors.inverted_lists import TRAINING_POINTS, ListsFinder, list_count
from kosim.index.vectors.stored import FILE, Storage, StoredVectors, VectorType, in_blocks

VECTORS = "vectors.npy"
"""The file of float32 vectors; others are in the FAISS file that every type has."""
_CENTROIDS = 256
_FLOATS_A_CODE = 4


class IvfpqFinder(ListsFinder):
    """``IndexIVFPQ``. What is compressed is the residual to a list's centre.

    Rotating it first (OPQ) gained nothing at this code size: 0.889 instead of 0.898 of the true 10
    were among 40 candidates.
    """

    minimum_rows = TRAINING_POINTS * _CENTROIDS
    lists = "lists.faiss"
    whole = kind = faiss.IndexIVFPQ
    target = 0.95
    refinement_cost = 1500.0
    centroids = _CENTROIDS

    @classmethod
    def files(cls, type: VectorType) -> tuple[str, ...]:
        """Return the names of both files."""
        return (cls.lists, VECTORS if type == "fp32" else FILE)

    @classmethod
    def empty(cls, rows: int, dimension: int) -> faiss.IndexIVFPQ:
        """Return an index with codes of d / 4 bytes."""
        coarse, inner = faiss.IndexFlatIP(dimension), faiss.METRIC_INNER_PRODUCT
        codes = code_bytes(dimension)
        return faiss.IndexIVFPQ(coarse, dimension, list_count(rows), codes, 8, inner)

    @staticmethod
    def parameters(nprobe: int, selector: faiss.IDSelector | None) -> Any:
        """Return FAISS's parameters of a search."""
        return faiss.SearchParametersIVF(nprobe=nprobe, sel=selector)

    @classmethod
    def write_vectors(
        cls, folder: Path, vectors: npt.NDArray[np.float32], storage: Storage
    ) -> None:
        """Write the vectors that rescore candidates."""
        if storage.type != "fp32":
            super().write_vectors(folder, vectors, storage)
            return
        with DurableFile(folder / VECTORS) as file:
            shape = {"descr": "<f4", "fortran_order": False, "shape": vectors.shape}
            np.lib.format.write_array_header_1_0(file, shape)
            for block in in_blocks(vectors):
                file.write(np.ascontiguousarray(block).data)

    @classmethod
    def open_vectors(
        cls, folder: Path, rows: int, dimension: int, type: VectorType
    ) -> StoredVectors:
        """Map the vectors that rescore candidates."""
        if type != "fp32":
            return super().open_vectors(folder, rows, dimension, type)
        return _map_vectors(folder / VECTORS, rows, dimension)


def code_bytes(dimension: int) -> int:
    """Return the bytes of a compressed vector: a divisor of the dimension, near a quarter."""
    return max(
        size for size in range(1, max(1, dimension // _FLOATS_A_CODE) + 1) if dimension % size == 0
    )


def _map_vectors(path: Path, rows: int, dimension: int) -> StoredVectors:
    try:
        data = read_array(path)
    except (OSError, ValueError) as error:
        raise CorpusIndexError(
            f"{path} cannot be read ({error}): it is cut short or damaged; build the index again "
            "or restore the file"
        ) from error
    if data.shape != (rows, dimension) or data.dtype != np.float32 or not data.flags.c_contiguous:
        raise CorpusIndexError(
            f"{path} holds {data.dtype} of shape {data.shape}, not float32 of shape "
            f"({rows}, {dimension}); build the index again or restore the file"
        )
    return StoredVectors(data)
