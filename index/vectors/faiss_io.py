"""FAISS indexes as files: written whole, and mapped with what they hold checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from kosim.encoders.durable_file import DurableFile
from kosim.encoders.errors import CorpusIndexError, StorageError

Progress = Callable[[int], None]
"""Called with the number of rows that are done."""


def add_in_blocks(
    index: faiss.Index,
    vectors: npt.NDArray[np.float32],
    block: int,
    progress: Progress | None,
    prepare: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]] | None = None,
) -> None:
    """Add all rows of ``vectors`` as ``prepare`` makes them, with one block in memory."""
    for start in range(0, len(vectors), block):
        part = vectors[start : start + block]
        index.add(np.ascontiguousarray(part if prepare is None else prepare(part)))
        if progress is not None:
            progress(min(start + block, len(vectors)))


def map_index(path: Path, rows: int, dimension: int) -> faiss.Index:
    """Map a FAISS file and check that it holds what was promised.

    Raises:
        CorpusIndexError: it cannot be read, or has other rows, another dimension or metric.
    """
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise CorpusIndexError(
            f"{path} cannot be read ({_reason(error)}): it is cut short or damaged; build the "
            "index again or restore the file"
        ) from error
    promised = (rows, dimension, faiss.METRIC_INNER_PRODUCT)
    found = (index.ntotal, index.d, index.metric_type)
    if found != promised:
        raise CorpusIndexError(
            f"{path} holds {index.ntotal} vectors of dimension {index.d} where {rows} of "
            f"dimension {dimension} and the inner product were expected; build the index again "
            "or restore the file"
        )
    return index


def expect_kind(index: faiss.Index, kind: type[faiss.Index], path: Path) -> None:
    """Refuse a FAISS file that holds another kind of index.

    Raises:
        CorpusIndexError: it does.
    """
    if type(index) is not kind:
        raise CorpusIndexError(
            f"{path} holds a FAISS {type(index).__name__}, not a {kind.__name__}; build the index "
            "again or restore the file"
        )


def write_index(index: faiss.Index, path: Path) -> None:
    """Write a FAISS index to a file.

    Raises:
        StorageError: it could not be written whole, or FAISS refused to write it.
    """
    try:
        with DurableFile(path) as file:
            faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    except RuntimeError as error:
        raise StorageError(f"cannot write {path}: {_reason(error)}") from error


def _reason(error: RuntimeError) -> str:
    """Return the last part of FAISS's message, without its C++ signatures."""
    return str(error).strip().rpartition("Error: ")[2].splitlines()[0][:200]
