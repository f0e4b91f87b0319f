"""What a report is made of: tables, plots and the sections that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kosim.encoders.language import Line, Text
from kosim.experiments.study.notation import DASH
from kosim.experiments.study.report.canvas import Plot

Row = tuple[Text, ...]
_NOTHING = ("", DASH)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Table:
    """A table of text: a caption, the names of the columns, and rows headed by their first cell.

    ``prose`` are the positions of columns that hold text; the others hold figures, set right.
    """

    caption: Text
    columns: Row
    rows: tuple[Row, ...]
    prose: frozenset[int] = frozenset()

    @classmethod
    def of(
        cls,
        caption: Text,
        columns: Iterable[Text],
        rows: Iterable[Sequence[Text]],
        prose: Iterable[int] = (),
    ) -> list[Table]:
        """Return a table of the rows and columns that say something, or none where none does."""
        said = [tuple(row) for row in rows if any(map(says, row[1:]))]
        if not said:
            return []
        kept = [0, *(at for at in range(1, len(said[0])) if any(says(row[at]) for row in said))]
        heads, of_text = tuple(columns), frozenset(prose)
        return [
            cls(
                caption,
                tuple(heads[at] for at in kept),
                tuple(tuple(row[at] for at in kept) for row in said),
                frozenset(new for new, at in enumerate(kept) if at in of_text),
            )
        ]


def says(cell: Text) -> bool:
    """Say whether a cell holds more than a dash."""
    return any(part not in _NOTHING for part in ((cell,) if isinstance(cell, str) else cell))


@dataclass(frozen=True)
class Section:
    """One part of a report; ``key`` is its anchor. A folded one is shown when it is asked for."""

    key: str
    title: Line
    note: Text = ""
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    folded: bool = False


Columns = Mapping[Text, Callable[[Item], Text]]
"""The headings of a table, and what stands under each for an item."""


def tabulate(
    caption: Text,
    items: Iterable[Item],
    columns: Columns[Item],
    prose: Iterable[int] = (),
) -> list[Table]:
    """Return a table with a row for each item."""
    rows = [[cell(item) for cell in columns.values()] for item in items]
    return Table.of(caption, columns, rows, prose)
