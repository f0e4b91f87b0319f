"""Tables of key facts from nested records whose fields this room does not know by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kosim.experiments.study.notation import DASH, count
from kosim.experiments.study.report.document import Results, Table

_SPLITS = ("train", "validation", "test")
_APART = ("by_source", "histogram")
"""Parts of a split that have their own table, or are too long for one."""


def data(results: Results) -> list[Table]:
    """Return the data report: the splits side by side, their sources, and everything else."""
    report = results.get("data") or {}
    splits = {name: report[name] for name in _SPLITS if isinstance(report.get(name), Mapping)}
    rest = {name: part for name, part in report.items() if name not in splits}
    tables = []
    if splits:
        columns = {name: dict(_flatten(split)) for name, split in splits.items()}
        keys = dict.fromkeys(key for facts in columns.values() for key in facts)
        rows = tuple((key, *(facts.get(key, DASH) for facts in columns.values())) for key in keys)
        tables.append(Table("Splits", ("", *columns), rows))
    tables += [
        _sources(name, split["by_source"])
        for name, split in splits.items()
        if split.get("by_source")
    ]
    return [*tables, *record("Between and after the splits", rest)]


def record(caption: str, values: Mapping[str, Any]) -> list[Table]:
    """Return a table of names and values, or none where there are no values."""
    rows = tuple(_flatten(values))
    return [Table(caption, ("", ""), rows, frozenset({1}))] if rows else []


def _sources(split: str, sources: Mapping[str, Mapping[str, Any]]) -> Table:
    flat = {source: dict(_flatten(facts)) for source, facts in sources.items()}
    keys = dict.fromkeys(key for facts in flat.values() for key in facts)
    rows = tuple(
        (source, *(facts.get(key, DASH) for key in keys)) for source, facts in flat.items()
    )
    return Table(f"Sources of the {split} pairs", ("Source", *keys), rows)


def _flatten(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{path}{str(key).replace('_', ' ')}"
        if key in _APART:
            continue
        if isinstance(value, Mapping) and set(value) == {"n", "rows"}:
            yield name, _counted(value)
        elif isinstance(value, Mapping):
            yield from _flatten(value, f"{name}: ")
        else:
            yield name, _written(value)


def _counted(found: Mapping[str, Any]) -> str:
    shown = ", ".join(map(str, found["rows"]))
    more = ", …" if found["n"] > len(found["rows"]) else ""
    return count(found["n"]) + (f" (row {shown}{more})" if shown else "")


def _written(value: Any) -> str:
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) >= 0.001 else f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value)) or DASH
    return str(value)
