"""The typed results of a probe."""

from __future__ import annotations

from pydantic import Field

from kosim.encoders.records import Kind
from kosim.experiments.study.figures import Estimate, Tested
from kosim.experiments.study.results import Record, Results


class PhenomenonResults(Record):
    """One encoder on the n items of one phenomenon.

    ``share`` of the items have a higher score for the sentence that means the same; ``margin`` is
    by how many points it is higher, on average.
    """

    n: int
    share: Estimate
    margin: Estimate


class FailedItem(Record):
    """An item that an encoder orders wrongly, with the scores of both pairs."""

    phenomenon: str
    sentence: str
    same: str
    different: str
    score_same: float
    score_different: float


class ProbedEncoder(Record):
    """One encoder on all items: by phenomenon, together, and its worst failures."""

    kind: Kind
    overall: PhenomenonResults
    phenomena: dict[str, PhenomenonResults]
    failures: list[FailedItem] = Field(default_factory=list)


class ShareDifference(Record):
    """The share of two encoders on one phenomenon, ``first`` minus ``second``, paired by item."""

    phenomenon: str
    first: str
    second: str
    share: Tested = None


class ProbeResults(Results):
    """What a probe found; differences are of the first two encoders, adjusted by Holm."""

    items: int
    file: str | None = None
    encoders: dict[str, ProbedEncoder]
    differences: list[ShareDifference] = Field(default_factory=list)

    @property
    def phenomena(self) -> list[str]:
        """The names of the phenomena, in the order of the items."""
        return list(next(iter(self.encoders.values())).phenomena)
