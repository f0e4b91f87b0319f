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
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from kosim.encoders.durable_file import read_array, write_array
from kosim.encoders.errors import CorpusIndexError, MissingExtraError
from kosim.encoders.storage import sha256, write_json

if TYPE_CHECKING:
    from scipy.sparse import csr_array

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


class Postings:
    """The postings of a set of documents; never modified.

    ``rows`` and ``frequencies`` hold for each term the documents that have it, ascending, and how
    often they do; ``lengths`` (n,) is the number of terms of each document, with repetitions.
    Make it with `build`, `merge` or `open`.
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

        Raises:
            MissingExtraError: scipy is not installed.
        """
        _check_scipy()
        from scipy.sparse import csr_array  # takes long to import, and a search needs it not

        vocabulary: dict[str, int] = {}
        counted: list[csr_array] = []
        lengths: list[Integers] = [np.zeros(0, dtype=np.int32)]
        for batch in batches:
            numbers: list[int] = []
            sizes: list[int] = []
            for terms in batch:
                numbers.extend(vocabulary.setdefault(term, len(vocabulary)) for term in terms)
                sizes.append(len(terms))
            occurrences = csr_array(
                (
                    np.ones(len(numbers), dtype=np.int32),
                    np.array(numbers, dtype=np.int32),
                    np.cumsum([0, *sizes]),
                ),
                shape=(len(sizes), len(vocabulary)),
            )
            occurrences.sum_duplicates()
            counted.append(occurrences)
            lengths.append(np.array(sizes, dtype=np.int32))
            if progress is not None:
                progress(len(sizes))
        encoded = [term.encode("utf-8", "surrogatepass") for term in vocabulary]
        return cls(_assembled(encoded, counted, np.concatenate(lengths)))

    @classmethod
    def merge(cls, parts: Sequence[Postings]) -> Self:
        """Return the postings of the documents of all parts, those of the first part first.

        Raises:
            MissingExtraError: scipy is not installed.
        """
        _check_scipy()
        from scipy.sparse import csc_array, csr_array

        vocabulary: dict[bytes, int] = {}
        counted: list[csr_array] = []
        for part in parts:
            numbers = [vocabulary.setdefault(term, len(vocabulary)) for term in part]
            ends = np.concatenate([[0], np.asarray(part._posting_ends, dtype=np.int64)])
            by_document = csc_array(
                (part.frequencies, part.rows, ends), shape=(len(part.lengths), len(part))
            ).tocsr()
            terms = np.array(numbers, dtype=np.int32)[by_document.indices]
            counted.append(
                csr_array(
                    (by_document.data, terms, by_document.indptr),
                    shape=(len(part.lengths), len(vocabulary)),
                )
            )
        lengths = [np.zeros(0, dtype=np.int32), *(part.lengths for part in parts)]
        return cls(_assembled(list(vocabulary), counted, np.concatenate(lengths)))

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
            write_array(path, array)
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


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what postings say of themselves, ``generation`` an integer; empty if unreadable."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return {**manifest, "generation": int(manifest["generation"])}
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return {}


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
    array = read_array(path)
    if array.dtype != _ARRAYS[name] or array.ndim != 1:
        raise ValueError(f"{path.name} holds {array.dtype} of shape {array.shape}")
    return array


def _check_ends(folder: Path, name: str, ends: npt.NDArray[np.int64], size: int) -> None:
    last = int(ends[-1]) if len(ends) else 0
    if last != size or np.any(np.diff(ends, prepend=0) < 0):
        raise CorpusIndexError(f"the postings in {folder} contradict each other: {name}_ends")


def _check_scipy() -> None:
    if find_spec("scipy") is None:
        raise MissingExtraError(
            "indexing words needs scipy, which is not installed: pip install scipy, or build the "
            "index with --lexical where it is"
        )


def _assembled(
    terms: list[bytes], counted: list[csr_array], lengths: Integers
) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of postings by the frequencies of terms in documents.

    Args:
        terms: by number, in any order.
        counted: matrices of consecutive documents by term numbers; the list is emptied on the
            way, so that its memory is free when the result is whole.
        lengths: terms of each document.
    """
    from scipy.sparse import csr_array, vstack

    order = sorted(range(len(terms)), key=terms.__getitem__)
    ranks = np.empty(len(terms), dtype=np.int32)
    ranks[order] = np.arange(len(terms), dtype=np.int32)
    # The first ones were counted when fewer terms were known.
    counted[:] = [
        csr_array(
            (matrix.data, ranks[matrix.indices], matrix.indptr), shape=(matrix.shape[0], len(terms))
        )
        for matrix in counted
    ]
    whole = vstack(counted, format="csr") if counted else csr_array((0, len(terms)), dtype=np.int32)
    counted.clear()
    by_term = whole.tocsc()
    return {
        "terms": np.frombuffer(b"".join(terms[i] for i in order), dtype=np.uint8),
        "term_ends": np.cumsum([len(terms[i]) for i in order], dtype=np.int64),
        "posting_ends": by_term.indptr[1:].astype(np.int64),
        "rows": by_term.indices.astype(np.int32, copy=False),
        "frequencies": by_term.data.astype(np.int32, copy=False),
        "lengths": lengths,
    }
