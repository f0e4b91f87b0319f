"""Texts and pairs of texts, as every public function takes them: checked once, in one place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from kosim.encoders.errors import DataError

Pair = tuple[str, str]

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_SHOWN = 40


def comparable(text: str | None) -> str:
    """Return the form in which equal texts are equal; "" for a missing one."""
    return "" if text is None else " ".join(unicodedata.normalize("NFC", text).split())


def as_texts(values: Iterable[str], what: str = "texts") -> list[str]:
    """Return texts as a list, whatever holds them; an iterator is gone through once.

    Args:
        values: a list, tuple, array, Series, column of a data set, or any iterable of strings.
        what: what a message calls them.

    Raises:
        DataError: ``values`` is one string, bytes, a table, or nothing to go through; or a member
            is not a string, or holds half of a character. Its position and value are named.
    """
    members = as_members(values, what, "texts")
    return [as_text(member, f"{what} {position}") for position, member in enumerate(members)]


def as_text(value: str, what: str) -> str:
    """Return one text.

    Raises:
        DataError: it is not a string, or holds half of a character.
    """
    if not is_text(value):
        raise DataError(f"{what} is {described(value)}, which is not text; correct it")
    return str(value)  # also of NumPy's own type


def as_pairs(
    values: Iterable[Pair], what: str = "pair", *, wanted: str = "(sentence1, sentence2)"
) -> list[Pair]:
    """Return pairs of texts as a list of tuples, as `as_texts` does.

    Args:
        values: any iterable of pairs, also an array of shape (n, 2).
        what: what a message calls one of them.
        wanted: what a message says that there should be a list of.

    Raises:
        DataError: as there; or a member is not a pair of strings.
    """
    pairs: list[Pair] = []
    for position, pair in enumerate(as_members(values, f"{what}s", wanted)):
        is_one = isinstance(pair, str | bytes | Mapping | set | frozenset)
        if is_one or not hasattr(pair, "__len__") or len(pair) != 2 or not all(map(is_text, pair)):
            raise DataError(
                f"{what} {position} is {described(pair)}; give (sentence1, sentence2), two "
                "strings each"
            )
        first, second = pair
        pairs.append((str(first), str(second)))
    return pairs


def as_members(values: Any, what: str, wanted: str) -> list[Any]:
    """Return what ``values`` holds, once it is sure that it holds many values and not one.

    Args:
        values: what a caller gave.
        what: what a message calls it.
        wanted: what a message says that it should hold.

    Raises:
        DataError: it is one string, bytes, a table, a mapping, or nothing to go through.
    """
    one = isinstance(values, str | bytes | bytearray | memoryview | Mapping) or _is_table(values)
    # An array without dimensions says that it can be gone through, and cannot.
    if one or not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:
        raise DataError(f"{what} is {described(values)}; give a list of {wanted}")
    # A column of Arrow is gone through by scalars of its own.
    return list(values.to_pylist() if hasattr(values, "to_pylist") else values)


def described(value: Any) -> str:
    """Return what a message shows of a value that cannot be used."""
    if isinstance(value, str):
        return f"the text {value[:_SHOWN]!r}"
    if _is_table(value):
        return "a table"
    return repr(value)[:_SHOWN].replace("\n", " ")


def is_text(value: Any) -> bool:
    """Say whether a value is a string without half characters (lone surrogates).

    JSON can escape half of a surrogate pair, which no tokenizer takes and no file can hold.
    """
    return isinstance(value, str) and not _HALF_CHARACTER.search(value)


def _is_table(value: Any) -> bool:
    # A DataFrame is gone through by the names of its columns, a data set by its rows.
    return hasattr(value, "columns") or hasattr(value, "column_names")
