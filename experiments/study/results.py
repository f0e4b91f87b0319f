"""Typed results: what every experiment writes to results.json, and reads from it again."""

from __future__ import annotations

import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kosim.encoders.artifact import library_versions
from kosim.experiments.study.environment import describe_environment

FORMAT = 1
RESULTS = "results.json"


class Record(BaseModel):
    """A part of the results. Keys that earlier versions wrote and this one lacks are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Results(Record):
    """The header that the results of every experiment begin with."""

    format: int = FORMAT
    name: str
    created: str
    kosim_version: str
    environment: dict[str, Any] = Field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.created})"

    __str__ = __repr__


def header(name: str, **environment: Any) -> dict[str, Any]:
    """Return the fields of the header for results of now; the environment with additions."""
    versions = library_versions()
    return {
        "name": name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "kosim_version": versions["kosim"],
        "environment": {**describe_environment(), **environment},
    }


class Latency(Record):
    """Milliseconds of one item at a time, and how many were timed where that was noted."""

    p50: float
    p95: float
    queries: int | None = None
