"""Which columns of a table are the two sentences, the label and the source of a pair."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

from kosim.encoders.column_names import (
    LABELS,
    SENTENCES,
    SOURCES,
    find_column,
    listed,
    named_column,
)
from kosim.encoders.errors import ConfigError, DataError

ColumnChoice = str | Sequence[str] | Mapping[str, str]
"""Names of columns: ``"문장1,문장2,유사도"`` or a list, in the order sentence1, sentence2, label,
source; or a mapping, ``"label=유사도"`` or a dict, of some of these four."""


@dataclass(frozen=True)
class PairColumns:
    """Names of the columns of a pair; None is one that is not named."""

    sentence1: str | None = None
    sentence2: str | None = None
    label: str | None = None
    source: str | None = None

    @classmethod
    def parse(cls, choice: ColumnChoice | None) -> Self:
        """Read what a caller names.

        Raises:
            ConfigError: fewer than two or more than four columns are listed, one is named twice
                or has no name, or a mapping names something else than these four.
        """
        if choice is None:
            return cls()
        if isinstance(choice, str):
            choice = _parts(choice)
        roles = [field.name for field in fields(cls)]
        if not isinstance(choice, Mapping):
            if not 2 <= len(choice) <= len(roles):
                raise ConfigError(
                    f"columns {listed(choice)!r}: give two sentences, a label and perhaps a "
                    "source, such as 문장1,문장2,유사도, or some of them by name, such as "
                    "label=유사도"
                )
            choice = dict(zip(roles, choice, strict=False))
        named = {role.strip(): str(name).strip() for role, name in choice.items()}
        unknown = [role for role in named if role not in roles]
        if unknown:
            raise ConfigError(
                f"columns name {unknown[0]!r}; what can be named is {', '.join(roles)}"
            )
        if "" in named.values() or len(set(named.values())) < len(named):
            raise ConfigError(
                f"columns {', '.join(f'{role}={name}' for role, name in named.items())}: every "
                "one needs a name of its own"
            )
        if ("sentence1" in named) != ("sentence2" in named):
            raise ConfigError("columns name one sentence; name both, sentence1 and sentence2")
        return cls(**named)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are stated."""
        stated = (self.sentence1, self.sentence2, self.label, self.source)
        return tuple(name for name in stated if name is not None)

    def find(self, columns: Iterable[object], where: str, *, labelled: bool = True) -> Self:
        """Return the columns of a table as it spells them; what is not named is looked for.

        The names that are known stand in `column_names`. A table without a
        source is fine, and so is one without labels unless it must be ``labelled``.

        Raises:
            DataError: a column is not there, or is there twice; the table's columns are listed.
        """
        present = [str(column) for column in columns]
        try:
            first, second = self._sentences(present) or (None, None)
            label = _column(present, self.label, LABELS)
            source = _column(present, self.source, SOURCES)
        except DataError as error:
            raise DataError(f"{where}: {error}") from None
        if first is None or second is None:
            wanted = (
                f"{self.sentence1} and {self.sentence2}"
                if self.sentence1
                else "such as sentence1 and sentence2, or 문장1 and 문장2"
            )
            raise _absent(where, f"sentence columns {wanted}", present)
        if label is None and (labelled or self.label):
            wanted = self.label or "such as score, label or 유사도"
            raise _absent(where, f"label column {wanted}", present)
        if source is None and self.source:
            raise _absent(where, f"source column {self.source}", present)
        # What is a sentence or the label is no source as well, whatever it is called.
        return type(self)(first, second, label, source if source not in (first, second) else None)

    def _sentences(self, present: Sequence[str]) -> tuple[str, str] | None:
        stated = self.sentence1 is not None
        for couple in [(self.sentence1, self.sentence2)] if stated else SENTENCES:
            first, second = (
                named_column(present, str(name)) if stated else find_column(present, [str(name)])
                for name in couple
            )
            if first is not None and second is not None and first != second:
                return first, second
        return None


def _column(present: Sequence[str], stated: str | None, known: Sequence[str]) -> str | None:
    return find_column(present, known) if stated is None else named_column(present, stated)


def _parts(text: str) -> list[str] | dict[str, str]:
    """Split ``a,b,c`` or ``role=a,role=b``; a name with a comma stands in quotes."""
    try:
        parts = [part.strip() for part in next(csv.reader([text], skipinitialspace=True), [])]
    except csv.Error as error:
        raise ConfigError(f"columns {text!r} are not a list of names ({error})") from None
    if parts and all("=" in part for part in parts):
        split = [part.partition("=")[::2] for part in parts]
        if len({role.strip() for role, _ in split}) < len(split):
            raise ConfigError(f"columns {text!r} name one of them twice")
        return dict(split)
    return parts


def _absent(where: str, what: str, present: Sequence[str]) -> DataError:
    if present == [str(number) for number in range(1, len(present) + 1)]:
        found = f"its {len(present)} columns have no names: choose by number, --columns 1,2,3"
    else:
        found = (
            f"its columns are {listed(present)}: name the right ones, "
            "--columns SENTENCE1,SENTENCE2,LABEL (or, if its first line is data already, give "
            "their numbers: --columns 1,2,3)"
        )
    return DataError(f"{where}: no {what}; {found}")
