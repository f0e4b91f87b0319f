"""Lexical search of an index: BM25 over the terms of its documents, kept up with its changes."""

from __future__ import annotations

import fcntl
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kosim.encoders.errors import ConfigError, CorpusIndexError, DataError, StorageError
from kosim.encoders.storage import atomic_folder
from kosim.index.lexical.bm25 import Block, Bm25, WordStatistics
from kosim.index.lexical.morphemes import Analyzer, MorphemeAnalyzer
from kosim.index.lexical.postings import Postings, damaged_files, read_generation
from kosim.index.merging import Ranking

if TYPE_CHECKING:
    from kosim.index.corpus_index import CorpusIndex
    from kosim.index.store.snapshot import Part

FOLDER = "lexical"
_LOCK = ".lock"
_BATCH = 1000

Progress = Callable[[int], None]


class LexicalIndex:
    """BM25 beside the vectors of an index.

    The postings of each immutable segment are stored in ``INDEX/lexical/SEGMENT/``. They are
    derived data, outside of the index's manifest: what is missing, damaged or of another version
    of the analyser is built again. Those of the additions since are kept in memory and only
    grow by what is new. Several threads may search at once.

    Args:
        index: what to search; its changes are seen by the next search after its ``refresh``.
        analyzer: what turns texts into terms; Kiwi's content morphemes when None.

    Raises:
        MissingExtraError: kiwipiepy is not installed.
    """

    def __init__(self, index: CorpusIndex, *, analyzer: Analyzer | None = None) -> None:
        self._index = index
        self._analyzer = analyzer or MorphemeAnalyzer()
        self._folder = index.folder / FOLDER
        self._segments: dict[str, Postings] = {}
        self._delta = _Delta()
        self._seen: tuple[object, ...] = ()
        self._lock = threading.Lock()
        self.not_stored: str | None = None
        """Why postings that were built last are in this process's memory only; None if stored."""

    def prepare(self, *, progress: Progress | None = None) -> None:
        """Build what is missing and store it; remove what belongs to no segment any more.

        Where the folder cannot be written, postings are kept in memory: see ``not_stored``. If
        another process is building, wait for it.

        Args:
            progress: called after each batch with the number of sentences analysed so far.

        Raises:
            CorpusIndexError: the index is damaged.
        """
        self._prepared(_adding_up(progress))

    def search(
        self, queries: Sequence[str], k: int, *, statistics: WordStatistics | None = None
    ) -> Ranking:
        """Find the documents that share terms with each query.

        Statistics are those of all documents of the index together. Removed documents are never
        found, but count in them until the index is compacted, as in Lucene.

        Args:
            queries: q texts; one without terms finds nothing.
            k: documents a query, at least 1.
            statistics: those of all shards for these queries, where this index is one of several.

        Returns:
            BM25 scores (q, k) float32 and places (q, k) int64, best first, ties by the smaller
            place. A document without a term of the query is no hit: the rest is -inf and -1.

        Raises:
            ConfigError: ``k`` is below 1.
            DataError: ``queries`` is one string, or a query is no string.
            CorpusIndexError: the index or its postings are damaged.
        """
        _check(queries, k)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        places = np.full((len(queries), k), -1, dtype=np.int64)
        blocks = self._prepared(None)
        if not queries or not any(len(block.alive) for block in blocks):
            return Ranking(scores, places)
        bm25, terms_of_queries = Bm25(blocks, statistics), list(self._analyzer.terms(queries))
        try:
            for number, terms in enumerate(terms_of_queries):
                found_scores, found_places = bm25.search(terms, k)
                scores[number, : len(found_scores)] = found_scores
                places[number, : len(found_places)] = found_places
        except IndexError as error:  # a row beyond the documents
            raise CorpusIndexError(
                f"the postings in {self._folder} are damaged: {error}; delete that folder, it is "
                "built again"
            ) from error
        return Ranking(scores, places)

    def statistics(self, queries: Sequence[str]) -> WordStatistics:
        """Return what other shards must know of this one to search for some texts.

        Raises:
            CorpusIndexError: the index or its postings are damaged.
        """
        terms = [term for terms in self._analyzer.terms(queries) for term in terms]
        return Bm25(self._prepared(None)).statistics(terms)

    def verify(self) -> list[str]:
        """Compare stored postings with their checksums; return what is wrong, empty if sound."""
        folders = [self._folder / part.name for part in self._index.parts() if part.name]
        return [
            problem for folder in folders if folder.is_dir() for problem in damaged_files(folder)
        ]

    def _prepared(self, progress: Progress | None) -> list[Block]:
        with self._lock:
            generation, parts = self._index.generation, self._index.parts()
            seen = (generation, *((part.name, part.rows) for part in parts))
            if seen != self._seen:
                self._follow(parts, generation, progress)
                self._seen = seen
            blocks = [
                Block(self._segments[part.name], part.start, part.alive)
                for part in parts
                if part.name is not None
            ]
            for part in parts:
                if part.name is None:
                    blocks.extend(self._delta.blocks(part))
            return blocks

    def _follow(self, parts: list[Part], generation: int, progress: Progress | None) -> None:
        for part in parts:
            if part.name is None:
                self._delta.update(part, self._analyzer, progress)
            elif part.name not in self._segments:
                self._segments[part.name] = self._segment(part, generation, progress)
        names = {part.name for part in parts if part.name is not None}
        self._segments = {name: self._segments[name] for name in names}
        self._remove_others(names, generation)

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
                    with atomic_folder(self._place(part), overwrite=True) as partial:
                        postings.write(
                            partial, analyzer=self._analyzer.version, generation=generation
                        )
                    # Mapped, they can be dropped from memory.
                    return self._open(part)
                except (StorageError, CorpusIndexError) as error:
                    self.not_stored = str(error)
            return postings

    def _place(self, part: Part) -> Path:
        return self._folder / str(part.name)

    def _open(self, part: Part) -> Postings:
        return Postings.open(self._place(part), analyzer=self._analyzer.version, rows=part.rows)

    def _remove_others(self, names: set[str], generation: int) -> None:
        """Remove the postings of segments that are gone, and what a killed process left.

        A process that has not seen the newest generation keeps its hands off what that one
        stored. Files that another process has mapped stay readable for it.
        """
        if not self._folder.is_dir():
            return
        with _only_writer(self._folder, wait=False) as refusal:
            if refusal is not None:
                return
            for path in self._folder.iterdir():
                if path.name.startswith("."):
                    gone = path.name.endswith((".partial", ".retired"))
                else:
                    written = read_generation(path) if path.name not in names else None
                    gone = written is not None and written <= generation
                if gone:
                    shutil.rmtree(path, ignore_errors=True)


