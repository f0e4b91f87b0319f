"""The typed results of a speed benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from kosim.encoders.language import Line
from kosim.experiments.study.results import Latency, Record, Results

Task = Literal["encode", "score", "search", "rerank"]

TASKS: dict[Task, Line] = {
    "encode": Line("Encoding sentences", "문장 인코딩"),
    "score": Line("Scoring pairs", "문장 쌍 채점"),
    "search": Line("Search", "검색"),
    "rerank": Line("Search and rerank", "검색 후 재순위화"),
}


class SpeedRow(Record):
    """One task with one backend and precision, the medians over the rounds.

    ``times_faster`` is against the first row of its group, ``agreement`` how far it found the
    same (1 is equality), ``peak_share`` the share of the machine's fastest matrix product.
    """

    task: Task
    encoder: str
    reranker: str | None
    backend: str
    precision: str
    refined: bool = False
    items: int
    bulk_seconds: list[float]
    items_per_second: float
    times_faster: float
    latency_ms: Latency
    cold_start_seconds: float
    opening_seconds: float
    peak_memory_mib: float
    gflops: float | None = None
    peak_share: float | None = None
    agreement: float

    @property
    def title(self) -> Line:
        """What is measured, and of which encoder."""
        return Line.join(", ", [TASKS[self.task], Path(self.reranker or self.encoder).name])

    @property
    def choice(self) -> str:
        """What computed it, and whether it was refined."""
        return f"{self.backend} {self.precision}{' refined' if self.refined else ''}"


class SpeedResults(Results):
    """Every task with every backend and precision, and the peak of the machine."""

    rows: list[SpeedRow]
    peak_gflops: dict[str, float | None] = Field(default_factory=dict)
    settings: dict[str, Any]
    corpus: dict[str, Any] = Field(default_factory=dict)

    @property
    def groups(self) -> list[list[SpeedRow]]:
        """The rows that are compared with one another, together."""
        together: dict[tuple[str | None, ...], list[SpeedRow]] = {}
        for row in self.rows:
            together.setdefault((row.task, row.encoder, row.reranker), []).append(row)
        return list(together.values())
