"""A corpus of one file or of many: a folder, a pattern, a Parquet dataset, BEIR's layout."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from glob import has_magic
from itertools import takewhile
from pathlib import Path
from typing import Literal, NoReturn, Self

from kosim.encoders.beir import BeirFolder
from kosim.encoders.errors import DataError
from kosim.encoders.tables import (
    STANDARD_INPUT,
    Format,
    is_rereadable,
    is_saved_dataset,
)
from kosim.index.corpus import BadLines, read_corpus
from kosim.index.documents import Document

_HIDDEN = (".", "_")
"""How the names begin of what is no data: hidden files, and the notes of those who wrote it."""


@dataclass(frozen=True)
class CorpusFiles:
    """Where a corpus lies and how it is read; it can be sent to another process.

    ``names`` are what rows are called after: where there are several files, a row without an id
    of its own is ``<name>:<number>``, and its number alone where there is one.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...]
    text_column: str | None = None
    id_column: str | None = None
    format: Format | None = None
    bad_lines: Literal["refuse", "skip"] = "refuse"
    encoding: str | None = None

    @classmethod
    def find(
        cls,
        source: str | Path,
        *,
        text_column: str | None = None,
        id_column: str | None = None,
        format: Format | None = None,
        bad_lines: Literal["refuse", "skip"] = "refuse",
        encoding: str | None = None,
    ) -> Self:
        """Find the files that ``source`` means, in the order of their paths.

        Args:
            source: a file; a folder, with all files in and below it whose names begin with
                neither a dot nor an underscore; a folder that Hugging Face's ``save_to_disk``
                wrote; a folder in BEIR's layout, of which the corpus is read; a pattern such as
                ``news/*.csv``; or "-", standard input.
            text_column: as for `read_corpus`.
            id_column: likewise.
            format: likewise.
            bad_lines: likewise.
            encoding: likewise.

        Raises:
            DataError: a folder holds no file or cannot be read, or no file has such a name.
        """
        paths, root = _found(str(source))
        names = tuple(Path(path).relative_to(root).as_posix() if root else path for path in paths)
        return cls(tuple(paths), names, text_column, id_column, format, bad_lines, encoding)

    @property
    def rereadable(self) -> bool:
        """Whether it can be read more than once: a pipe such as ``/dev/fd/63`` cannot."""
        return all(map(is_rereadable, self.paths))

    def documents(self, skipped: BadLines | None = None) -> Iterator[Document]:
        """Yield the documents of all files, one file after the other; see `read_corpus`."""
        for number in range(len(self.paths)):
            yield from self.file(number, skipped)

    def file(self, number: int, skipped: BadLines | None = None) -> Iterator[Document]:
        """Yield the documents of one file."""
        return read_corpus(
            self.paths[number],
            text_column=self.text_column,
            id_column=self.id_column,
            format=self.format,
            encoding=self.encoding,
            bad_lines=self.bad_lines,
            skipped=skipped,
            row_prefix=f"{self.names[number]}:" if len(self.paths) > 1 else "",
        )


def _found(source: str) -> tuple[list[str], Path | None]:
    """Return the paths, and the folder that they are named from where there are several."""
    path = Path(source)
    if source == STANDARD_INPUT or is_saved_dataset(path):
        return [source], None
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, ValueError):
        return [source], None  # reading it says what is wrong
    if is_folder:
        if beir := BeirFolder.find(path):
            return [str(beir.corpus)], None
        paths = [found for found in sorted(_files_below(path)) if _is_data(found, path)]
        if not paths:
            raise DataError(f"{source} is a folder without files; give one with a corpus in it")
        return [str(found) for found in paths], path
    fixed = list(takewhile(lambda part: not has_magic(part), path.parts))
    if not is_there and len(fixed) < len(path.parts):
        root = Path(*fixed)
        pattern = Path(*path.parts[len(fixed) :])
        _refuse_unreadable(root, pattern)
        paths = [path for path in sorted(root.glob(pattern.as_posix())) if path.is_file()]
        if not paths:
            raise DataError(f"no file is called {source}; correct the pattern")
        return [str(path) for path in paths], root
    return [source], None


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield everything in and below a folder but folders.

    Raises:
        DataError: a folder cannot be read; leaving it out would shorten the corpus unnoticed.
    """
    for parent, _, names in os.walk(folder, onerror=_refuse):
        yield from (Path(parent, name) for name in names)


def _refuse_unreadable(root: Path, pattern: Path) -> None:
    """Refuse folders that a pattern looks into and that `Path.glob` leaves out silently.

    Raises:
        DataError: a folder cannot be read.
    """
    if "**" in pattern.parts:
        for _ in _files_below(root):
            pass
        return
    parents = pattern.parts[:-1]
    folders = [root]
    for depth in range(1, len(parents) + 1):
        folders.extend(root.glob(Path(*parents[:depth]).as_posix()))
    for folder in folders:
        if folder.is_dir():
            try:
                os.scandir(folder).close()
            except OSError as error:
                _refuse(error)


def _refuse(error: OSError) -> NoReturn:
    raise DataError(
        f"cannot read the folder {error.filename}: {error.strerror}; allow it, or move the folder "
        "out of the corpus"
    ) from error


def _is_data(path: Path, root: Path) -> bool:
    inner = path.relative_to(root).parts
    return path.is_file() and not any(part.startswith(_HIDDEN) for part in inner)
