"""Which documents a term stands in, how often, and how long the documents are.

The postings of all terms stand one after the other in two arrays, the terms in the order of their
bytes in a third: a compressed sparse matrix by columns. In a file of each they are mapped, so that
opening costs nothing per term, and looking a term up is a binary search. Building needs the
vocabulary, and 24 bytes a posting at its peak; no text is held.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from kosim.encoders.errors import CorpusIndexError
from kosim.encoders.storage import sha256, write_json

MANIFEST = "manifest.json"
_FORMAT = 1

Integers = npt.NDArray[np.int32]

_ARRAYS: dict[str, Any] = {
    "terms": np.uint8,
    "term_ends": np.int64,
    "posting_ends": np.int64,
    "rows": np.int32,
    "frequencies": np.int32,
    "lengths": np.int32,
}


class _Chunk(NamedTuple):
    """Some postings of documents in order: term number, row and frequency of each, (n,) each."""

    terms: Integers
    rows: Integers
    frequencies: Integers


class Postings:
    """The postings of a set of documents; never modified.

    ``rows`` and ``frequencies`` hold for each term the documents that have it, ascending, and how
    often they do; ``lengths`` (n,) is the number of terms of each document, with repetitions.
    Make it with :meth:`build`, :meth:`merge` or :meth:`open`.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self._arrays = arrays
        self._terms = np.asarray(arrays["terms"]).data
        self._term_ends = np.asarray(arrays["term_ends"]).data
        self._posting_ends = np.asarray(arrays["posting_ends"]).data
        # As plain arrays: every slice of a np.memmap costs microseconds more.
        self.rows: Integers = np.asarray(arrays["rows"])
        self.frequencies: Integers = np.asarray(arrays["frequencies"])
        self.lengths: Integers = np.asarray(arrays["lengths"])
        self.total_length = int(self.lengths.sum(dtype=np.int64))

    @classmethod
    def build(
        cls,
        batches: Iterable[Iterable[Sequence[str]]],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Self:
        """Build from the terms of documents, given batch by batch.

        ``progress`` is called after each batch with the number of its documents.
        """
        vocabulary: dict[str, int] = {}
        chunks: list[_Chunk] = []
        lengths: list[Integers] = [np.zeros(0, dtype=np.int32)]
        start = 0
        for batch in batches:
            numbers: list[int] = []
            sizes: list[int] = []
            for terms in batch:
                numbers.extend(vocabulary.setdefault(term, len(vocabulary)) for term in terms)
                sizes.append(len(terms))
            counts = np.array(sizes, dtype=np.int32)
            chunks.append(_counted(np.array(numbers, dtype=np.int64), counts, start))
            lengths.append(counts)
            start += len(sizes)
            if progress is not None:
                progress(len(sizes))
        encoded = [term.encode("utf-8", "surrogatepass") for term in vocabulary]
        return cls(_assemble(encoded, chunks, np.concatenate(lengths)))

    @classmethod
    def merge(cls, parts: Sequence[Postings]) -> Self:
        """Return the postings of the documents of all parts, those of the first part first."""
        vocabulary: dict[bytes, int] = {}
        chunks: list[_Chunk] = []
        start = 0
        for part in parts:
            numbers = [vocabulary.setdefault(term, len(vocabulary)) for term in part]
            ends = np.asarray(part._posting_ends, dtype=np.int64)
            terms = np.repeat(np.array(numbers, dtype=np.int32), np.diff(ends, prepend=0))
            chunks.append(_Chunk(terms, part.rows + np.int32(start), part.frequencies))
            start += len(part.lengths)
        lengths = [np.zeros(0, dtype=np.int32), *(part.lengths for part in parts)]
        return cls(_assemble(list(vocabulary), chunks, np.concatenate(lengths)))

    def __len__(self) -> int:
        """Return the number of distinct terms."""
        return len(self._term_ends)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the terms in order, UTF-8."""
        return map(self._term, range(len(self)))

    def _term(self, number: int) -> bytes:
        start = self._term_ends[number - 1] if number else 0
        return self._terms[start : self._term_ends[number]].tobytes()

    def find(self, term: str) -> slice:
        """Return where in ``rows`` and ``frequencies`` the term's postings are; empty if none."""
        wanted = term.encode("utf-8", "surrogatepass")
        number = bisect_left(range(len(self)), wanted, key=self._term)
        if number == len(self) or self._term(number) != wanted:
            return slice(0, 0)
        return slice(self._posting_ends[number - 1] if number else 0, self._posting_ends[number])

    def write(self, folder: Path, *, analyzer: str, generation: int) -> None:
        """Write the files into an existing folder, the manifest last.

        ``analyzer`` is the version of what made the terms; ``generation`` that of the index.
        """
        files: dict[str, dict[str, Any]] = {}
        for name, array in self._arrays.items():
            path = folder / f"{name}.npy"
            np.save(path, array, allow_pickle=False)
            files[path.name] = {"size": path.stat().st_size, "sha256": sha256(path)}
        manifest = {
            "format": _FORMAT,
            "analyzer": analyzer,
            "generation": generation,
            "rows": len(self.lengths),
            "files": files,
        }
        write_json(folder / MANIFEST, manifest)

    @classmethod
    def open(cls, folder: Path, *, analyzer: str, rows: int) -> Self:
        """Map the files of a folder.

        Raises:
            CorpusIndexError: they are not there, not whole, of another version of the analyser, or
                not of ``rows`` documents; they can be built again.
        """
        try:
            files = _checked_files(folder, analyzer=analyzer, rows=rows)
            arrays = {name: _mapped(folder, name, files) for name in _ARRAYS}
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
            raise CorpusIndexError(f"the postings in {folder} cannot be used: {error}") from error
        _check_ends(folder, "term", arrays["term_ends"], len(arrays["terms"]))
        _check_ends(folder, "posting", arrays["posting_ends"], len(arrays["rows"]))
        sizes = {name: len(array) for name, array in arrays.items()}
        if (
            sizes["lengths"] != rows
            or sizes["term_ends"] != sizes["posting_ends"]
            or sizes["rows"] != sizes["frequencies"]
        ):
            raise CorpusIndexError(f"the postings in {folder} contradict each other: {sizes}")
        return cls(arrays)


def read_generation(folder: Path) -> int | None:
    """Return the generation of the index at which postings were written; None if unreadable."""
    try:
        return int(json.loads((folder / MANIFEST).read_bytes())["generation"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None


def damaged_files(folder: Path) -> list[str]:
    """Compare the files with their checksums; return what is wrong, empty when sound."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return [
            f"{folder / name} does not have the checksum of its manifest"
            for name in (f"{array}.npy" for array in _ARRAYS)
            if sha256(folder / name) != files[name]["sha256"]
        ]
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        return [f"the postings in {folder} cannot be read: {error}"]


def _checked_files(folder: Path, *, analyzer: str, rows: int) -> dict[str, Any]:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    expected = {"format": _FORMAT, "analyzer": analyzer, "rows": rows}
    for key, value in expected.items():
        if manifest[key] != value:
            raise ValueError(f"their {key} is {manifest[key]!r}, wanted is {value!r}")
    return dict(manifest["files"])


def _mapped(folder: Path, name: str, files: dict[str, Any]) -> npt.NDArray[Any]:
    path = folder / f"{name}.npy"
    if path.is_symlink() or path.stat().st_size != files[path.name]["size"]:
        raise ValueError(f"{path.name} does not have the size that the manifest says")
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.dtype != _ARRAYS[name] or array.ndim != 1:
        raise ValueError(f"{path.name} holds {array.dtype} of shape {array.shape}")
    return array


def _check_ends(folder: Path, name: str, ends: npt.NDArray[np.int64], size: int) -> None:
    last = int(ends[-1]) if len(ends) else 0
    if last != size or np.any(np.diff(ends, prepend=0) < 0):
        raise CorpusIndexError(f"the postings in {folder} contradict each other: {name}_ends")


def _counted(numbers: npt.NDArray[np.int64], counts: Integers, start: int) -> _Chunk:
    """Count equal term numbers within each document; ``counts`` says how many each one has."""
    documents = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    # One number stands for document and term; documents stay in order.
    size = int(numbers.max(initial=0)) + 1
    keys, frequencies = np.unique(documents * size + numbers, return_counts=True)
    rows, terms = np.divmod(keys, size)
    return _Chunk(
        terms.astype(np.int32), (rows + start).astype(np.int32), frequencies.astype(np.int32)
    )


def _assemble(
    terms: list[bytes], chunks: list[_Chunk], lengths: Integers
) -> dict[str, npt.NDArray[Any]]:
    """Bring postings from the order of documents into that of terms: a stable counting sort.

    ``chunks`` is emptied on the way, so that its memory is free when the result is whole.
    """
    order = sorted(range(len(terms)), key=terms.__getitem__)
    ranks = np.empty(len(terms), dtype=np.int32)
    ranks[order] = np.arange(len(terms), dtype=np.int32)
    totals = np.zeros(len(terms), dtype=np.int64)
    for chunk in chunks:
        totals += np.bincount(chunk.terms, minlength=len(terms))
    totals = totals[order]
    ends = np.cumsum(totals)
    free = ends - totals
    rows = np.empty(int(totals.sum()), dtype=np.int32)
    frequencies = np.empty_like(rows)
    chunks.reverse()
    while chunks:
        chunk = chunks.pop()
        ranked = ranks[chunk.terms]
        by_term = np.argsort(ranked, kind="stable")
        present, first, count = np.unique(ranked[by_term], return_index=True, return_counts=True)
        places = np.arange(len(by_term)) + np.repeat(free[present] - first, count)
        rows[places] = chunk.rows[by_term]
        frequencies[places] = chunk.frequencies[by_term]
        free[present] += count
    return {
        "terms": np.frombuffer(b"".join(terms[i] for i in order), dtype=np.uint8),
        "term_ends": np.cumsum([len(terms[i]) for i in order], dtype=np.int64),
        "posting_ends": ends,
        "rows": rows,
        "frequencies": frequencies,
        "lengths": lengths,
    }
