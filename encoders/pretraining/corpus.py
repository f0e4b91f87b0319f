"""The sentences of a corpus file, and their tokens in a memory-mapped cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from transformers import PreTrainedTokenizerBase

from kosim.encoders.durable_file import DurableFile
from kosim.encoders.errors import ConfigError, DataError, StorageError
from kosim.encoders.storage import atomic_folder, read_versioned_json, write_json
from kosim.encoders.tables import read_lines, suffix_format

_BLOCK = 8_192
"""Sentences tokenised at a time."""

_IDS, _ENDS, _ABOUT = "ids.u16", "ends.i64", "about.json"


def read_sentences(path: str | Path, *, limit: int | None = None, seed: int = 0) -> list[str]:
    """Return the lines of a text file without blank ones, in order.

    Args:
        path: text, a sentence a line, also ``.gz``; "-" is standard input.
        limit: draw this many of them, still in order; all when None or when there are fewer.
        seed: of what is drawn.

    Raises:
        ConfigError: the limit is below 1.
        DataError: the file cannot be read, is a table, or holds no text.
    """
    table = suffix_format(Path(path))
    if table not in (None, "text"):
        raise DataError(
            f"{path} is a table ({table}), whose lines are not sentences; give a text file with a "
            "sentence a line, made of one of its columns"
        )
    if limit is not None and limit < 1:
        raise ConfigError(f"the limit is {limit} sentences; give at least 1")
    sentences = [text for text in (line.strip() for line in read_lines(path)) if text]
    if not sentences:
        raise DataError(f"{path} holds no text; give a file with a sentence a line")
    if limit is None or limit >= len(sentences):
        return sentences
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(len(sentences))[:limit])
    return [sentences[row] for row in rows]


class _About(BaseModel):
    sentences: int = Field(ge=1)
    tokens: int = Field(ge=1)


def hold_out(
    count: int, held_out: int, *, fewest: int, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return which of ``count`` sentences are learnt and which are measured on, both in order.

    At most a fifth is held out.

    Raises:
        DataError: there are fewer than ``fewest``.
    """
    if count < fewest:
        raise DataError(f"the corpus has {count} sentences; give at least {fewest}")
    order = np.random.default_rng(seed).permutation(count)
    measured = min(held_out, count // 5)
    return np.sort(order[measured:]), np.sort(order[:measured])


@dataclass(frozen=True)
class TokenCache:
    """The token numbers of n sentences, without special tokens, mapped from the disk.

    ``ids`` is (total,) uint16, sentence after sentence; ``ends`` (n + 1,) int64 says where each
    begins, and the last one ends.
    """

    ids: npt.NDArray[np.uint16]
    ends: npt.NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path) -> TokenCache | None:
        """Map a finished cache; None where there is none.

        Raises:
            StorageError: it is damaged.
        """
        if not (folder / _ABOUT).is_file():
            return None
        remedy = f"remove the folder {folder}"
        about = read_versioned_json(
            folder / _ABOUT, _About, newest=1, error=StorageError, remedy=remedy
        )
        try:
            ids = np.memmap(folder / _IDS, dtype=np.uint16, mode="r", shape=(about.tokens,))
            ends = np.fromfile(folder / _ENDS, dtype=np.int64)
        except (OSError, ValueError) as error:
            raise StorageError(f"{folder} is damaged ({error}); {remedy}") from error
        if len(ends) != about.sentences + 1 or ends[0] or ends[-1] != about.tokens:
            raise StorageError(f"{folder} is damaged: its files contradict each other; {remedy}")
        if np.any(np.diff(ends) < 0):
            raise StorageError(f"{folder} is damaged: its sentences overlap; {remedy}")
        return cls(ids, ends)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The tokens of each sentence: (n,)."""
        return np.diff(self.ends)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, row: int) -> npt.NDArray[np.uint16]:
        """Return the tokens of the sentence in ``row``."""
        return self.ids[self.ends[row] : self.ends[row + 1]]


def tokenise(
    sentences: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    longest: int,
) -> TokenCache:
    """Return the cache in ``folder``; written first, block by block, where there is none.

    Args:
        sentences: n texts; the tokenizer's text step is applied.
        tokenizer: of fewer than 65,536 tokens.
        folder: of the cache, which must be of the same sentences and tokenizer.
        longest: tokens after which a sentence is cut.

    Raises:
        StorageError: the disk is full.
    """
    if (found := TokenCache.open(folder)) is not None:
        return found
    lengths: list[int] = []
    with atomic_folder(folder, overwrite=True) as partial:
        with DurableFile(partial / _IDS) as file:
            for start in range(0, len(sentences), _BLOCK):
                block = list(sentences[start : start + _BLOCK])
                encoded = tokenizer(
                    block, add_special_tokens=False, truncation=True, max_length=longest
                )["input_ids"]
                lengths += map(len, encoded)
                file.write(np.array([token for ids in encoded for token in ids], dtype=np.uint16))
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        if not ends[-1]:
            raise DataError("the tokenizer makes nothing of the corpus; give another one")
        with DurableFile(partial / _ENDS) as file:
            file.write(ends)
        write_json(partial / _ABOUT, {"sentences": len(lengths), "tokens": int(ends[-1])})
    cache = TokenCache.open(folder)
    if cache is None:
        raise DataError(f"{folder} was written but is missing; something removed it")
    return cache
