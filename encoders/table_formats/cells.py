"""Tables of cells, CSV, TSV and Excel: which line names the columns, and what each cell is."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from kosim.encoders.column_names import KNOWN, comparable_name, listed
from kosim.encoders.errors import DataError, printable
from kosim.encoders.language import Line, both
from kosim.encoders.table_formats.lines import Lines
from kosim.encoders.table_formats.rows import MOST_COLUMNS, ReadingOptions, Row, check_columns
from kosim.encoders.table_formats.source import Source

LONGEST_CELL = 1 << 24
"""Characters of the longest cell of a CSV file."""

_SEPARATORS = {
    ",": Line("commas", "쉼표"),
    "\t": Line("tabs", "탭"),
    ";": Line("semicolons", "쌍반점"),
    "|": Line("vertical bars", "세로줄"),
}
_SENTENCE = re.compile(r"\S\s.*[.?!。…？！다요죠까]$")
_LONGEST_COLUMN_NAME = 100

Cells = Iterator[tuple[int, Sequence[str], DataError | None]]
"""Rows of cells, each with the number of its line and with what is wrong with it."""


def csv_rows(source: Source, options: ReadingOptions) -> Iterator[Row]:
    """Yield the rows of a CSV file; a first line without commas may have other separators."""
    return _separated_rows(source, options, ",", quoted=True)


def tsv_rows(source: Source, options: ReadingOptions) -> Iterator[Row]:
    """Yield the rows of a TSV file: a quote is text, unless all names of columns are quoted."""
    return _separated_rows(source, options, "\t", quoted=False)


def is_number(cell: str) -> bool:
    """Tell whether a cell of a table is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def names_columns(cells: Sequence[str], wanted: Sequence[str]) -> bool:
    """Tell whether the first line of a table names its columns, or is data already.

    It names them if a name is known or wanted. Otherwise it is data if columns are wanted by
    their number, or if a cell is a number or a sentence.
    """
    names = {comparable_name(cell) for cell in cells}
    if names & KNOWN or names & {comparable_name(name) for name in wanted}:
        return True
    if wanted:
        return not all(name.isdecimal() for name in wanted)
    if list(cells) == [str(number) for number in range(len(cells))]:
        return True  # pandas names unnamed columns so
    return not any(
        is_number(cell) or len(cell) > _LONGEST_COLUMN_NAME or _SENTENCE.search(cell.strip())
        for cell in cells
    )


def cell_rows(
    name: str, rows: Cells, options: ReadingOptions, *, unit: str = "line"
) -> Iterator[Row]:
    """Turn rows of cells into records by column; rows without any content are left out.

    Trailing columns without a name are dropped where they are empty; one that holds something is
    called by its number, such as ``column 4``. Without a line of names, columns are called by
    their numbers, ``1`` to ``n``.

    Raises:
        DataError: there is no row, a name appears twice, or there are more than `MOST_COLUMNS`.
    """
    filled: Cells = (row for row in rows if any(row[1]) or row[2])
    first = next(filled, None)
    if first is None:
        raise DataError(f"{name} is empty: its first line must name the columns")
    number, header, error = first
    if error:
        raise error
    check_columns(name, len(header), f"{unit} {number}: ")
    names = [cell.strip().strip("\ufeff\u200b") for cell in header]
    if not names_columns(names, options.wanted):
        options.notice(
            both(
                "{name}: {unit} {number} ({columns}) is data and names no columns; they are called "
                "by their numbers, 1 to {n}",
                "{name}: {number}행({columns})은 열 이름이 아니라 데이터이므로 열을 1~{n}번으로 "
                "부릅니다",
                name=name,
                unit=unit,
                number=str(number),
                columns=Line(listed(names, 4), listed(names, 4, more=" 외 {n}개")),
                n=str(len(names)),
            )
        )
        names = [str(position) for position in range(1, len(header) + 1)]
        filled = chain([first], filled)
    elif len(names) == 1 and not options.wanted and comparable_name(names[0]) not in KNOWN:
        options.notice(
            both(
                "{name}: {unit} {number}, {column}, was taken as the name of the only column",
                "{name}: {number}행({column})은 하나뿐인 열의 이름으로 읽었습니다",
                name=name,
                unit=unit,
                number=str(number),
                column=repr(printable(names[0])),
            )
        )
    width = len(names)
    while names and not names[-1]:
        names.pop()
    columns = [column or f"column {position}" for position, column in enumerate(names, 1)]
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise DataError(
            f"{name}: column {printable(repeated[0])!r} appears twice in the first line; rename it"
        )
    for number, cells, error in filled:
        where = f"{unit} {number}"
        record = {}
        if error is None:
            record = dict(zip(columns, (cell or None for cell in cells), strict=False))
            for position, cell in enumerate(cells[len(columns) :], len(columns) + 1):
                if cell and position <= min(width, MOST_COLUMNS):
                    record[f"column {position}"] = cell
                elif cell:
                    error = _wrong_number(name, where, len(cells), width)
            if len(cells) < len(columns):
                error = _wrong_number(name, where, len(cells), width)
        yield Row(where, {} if error else record, error)


