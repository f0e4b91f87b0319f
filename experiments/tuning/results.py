"""The typed results of a tuning."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from kosim.encoders.records import Kind
from kosim.experiments.comparison.results import PairedComparison
from kosim.experiments.study.figures import Figure
from kosim.experiments.study.results import Record, Results


class TrialResults(Record):
    """One trial: its values, and the metric of each seed, None where it did not end."""

    number: int
    state: str
    value: float | None
    values: dict[str, Any]
    purpose: str | None = None
    per_seed: list[float] = Field(default_factory=list)
    epochs: int = 0
    seconds: float | None = None
    curves: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    reported: dict[str, float] = Field(default_factory=dict)
    outcome: str | None = None


class ParameterResults(Record):
    """One hyperparameter: its base and best value, and what the change is worth.

    ``effect`` is the gain of going from base to best while all else stays at the base, where
    such a trial was run, and ``effect_spread`` its standard deviation over the seeds;
    ``importance`` is fANOVA's (Hutter et al. 2014).
    """

    name: str
    base: Any
    best: Any
    importance: float | None = None
    effect: float | None = None
    effect_spread: float | None = None


class TuneCost(Record):
    """Sums over the trials; their number by state stands under the state's name."""

    model_config = ConfigDict(extra="allow")

    out_of_memory: int = 0
    epochs: int
    epochs_unpruned: int
    epochs_saved: float
    seconds: float = 0.0


class TestResults(Record):
    """Base and best on the test pairs."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    difference: PairedComparison
    encoders: dict[str, dict[str, Figure]]


class TuneResults(Results):
    """What a study found; ``test`` is None where the test pairs were left alone."""

    study: str
    kind: Kind
    metric: str
    sampler: str
    prune: str | None = None
    seeds: list[int]
    base: TrialResults | None = None
    best: TrialResults
    parameters: list[ParameterResults]
    trials: list[TrialResults]
    cost: TuneCost
    settings: dict[str, Any]
    test: TestResults | None = None

    @property
    def changed(self) -> list[ParameterResults]:
        """The parameters whose best value is not that of the base."""
        return [parameter for parameter in self.parameters if parameter.base != parameter.best]
