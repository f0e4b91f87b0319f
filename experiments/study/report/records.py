"""Tables of key facts from nested records whose fields this room does not know by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kosim.encoders.language import LANGUAGES, Line, Text
from kosim.experiments.study.notation import DASH, count
from kosim.experiments.study.report.document import Section, Table
from kosim.experiments.study.report.vocabulary import KOREAN
from kosim.experiments.study.results import Results

_APART = ("by_source", "histogram")
"""Parts of a record that have their own table, or are too long for one."""
_IDLE = ("", DASH, "0")
_COUNTED = {"n", "rows"}


def record(caption: Text, values: Mapping[str, Any]) -> list[Table]:
    """Return a table of names and values that say something, or none where there are none."""
    kept = [(name, value) for name, value in _flatten(values) if value not in _IDLE]
    return Table.of(caption, ("", ""), kept, [1])


def origin(
    results: Results, title: Line, facts: Mapping[Line, Mapping[str, Any]], *, key: str = "origin"
) -> Section:
    """Return the folded section of what a run was made with, its environment last."""
    parts = {**facts, Line("Environment", "환경"): results.environment}
    tables = [table for caption, values in parts.items() for table in record(caption, values)]
    return Section(key, title, "", tables, folded=True)


def side_by_side(
    caption: Text, head: Text, records: Mapping[str, Mapping[str, Any]]
) -> list[Table]:
    """Return records as columns, a row for each fact that says something."""
    columns = {name: dict(_flatten(values)) for name, values in records.items()}
    keys = dict.fromkeys(key for facts in columns.values() for key in facts)
    rows = [(key, *(facts.get(key, DASH) for facts in columns.values())) for key in keys]
    kept = [row for row in rows if any(cell not in _IDLE for cell in row[1:])]
    return Table.of(caption, (head, *map(word, columns)), kept)


def one_below_the_other(
    caption: Text, head: Text, records: Mapping[str, Mapping[str, Any]]
) -> list[Table]:
    """Return records as rows, a column for each of their facts."""
    flat = {name: dict(_flatten(facts)) for name, facts in records.items()}
    keys = dict.fromkeys(key for facts in flat.values() for key in facts)
    rows = [(name, *(facts.get(key, DASH) for key in keys)) for name, facts in flat.items()]
    return Table.of(caption, (head, *keys), rows)


def word(key: str) -> Line:
    """Return a key of a record as a reader would say it."""
    english = str(key).replace("_", " ")
    return Line(english, KOREAN.get(str(key), english))


def _flatten(values: Mapping[str, Any], path: tuple[Line, ...] = ()) -> Iterator[tuple[Line, Text]]:
    for key, value in values.items():
        if key in _APART:
            continue
        name = (*path, word(key))
        if isinstance(value, Mapping) and set(value) != _COUNTED:
            yield from _flatten(value, name)
        else:
            yield Line.join(": ", name), _written(value)


def _written(value: Any) -> Text:
    if value is None:
        return DASH
    if isinstance(value, bool):
        return Line("yes", "예") if value else Line("no", "아니요")
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) >= 0.001 else f"{value:g}"
    if isinstance(value, list | tuple):
        return Line.join(", ", map(_written, value)) if value else DASH
    if isinstance(value, Mapping) and set(value) == set(LANGUAGES):
        return Line(**value)
    if isinstance(value, Mapping):
        said = [Line.join(" ", [word(key), _written(each)]) for key, each in value.items()]
        return _counted(value) if set(value) == _COUNTED else Line.join(", ", said)
    return str(value)


def _counted(found: Mapping[str, Any]) -> Text:
    shown = ", ".join(map(str, found["rows"]))
    more = ", …" if found["n"] > len(found["rows"]) else ""
    number = count(found["n"])
    return Line(f"{number} (row {shown}{more})", f"{number} ({shown}{more}행)") if shown else number
