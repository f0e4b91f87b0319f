"""Retrieval data in BEIR's layout, and judgments of relevance in BEIR's, TREC's and other forms.

Thakur et al. 2021, "BEIR: A Heterogenous Benchmark for Zero-shot Evaluation of Information
Retrieval Models": a folder with ``corpus.jsonl`` (``_id``, ``title``, ``text``),
``queries.jsonl`` (``_id``, ``text``) and ``qrels/<split>.tsv`` (``query-id``, ``corpus-id``,
``score``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kosim.encoders.column_names import DOCUMENT_IDS, GAINS, QUERY_IDS, find_column, listed
from kosim.encoders.errors import DataError
from kosim.encoders.tables import Record, id_text, printable, read_records, source_name

_SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson", ".parquet", ".csv", ".tsv")
_JUDGMENTS = ("*.tsv", "*.txt", "*.trec", "*.qrels", "*.csv", "*.jsonl", "*.parquet")
_USUAL_SPLIT = "test"


@dataclass(frozen=True)
class BeirFolder:
    """The files of a folder in BEIR's layout; ``judgments`` are those of its splits by name."""

    folder: Path
    corpus: Path
    queries: Path
    judgments: dict[str, Path]

    @classmethod
    def find(cls, folder: str | Path) -> BeirFolder | None:
        """Return the files, or None where the folder has another layout."""
        root = Path(folder)
        try:
            corpus, queries = (_named(root, stem) for stem in ("corpus", "queries"))
            if corpus is None or queries is None:
                return None
            found = sorted(path for kind in _JUDGMENTS for path in (root / "qrels").glob(kind))
        except OSError:
            return None
        return cls(root, corpus, queries, {path.stem: path for path in found})

    def split(self, name: str | None = None) -> Path:
        """Return the judgments of a split; by default the test split's, or the only ones.

        Raises:
            DataError: there is no such split, or none to choose by itself.
        """
        chosen = name or (_USUAL_SPLIT if len(self.judgments) != 1 else next(iter(self.judgments)))
        if chosen not in self.judgments:
            raise DataError(
                f"{source_name(self.folder)}/qrels holds no split {printable(chosen)}; it holds "
                f"{listed(self.judgments)}"
            )
        return self.judgments[chosen]


def _named(root: Path, stem: str) -> Path | None:
    paths = (root / f"{stem}{suffix}" for suffix in _SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


class Judgment(NamedTuple):
    """How relevant a document is to a query, and ``where`` a file says so."""

    where: str
    query: str
    document: str
    gain: float


def read_judgments(path: str | Path) -> Iterator[Judgment]:
    """Yield the judgments of a file.

    It is a table with the columns ``query_id``, ``document_id`` and perhaps ``relevance`` (BEIR's
    ``query-id``, ``corpus-id`` and ``score`` are understood; the gain is 1 where there is none), or
    has no names of columns: three of them in this order, or TREC's four, of which the second says
    nothing, separated by tabs or blanks.

    Raises:
        DataError: the file cannot be read, lacks a column, or holds an empty cell or a gain that
            is not a number.
    """
    name = source_name(path)
    columns: tuple[str, str, str | None] | None = None
    width = 0
    for row in read_records(path, otherwise="text", notice=lambda message: None):
        if row.error:
            raise row.error
        where = f"{name}: {row.where}"
        record = row.record
        if list(record) == ["text"]:
            if not str(record["text"]).strip():
                continue
            cells = str(record["text"]).split()
            record = {str(number): cell for number, cell in enumerate(cells, 1)}
        if columns is None:
            columns = _columns(list(record), name)
            width = len(record)
        if len(record) != width:
            raise DataError(f"{where}: {len(record)} cells where the first line has {width}")
        query, document, gain = columns
        yield Judgment(
            where,
            _id(record, query, where),
            _id(record, document, where),
            1.0 if gain is None else _gain(record.get(gain), where),
        )


def _columns(present: list[str], name: str) -> tuple[str, str, str | None]:
    if present == ["1", "2", "3"]:
        return "1", "2", "3"
    if present == ["1", "2", "3", "4"]:
        return "1", "3", "4"
    query = find_column(present, QUERY_IDS)
    document = find_column(present, DOCUMENT_IDS)
    if query is None or document is None:
        missing = QUERY_IDS[0] if query is None else DOCUMENT_IDS[0]
        raise DataError(
            f"{name} has no column {missing!r} (it has {listed(present)}); TREC's form is not a "
            "table with names, but has four cells a line"
        )
    return query, document, find_column(present, GAINS)


def _id(record: Record, column: str, where: str) -> str:
    value = record.get(column)
    text = id_text(value)
    if text is None:
        problem = "is empty" if value is None else f"{printable(repr(value)[:40])} is not an id"
        raise DataError(f"{where}: the {column} {problem}")
    return text


def _gain(value: object, where: str) -> float:
    try:
        gain = float(str(value))
    except ValueError:
        gain = math.nan
    if not math.isfinite(gain):
        raise DataError(f"{where}: relevance {printable(repr(value)[:40])} is not a number")
    return gain
