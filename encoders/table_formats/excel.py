"""Excel's ``.xlsx``: the first sheet, its cells as the text that they show."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any, BinaryIO

from kosim.encoders.errors import DataError, KosimError, MissingExtraError, printable
from kosim.encoders.language import both
from kosim.encoders.table_formats.cells import Cells, cell_rows
from kosim.encoders.table_formats.rows import MOST_COLUMNS, ReadingOptions, Row
from kosim.encoders.table_formats.source import Source

LARGEST_WORKBOOK = 1 << 30
"""Bytes that the parts of an Excel file may unpack to."""


def excel_rows(source: Source, options: ReadingOptions) -> Iterator[Row]:
    """Yield the rows of the first sheet of an Excel file.

    A cell is the text it shows: a whole number without ``.0``, a date in ISO's form, and true or
    false in words. A formula is its last result.

    Raises:
        MissingExtraError: openpyxl is not installed.
        DataError: the file is none of Excel's or is damaged.
    """
    with source.seekable() as file:
        try:
            _check_size(source, file)
            workbook = _opened(file)
            sheets = workbook.worksheets
            if not sheets:
                raise DataError(f"{source.name} has no sheet with cells")
            if len(sheets) > 1:
                options.notice(
                    both(
                        "{name} has {n} sheets; the first, {sheet}, was read",
                        "{name}: 시트 {n}개 가운데 첫째 시트({sheet})를 읽었습니다",
                        name=source.name,
                        n=str(len(sheets)),
                        sheet=repr(printable(sheets[0].title)),
                    )
                )
            # The size that a sheet says it has is not to be believed.
            sheets[0].reset_dimensions()
            yield from cell_rows(source.name, _cells(source.name, sheets[0]), options, unit="row")
        except KosimError:
            raise
        except Exception as error:  # openpyxl passes on whatever a damaged part of a file causes
            reason = printable(str(error).partition("\n")[0]) or type(error).__name__
            raise DataError(
                f"{source.name} is not an Excel file or is damaged ({reason}); open it in Excel "
                "and save it as .xlsx or .csv"
            ) from error


def _opened(file: BinaryIO) -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError(
            "Excel files need openpyxl, which is not installed: "
            'pip install "kosim[excel]", or save the file as .csv'
        ) from error
    return openpyxl.load_workbook(file, read_only=True, data_only=True)


def _check_size(source: Source, file: BinaryIO) -> None:
    with zipfile.ZipFile(file) as parts:
        size = sum(part.file_size for part in parts.infolist())
    file.seek(0)
    if size > LARGEST_WORKBOOK:
        raise DataError(
            f"{source.name} unpacks to {size:,} bytes; the limit for an Excel file is "
            f"{LARGEST_WORKBOOK:,}: save it as .csv"
        )


def _cells(name: str, sheet: Any) -> Cells:
    width = 0
    for number, cells in enumerate(sheet.iter_rows(), 1):
        error = None
        values = [cell.value for cell in cells]
        while values and values[-1] is None:
            values.pop()
        if len(values) > MOST_COLUMNS:
            error = DataError(
                f"{name}: row {number}: {len(values):,} columns; the limit is {MOST_COLUMNS:,}: "
                "keep only the columns that are needed"
            )
        broken = [
            value for cell, value in zip(cells, values, strict=False) if cell.data_type == "e"
        ]
        if broken:
            error = DataError(
                f"{name}: row {number}: a cell shows the error {printable(broken[0])}; correct "
                "its formula"
            )
        width = width or len(values)
        shown = [_shown(value) for value in values]
        # A row ends with its last cell that holds something.
        yield number, shown + [""] * (width - len(shown)), error


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    return str(value)
