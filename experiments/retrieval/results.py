"""The typed results of a retrieval evaluation."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from kosim.encoders.language import Line
from kosim.experiments.study.figures import Comparison, Difference, Estimate, between
from kosim.experiments.study.results import Latency, Record, Results
from kosim.index.searchable import Mode

_NAMES: dict[Mode, Line] = {
    "lexical": Line("BM25", "BM25 검색"),
    "hybrid": Line("hybrid (BM25 + bi-encoder)", "혼합 검색(BM25 + 바이인코더)"),
    "dense": Line("bi-encoder", "바이인코더 검색"),
}

NO_RERANKER = Line(
    "bi-encoder, then cross-encoder: no --reranker was given",
    "크로스인코더 재순위화: --reranker를 주지 않음",
)
NOT_CALIBRATED = Line(
    "bi-encoder, then both: an encoder is not calibrated (see kosim adopt)",
    "두 인코더 점수로 재순위화: 보정되지 않은 인코더가 있음(kosim adopt 참고)",
)
"""Why ways to search were left out, as results say it in English."""

MEAN = 0.5
"""The interpolation that is the mean of both encoders' scores."""


def way_name(mode: Mode, depth: int | None, interpolation: float = 0.0) -> Line:
    """Return what a way to search is called in reports."""
    first = _NAMES[mode]
    if depth is None:
        return first
    if interpolation == MEAN:
        return Line(
            f"{first.en}, then the mean of both on {depth}",
            f"두 인코더 평균 재순위화(상위 {depth}개)",
        )
    if interpolation:
        return Line(
            f"{first.en}, then both ({interpolation:g} bi) on {depth}",
            f"두 인코더 점수를 섞어 재순위화(바이 {interpolation:g}, 상위 {depth}개)",
        )
    return Line(
        f"{first.en}, then cross-encoder on {depth}", f"크로스인코더 재순위화(상위 {depth}개)"
    )


class TaskFacts(Record):
    """How many documents and queries there were, and further facts under their own names."""

    model_config = ConfigDict(extra="allow")

    documents: int
    queries: int
    groups: int


class WayResults(Record):
    """One way to search: what it finds, and how long a query takes."""

    key: str
    mode: Mode
    depth: int | None
    interpolation: float = 0.0
    metrics: dict[str, Estimate]
    latency_ms: Latency
    cross_encoder_calls: int = 0

    @property
    def name(self) -> Line:
        """What it is called in reports."""
        return way_name(self.mode, self.depth, self.interpolation)


class RetrievalResults(Results):
    """Every way to search on the same queries, and the tests between them."""

    primary: str
    task: TaskFacts
    settings: dict[str, Any] = Field(default_factory=dict)
    rows: list[WayResults]
    left_out: list[str] = Field(default_factory=list)
    best_possible: dict[str, float] = Field(default_factory=dict)
    comparisons: list[Comparison]
    source: dict[str, Any] = Field(default_factory=dict)
    index: dict[str, Any] = Field(default_factory=dict)
    encoders: dict[str, Any] = Field(default_factory=dict)

    @property
    def ways(self) -> dict[str, WayResults]:
        """The rows by key."""
        return {row.key: row for row in self.rows}

    def figure(self, way: WayResults) -> Estimate:
        """Return a way's primary metric."""
        return way.metrics[self.primary]

    def between(self, first: str, second: str) -> Difference | None:
        """Return ``first`` minus ``second`` by the primary metric, whichever way it was tested."""
        return between(self.comparisons, first, second, self.primary)
