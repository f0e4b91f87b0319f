"""The model cards of what is bundled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kosim.encoders.base import Kind
from kosim.encoders.provenance import Provenance


def backbone_card(provenance: Provenance, results: Path) -> str:
    """Return the card of the backbone, with the figures of the runs that there are."""
    runs: dict[str, list[dict[str, Any]]] = {
        kind: json.loads(file.read_text("utf-8")) if file.is_file() else []
        for kind in ("bi", "cross")
        for file in [results / f"{kind}-runs.json"]
    }
    return _rendered(
        "card.md.j2",
        made=provenance.steps,
        versions=provenance.versions,
        runs=runs,
        starts=_means(runs),
    )


def encoder_card(kind: Kind, name: str, figures: dict[str, Any], validation: float) -> str:
    """Return the card of a fine-tuned encoder: its test ``figures``, and how it was chosen."""
    return _rendered(
        "encoder_card.md.j2", kind=kind, name=name, figures=figures, validation=validation
    )


def _rendered(template: str, **values: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)


def _means(runs: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the mean Pearson and F1 over seeds, a row for each start."""
    starts = dict.fromkeys(run["start"] for part in runs.values() for run in part)
    rows = []
    for start in starts:
        row: dict[str, Any] = {"start": start}
        for kind, part in runs.items():
            found = [run for run in part if run["start"] == start]
            row[kind] = {
                "seeds": len(found),
                **{
                    name: sum(run[name] for run in found) / len(found) if found else None
                    for name in ("pearson", "f1")
                },
            }
        rows.append(row)
    return rows
