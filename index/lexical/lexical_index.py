"""Lexical search of an index: BM25 over the terms of the documents of a snapshot."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from kosim.encoders.errors import ConfigError, CorpusIndexError, StorageError
from kosim.encoders.storage import atomic_folder
from kosim.encoders.texts import as_texts
from kosim.index.lexical.bm25 import Bm25, PostingsPart, WordStatistics
from kosim.index.lexical.morphemes import Analyzer, MorphemeAnalyzer
from kosim.index.lexical.postings import Postings, damaged_files, read_manifest
from kosim.index.lexical.word_parts import WordPartAnalyzer
from kosim.index.ranking import Ranking
from kosim.index.store.snapshot import Part, Snapshot

FOLDER = "lexical"
_LOCK = ".lock"
_BATCH = 1000

Progress = Callable[[int], None]

_log = logging.getLogger(__name__)


class LexicalIndex:
    """BM25 beside the vectors of an index.

    The postings of each immutable segment are stored in ``INDEX/lexical/SEGMENT/``. They are
    derived data, outside of the index's manifest: what is missing, damaged or of another version
    of the analyser is built again. Those of the additions since are kept in memory and only
    grow by what is new. Several threads may search at once, each its own snapshot.

    Args:
        folder: the index.
        analyzer: what turns texts into terms. When None, Kiwi's content morphemes and the parts of
            words; postings that kosim 0.1 stored keep their terms, morphemes alone.

    Raises:
        MissingExtraError: kiwipiepy is not installed.
    """

    def __init__(self, folder: Path, *, analyzer: Analyzer | None = None) -> None:
        self._folder = folder / FOLDER
        self._analyzer = analyzer or _analyzer_of(self._folder)
        self._segments: dict[str, Postings] = {}
        self._delta = _Delta()
        self._generation = 0
        self._prepared_last: tuple[object, list[PostingsPart]] = (None, [])
        self._lock = threading.Lock()
        self.not_stored: str | None = None
        """Why postings that were built last are in this process's memory only; None if stored."""

    def prepare(self, snapshot: Snapshot, *, progress: Progress | None = None) -> None:
        """Build what a snapshot lacks and store it; remove what no generation needs any more.

        Where the folder cannot be written, postings are kept in memory: see ``not_stored``. If
        another process is building, wait for it.

        Args:
            snapshot: of the index.
            progress: called after each batch with the number of sentences analysed so far.

        Raises:
            CorpusIndexError: the index is damaged.
        """
        self._prepared(snapshot, _adding_up(progress))

    def search(
        self,
        snapshot: Snapshot,
        queries: Sequence[str],
        k: int,
        *,
        statistics: WordStatistics | None = None,
    ) -> Ranking:
        """Find the documents of a snapshot that share terms with each query.

        Statistics are those of all its documents together. Removed documents are never
        found, but count in them until the index is compacted, as in Lucene.

        Args:
            snapshot: of the index; rows count within it.
            queries: q texts; one without terms finds nothing.
            k: documents a query, at least 1.
            statistics: those of all shards for these queries, where this index is one of several.

        Returns:
            BM25 scores (q, k) float32 and rows (q, k) int64, best first, ties by the smaller
            row. A document without a term of the query is no hit: the rest is -inf and -1.

        Raises:
            ConfigError: ``k`` is below 1.
            DataError: ``queries`` is one string, or a query is not a string.
            CorpusIndexError: the index or its postings are damaged.
        """
        queries = _checked(queries, k)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        parts = self._prepared(snapshot, None)
        if not queries or not any(len(part.alive) for part in parts):
            return Ranking(scores, rows)
        bm25, terms_of_queries = Bm25(parts, statistics), list(self._analyzer.query_terms(queries))
        try:
            for number, terms in enumerate(terms_of_queries):
                found_scores, found_rows = bm25.search(terms, k)
                scores[number, : len(found_scores)] = found_scores
                rows[number, : len(found_rows)] = found_rows
        except IndexError as error:  # a row beyond the documents
            raise CorpusIndexError(
                f"the postings in {self._folder} are damaged: {error}; delete that folder, it is "
                "built again"
            ) from error
        return Ranking(scores, rows)

    def statistics(self, snapshot: Snapshot, queries: Sequence[str]) -> WordStatistics:
        """Return what other shards must know of this one to search for some texts.

        Raises:
            CorpusIndexError: the index or its postings are damaged.
        """
        terms = [term for terms in self._analyzer.query_terms(queries) for term in terms]
        return Bm25(self._prepared(snapshot, None)).statistics(terms)

    def verify(self, snapshot: Snapshot) -> list[str]:
        """Compare stored postings with their checksums; return what is wrong, empty if sound."""
        folders = [self._folder / part.name for part in snapshot.parts() if part.name]
        return [
            problem for folder in folders if folder.is_dir() for problem in damaged_files(folder)
        ]

    def _prepared(self, snapshot: Snapshot, progress: Progress | None) -> list[PostingsPart]:
        with self._lock:
            version, prepared = self._prepared_last
            if version != snapshot.version:
                prepared = self._parts(snapshot, progress)
                self._prepared_last = snapshot.version, prepared
            return prepared

    def _parts(self, snapshot: Snapshot, progress: Progress | None) -> list[PostingsPart]:
        generation, parts = snapshot.generation, []
        for part in snapshot.parts():
            if part.name is None:
                parts += self._delta.parts(part, generation, self._analyzer, progress)
                continue
            if part.name not in self._segments:
                self._segments[part.name] = self._segment(part, generation, progress)
            parts.append(PostingsPart(self._segments[part.name], part.start, part.alive))
        if generation >= self._generation:
            # Another thread may still search the generation before.
            names = {part.name for part in snapshot.parts()} | snapshot.retired_segments
            self._segments = {
                name: postings for name, postings in self._segments.items() if name in names
            }
            self._remove_others(names, generation)
            self._generation = generation
        return parts

    def _segment(self, part: Part, generation: int, progress: Progress | None) -> Postings:
        """Open the postings of a segment, or build and store them."""
        with suppress(CorpusIndexError):
            return self._open(part)
        with _only_writer(self._folder, wait=True) as refusal:
            # Another process may have built them while this one waited.
            with suppress(CorpusIndexError):
                return self._open(part)
            postings = Postings.build(
                (self._analyzer.terms(texts) for texts in _batches(part)), progress=progress
            )
            _check_rows(part, postings)
            self.not_stored = refusal
            if refusal is None:
                try:
                    with atomic_folder(self._path(part), overwrite=True) as partial:
                        postings.write(
                            partial, analyzer=self._analyzer.version, generation=generation
                        )
                    # Mapped, they can be dropped from memory.
                    return self._open(part)
                except (StorageError, CorpusIndexError) as error:
                    self.not_stored = str(error)
            return postings

    def _path(self, part: Part) -> Path:
        return self._folder / str(part.name)

    def _open(self, part: Part) -> Postings:
        return Postings.open(self._path(part), analyzer=self._analyzer.version, rows=part.rows)

    def _remove_others(self, names: Collection[str | None], generation: int) -> None:
        """Remove the postings of segments that are gone, and what a killed process left.

        A process that has not seen the newest generation keeps its hands off what that one
        stored. Files that another process has mapped stay readable for it.
        """
        if not self._folder.is_dir():
            return
        with _only_writer(self._folder, wait=False) as refusal:
            if refusal is not None:
                return
            for path in sorted(self._folder.iterdir()):
                if path.name.startswith("."):
                    gone = path.name.endswith((".partial", ".retired"))
                else:
                    written = {} if path.name in names else read_manifest(path)
                    gone = bool(written) and written["generation"] <= generation
                if gone:
                    shutil.rmtree(path, ignore_errors=True)