class _Delta:
    """The postings of the documents that are in no segment yet.

    Each update adds a set of postings; sets of about the same size are merged, so that there are
    only ever logarithmically many, and adding costs what is added.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._parts: list[Postings] = []

    def update(self, part: Part, analyzer: Analyzer, progress: Progress | None) -> None:
        """Analyse what is new; everything, if what was there is not as it was."""
        texts = [text for batch in part.texts() for text in batch]
        if texts[: len(self._texts)] != self._texts:
            self._texts, self._parts = [], []
        new = texts[len(self._texts) :]
        if new:
            batches = (analyzer.terms(new[i : i + _BATCH]) for i in range(0, len(new), _BATCH))
            parts = [*self._parts, Postings.build(batches, progress=progress)]
            while len(parts) > 1 and len(parts[-2].lengths) <= 2 * len(parts[-1].lengths):
                parts[-2:] = [Postings.merge(parts[-2:])]
            self._texts, self._parts = texts, parts

    def blocks(self, part: Part) -> Iterator[Block]:
        """Yield the postings with their places."""
        row = 0
        for postings in self._parts:
            end = row + len(postings.lengths)
            yield Block(postings, part.start + row, part.alive[row:end])
            row = end


def _check(queries: Sequence[str], k: int) -> None:
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(f"k is {k!r}; ask for at least 1 hit")
    if isinstance(queries, str):
        raise DataError("queries is one string; give a list of texts")
    for number, query in enumerate(queries):
        if not isinstance(query, str):
            raise DataError(f"query {number} is {query!r}; give a string")


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
    with ExitStack() as stack:
        refusal = None
        try:
            if folder.is_symlink():
                raise OSError("it is a link, which may lead out of the index")
            folder.mkdir(exist_ok=True)
            file = stack.enter_context((folder / _LOCK).open("ab"))
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            refusal = f"cannot write {folder}: {error.strerror or error}"
        yield refusal
