"""The typed results of an evaluation of depth."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kosim.experiments.retrieval.depth.plan import DepthSettings
from kosim.experiments.study.figures import Estimate
from kosim.experiments.study.results import Latency, Record, Results

SCORES_SETTINGS = "scores.json"
"""What the scores of a run were made with, which is written before them."""


class BandResults(Record):
    """What the sample found in one band of cosine ranks, each drawn document for ``weight``."""

    ranks: tuple[int, int]
    scored_per_query: int
    weight: float
    scored: int
    hits: int
    hits_per_query: Estimate


class Scoring(Record):
    """What was scored: everything, or the first ``top`` retrieved and a sample of the others."""

    documents: int
    top: int
    pairs: int
    exhaustive: bool
    bands: list[BandResults] = Field(default_factory=list)


class QueryCounts(Record):
    """How many queries have hits that count, and how many hits there are."""

    count: int
    with_hits: int
    without_hits: int
    hits: float
    own_documents_left_out: int = 0


class DepthRow(Record):
    """What one depth keeps and costs."""

    depth: int
    survival: Estimate
    regret: Estimate
    ndcg: Estimate
    latency_ms: Latency
    cross_encoder_calls: int


class Recommended(Record):
    """The smallest depth that keeps enough, with its interval; None beyond ``deepest``."""

    keep: float
    depth: int | None
    low: int | None
    high: int | None
    deepest: int

    @property
    def span(self) -> str:
        """The interval, such as ``[20, 45]``."""
        ends = [f"> {self.deepest}" if end is None else str(end) for end in (self.low, self.high)]
        return f"[{', '.join(ends)}]"


class Calls(Record):
    """How many candidates the policy reranked for a query."""

    mean: float
    p50: float
    p95: float


class Impossible(Record):
    """A chance that the policy cannot promise, and why."""

    chance: float
    impossible: str


class Replayed(Record):
    """The policy with one allowed chance, replayed on queries that it was not fitted on.

    ``full_calls`` are those of the whole list, of which it ``saved`` a share; ``saved_of_fixed``
    is the share of those of the recommended depth.
    """

    chance: float
    queries: int
    missed: int
    miss_rate: Estimate
    calls: Calls
    full_calls: float
    saved: float
    saved_of_fixed: float | None = None


class Adaptive(Record):
    """The adaptive policy, and what it did at each chance that it may be allowed."""

    fitted_on: int
    sampled: int
    depth: int
    fixed_depth: int | None
    chances: list[Replayed | Impossible]

    @property
    def replayed(self) -> list[Replayed]:
        """The chances that it can promise."""
        return [row for row in self.chances if isinstance(row, Replayed)]


class DepthResults(Results):
    """What each depth keeps of what scoring everything would find.

    ``curve`` is the survival at depths 1, 2, ...; ``adaptive`` is None without a fit.
    """

    settings: DepthSettings
    scoring: Scoring
    queries: QueryCounts
    depths: list[DepthRow]
    curve: list[float]
    recommended: Recommended
    adaptive: Adaptive | None = None
    index: dict[str, Any] = Field(default_factory=dict)
    encoders: dict[str, Any] = Field(default_factory=dict)

    @property
    def replayed(self) -> list[Replayed]:
        """The chances that the policy can promise; none without a policy."""
        return self.adaptive.replayed if self.adaptive is not None else []