class _Delta:
    """The postings of the documents that are in no segment yet.

    Each update adds a set of postings; sets of about the same size are merged, so that there are
    only ever logarithmically many, and adding costs what is added.
    """

    def __init__(self) -> None:
        self._generation = 0
        self._texts: list[str] = []
        self._sets: list[Postings] = []

    def parts(
        self, part: Part, generation: int, analyzer: Analyzer, progress: Progress | None
    ) -> list[PostingsPart]:
        """Return the postings of a snapshot's documents; only what is new is analysed."""
        texts = [text for batch in part.texts() for text in batch]
        sets, end = self._shared(texts, generation)
        new = texts[end:]
        if new:
            batches = (analyzer.terms(new[i : i + _BATCH]) for i in range(0, len(new), _BATCH))
            sets.append(Postings.build(batches, progress=progress))
            while len(sets) > 1 and len(sets[-2].lengths) <= 2 * len(sets[-1].lengths):
                sets[-2:] = [Postings.merge(sets[-2:])]
        older = generation < self._generation or (
            generation == self._generation and texts == self._texts[: len(texts)]
        )
        if not older or len(texts) == len(self._texts):
            self._generation, self._texts, self._sets = generation, texts, sets
        parts, row = [], 0
        for postings in sets:
            end = row + len(postings.lengths)
            parts.append(PostingsPart(postings, part.start + row, part.alive[row:end]))
            row = end
        return parts

    def _shared(self, texts: list[str], generation: int) -> tuple[list[Postings], int]:
        """Return the sets whose documents are the first of ``texts``, and how many those are."""
        sets: list[Postings] = []
        row = 0
        if generation == self._generation:
            for postings in self._sets:
                end = row + len(postings.lengths)
                if texts[row:end] != self._texts[row:end]:
                    break
                sets.append(postings)
                row = end
        return sets, row


def _analyzer_of(folder: Path) -> Analyzer:
    """Return the newest analyser, or the earlier one where only that one's postings are stored."""
    newest, earlier = WordPartAnalyzer(MorphemeAnalyzer()), MorphemeAnalyzer(earlier=True)
    stored = {read_manifest(path).get("analyzer") for path in folder.glob("[!.]*")}
    if earlier.version not in stored or newest.version in stored:
        return newest
    _log.warning(
        "the words of %s were analysed by an earlier version, which does not find parts of words; "
        "delete %s, and the next search by words analyses them again",
        folder.parent,
        folder,
    )
    return earlier


def _checked(queries: Iterable[str], k: int) -> list[str]:
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(f"k is {k!r}; ask for at least 1 hit")
    return as_texts(queries, "queries")


def _adding_up(progress: Progress | None) -> Progress | None:
    if progress is None:
        return None
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        progress(done)

    return add


def _batches(part: Part) -> Iterator[list[str]]:
    for texts in part.texts():
        for start in range(0, len(texts), _BATCH):
            yield texts[start : start + _BATCH]


def _check_rows(part: Part, postings: Postings) -> None:
    if len(postings.lengths) != part.rows:
        raise CorpusIndexError(
            f"segment {part.name} has {len(postings.lengths)} texts where it should have "
            f"{part.rows}; verify the index"
        )


@contextmanager
def _only_writer(folder: Path, *, wait: bool) -> Iterator[str | None]:
    """Hold the lock of the folder, which is made if missing; yield why not if that fails."""
    descriptor, refusal = None, None
    try:
        if folder.is_symlink():
            raise OSError("it is a link, which may lead out of the index")
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        refusal = f"cannot write {folder}: {error.strerror or error}"
    try:
        yield refusal
    finally:
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)