def _wrong_number(name: str, where: str, found: int, expected: int) -> DataError:
    return DataError(
        f"{name}: {where}: {found} cells where the first line has {expected}; check its "
        "separators and quotes"
    )


def _separated_rows(
    source: Source, options: ReadingOptions, expected: str, *, quoted: bool
) -> Iterator[Row]:
    lines = Lines(source, options)
    iterator = iter(lines)
    start = []
    for line in iterator:
        start.append(line)
        if line.strip():
            break
    first = start[-1] if start else ""
    separator = _separator(first, expected, options.wanted)
    if separator != expected:
        quoted = True
        options.notice(
            both(
                "{name}: its cells are separated by {found}, not by {expected}",
                "{name}: 칸을 나누는 기호가 {expected} 대신 {found}입니다",
                name=source.name,
                found=_SEPARATORS[separator],
                expected=_SEPARATORS[expected],
            )
        )
    elif not quoted and _is_quoted(first):
        quoted = True
        options.notice(
            both(
                "{name}: its cells stand in quotes, which are no part of the text",
                "{name}: 칸을 감싼 따옴표는 글에 넣지 않았습니다",
                name=source.name,
            )
        )
    read = _quoted_cells if quoted else _plain_cells
    cells = read(source, lines, chain(start, iterator), separator)
    return cell_rows(source.name, cells, options)


def _separator(line: str, expected: str, wanted: Sequence[str]) -> str:
    """Return what separates the cells of a first line; the expected separator where it occurs."""
    if expected in line:
        return expected
    known = KNOWN | {comparable_name(name) for name in wanted}
    for other in _SEPARATORS:
        try:
            cells = next(csv.reader([line.rstrip("\r\n")], delimiter=other), [])
        except csv.Error:
            continue  # such as a carriage return inside the line, which reading it will name
        if len(cells) > 1 and not known.isdisjoint(map(comparable_name, cells)):
            return other
    return expected


def _is_quoted(line: str) -> bool:
    cells = line.rstrip("\r\n").split("\t")
    return all(len(cell) > 2 and cell[0] == cell[-1] == '"' for cell in cells)


def _quoted_cells(source: Source, lines: Lines, texts: Iterator[str], separator: str) -> Cells:
    # The limit is the whole process's; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
    reader = csv.reader(texts, delimiter=separator, strict=True)
    while True:
        # A quoted cell may hold line ends: a row is known by the line it starts on.
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            refused = _bad_cells(source.name, number, str(error))
            if reader.line_num > number:
                # An open quote swallowed lines: nobody can tell where the next row starts.
                raise refused from error
            yield number, [], lines.take_error() or refused
            continue
        if cells is None:
            return
        yield number, cells, lines.take_error()


def _bad_cells(name: str, number: int, reason: str) -> DataError:
    if "field larger" in reason:
        remedy = f"the limit is {LONGEST_CELL:,} characters; is a quote left open?"
    elif "new-line" in reason:
        remedy = "save the file with the line ends of Windows or Unix"
    else:
        remedy = (
            "in CSV, a text with a comma or a quote stands in quotes, and a quote inside it is "
            'doubled ("")'
        )
    return DataError(f"{name}: line {number}: {reason}; {remedy}")


def _plain_cells(source: Source, lines: Lines, texts: Iterator[str], separator: str) -> Cells:
    for number, line in enumerate(texts, 1):
        text = line.rstrip("\r\n")
        yield number, text.split(separator) if text else [], lines.take_error()
