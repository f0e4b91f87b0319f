"""Excel files for tests."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import openpyxl


def workbook(rows: Sequence[Sequence[Any]], sheets: Sequence[str] = ("Sheet1",)) -> bytes:
    """Return an Excel file whose first sheet has the rows."""
    book = openpyxl.Workbook()
    book.active.title = sheets[0]
    for row in rows:
        book.active.append(list(row))
    for name in sheets[1:]:
        book.create_sheet(name)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
