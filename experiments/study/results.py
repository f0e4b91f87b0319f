"""Typed results: what every experiment writes to results.json, and reads from it again."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from kosim.encoders.artifact import library_versions
from kosim.experiments.study.environment import describe_environment

FORMAT = 1
RESULTS = "results.json"
Arguments = ParamSpec("Arguments")


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

    @classmethod
    def of(
        cls, seconds: Sequence[Any] | npt.NDArray[Any], *, queries: int | None = None
    ) -> Latency:
        """Return the median and the 95th percentile of times in seconds."""
        p50, p95 = 1000 * np.percentile(seconds, [50, 95])
        return cls(p50=float(p50), p95=float(p95), queries=queries)


def seconds_of(
    action: Callable[Arguments, object], *args: Arguments.args, **options: Arguments.kwargs
) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    action(*args, **options)
    return time.perf_counter() - started
