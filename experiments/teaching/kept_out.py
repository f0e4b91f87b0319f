"""The sentences and pairs that no silver pair may hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kosim.encoders.errors import DataError
from kosim.encoders.pair_columns import PairColumns
from kosim.encoders.records import LabelledPairs
from kosim.encoders.tables import read_lines, read_table, suffix_format
from kosim.encoders.texts import comparable

_SIGNS = re.compile(r"[\W_]+")


def spelling_key(text: str) -> str:
    """Return what is the same for texts that differ in signs, spaces, case or width alone."""
    letters = _SIGNS.sub("", unicodedata.normalize("NFKC", text).casefold())
    return letters or comparable(text)


def pair_key(first: str, second: str) -> str:
    """Return what is the same for two pairs of the same sentences, in either order."""
    return "\n".join(sorted((spelling_key(first), spelling_key(second))))


@dataclass
class KeptOut:
    """Sentences and pairs to keep out, in whatever spelling (see `spelling_key`)."""

    sentences: set[str] = field(default_factory=set)
    pairs: set[str] = field(default_factory=set)

    def add_sentences(self, texts: Iterable[str]) -> None:
        """Keep out every pair with one of these sentences."""
        self.sentences.update(spelling_key(text) for text in texts)

    def add_pairs(self, pairs: LabelledPairs) -> None:
        """Keep out these pairs, in either order, but not their sentences."""
        self.pairs.update(pair_key(*pair) for pair in pairs.pairs)

    def clear(self, texts: Iterable[str]) -> list[str]:
        """Return the distinct sentences that may be used, as they first stand, in order."""
        seen: dict[str, str] = {}
        for text in texts:
            seen.setdefault(comparable(text), text.strip())
        seen.pop("", None)
        return [text for text in seen.values() if spelling_key(text) not in self.sentences]

    def allows(self, first: str, second: str) -> bool:
        """Say whether a pair may be learnt from."""
        return (
            not {spelling_key(first), spelling_key(second)} & self.sentences
            and pair_key(first, second) not in self.pairs
        )

    def without(self, pairs: LabelledPairs) -> LabelledPairs:
        """Return the labelled pairs that hold none of the sentences; pairs are not looked at."""
        rows = [
            row
            for row, (first, second) in enumerate(pairs.pairs)
            if not {spelling_key(first), spelling_key(second)} & self.sentences
        ]
        return pairs if len(rows) == len(pairs) else pairs.take(np.array(rows, dtype=np.int64))


def _cells(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else []


def read_sentences_of(path: str) -> list[str]:
    """Return the sentences of a file: lines of text, a table's one column, or both of its pairs.

    Of a line of text with tabs, as ParaKQC's own file has them, every cell counts and the whole.

    Raises:
        DataError: the file cannot be read, or a table of it has no columns of two sentences.
    """
    if suffix_format(Path(path)) in (None, "text"):
        texts = [text for line in read_lines(path) for text in (line, *_cells(line))]
        return [text for text in texts if text.strip()]
    table = read_table(path)
    columns = [str(column) for column in table.columns]
    if len(columns) > 1:
        found = PairColumns().find(table.columns, path, labelled=False)
        columns = [str(found.sentence1), str(found.sentence2)]
    texts = [text for column in columns for text in table[column]]
    kept = [text for text in texts if isinstance(text, str) and text.strip()]
    if not kept:
        raise DataError(f"{path} holds no sentence; give sentences or pairs to keep out")
    return kept
