"""What a report is made of: tables, plots and the sections that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kosim.experiments.study.report.canvas import Plot

Row = tuple[str, ...]
Results = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of text: a caption, the names of the columns, and rows headed by their first cell.

    ``prose`` are the positions of columns that hold text; the others hold figures, set right.
    """

    caption: str
    columns: Row
    rows: tuple[Row, ...]
    prose: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Section:
    """One part of a report; ``key`` is its anchor, ``korean`` its heading in Korean."""

    key: str
    title: str
    korean: str
    note: str = ""
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
