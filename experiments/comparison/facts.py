"""What the verdict needs to know, read from the figures of ``results.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kosim.experiments.study.notation import is_defined

METRIC = "pearson"
ALPHA = 0.05
TINY = 0.005
"""A difference in Pearson below this is no reason to pay for the slower encoder."""
FEW_PAIRS = 200
"""Below this many test pairs a 95% interval around a Pearson of 0.85 is wider than 0.08."""


@dataclass(frozen=True)
class Gap:
    """One contender minus another, with the p-value adjusted where there are more than two."""

    value: float
    low: float
    high: float
    p_value: float
    pairs_needed: int | None
    power_known: bool
    """Whether the results say how many pairs are needed; if so, None means: impractically many."""

    @property
    def significant(self) -> bool:
        """Whether chance alone is an unlikely explanation, at 5%."""
        return self.p_value < ALPHA


class Facts:
    """The results, asked the questions that a verdict answers.

    ``leader`` has the highest Pearson and ``rival`` the next; both are None where that is
    undefined. ``sure`` says that the leader is told from every other contender.
    """

    def __init__(self, results: Mapping[str, Any]) -> None:
        self.results = results
        self.encoders: Mapping[str, Mapping[str, Any]] = results["encoders"]
        self.cost: Mapping[str, Any] = results.get("cost") or {}

    @cached_property
    def ranking(self) -> list[str]:
        """The contenders with a defined Pearson, best first."""
        measured = [name for name in self.encoders if is_defined(self.metric(name))]
        return sorted(measured, key=lambda name: -self.value(name))

    @property
    def leader(self) -> str | None:
        """The contender with the highest Pearson."""
        return self.ranking[0] if self.ranking else None

    @property
    def rival(self) -> str | None:
        """The contender with the second highest Pearson."""
        return self.ranking[1] if len(self.ranking) > 1 else None

    @property
    def others(self) -> list[str]:
        """Every measured contender but the leader, best first."""
        return self.ranking[1:]

    @cached_property
    def sure(self) -> bool:
        """Whether the leader is told from every other contender."""
        if self.leader is None or len(self.encoders) != len(self.ranking) or not self.others:
            return False
        gaps = [self.gap(self.leader, other) for other in self.others]
        return all(gap is not None and gap.value > 0 and gap.significant for gap in gaps)

    @cached_property
    def pairs(self) -> int | None:
        """The number of test pairs, or None where the data report does not say."""
        data = self.results.get("data") or {}
        number: int | None = (data.get("used") or {}).get("test")
        return number if number is not None else (data.get("test") or {}).get("kept")

    def kind(self, name: str) -> str:
        """Return "bi" or "cross"."""
        return str(self.encoders[name]["kind"])

    def best(self, kind: str) -> str | None:
        """Return the contender of that kind with the highest Pearson."""
        return next((name for name in self.ranking if self.kind(name) == kind), None)

    def costed(self, kind: str) -> str | None:
        """Return the contender of that kind whose corpus costs were measured.

        That is the one of the main difference, or the first of its kind.
        """
        main = self.results.get("difference") or {}
        named = [main[side] for side in ("first", "second") if main.get(side) in self.encoders]
        return next((name for name in [*named, *self.encoders] if self.kind(name) == kind), None)

    def metric(self, name: str, metric: str = METRIC) -> Mapping[str, Any] | None:
        """Return a contender's figure on the test set."""
        figure: Mapping[str, Any] | None = self.encoders[name]["test"].get(metric)
        return figure

    def value(self, name: str, metric: str = METRIC) -> float:
        """Return a contender's value of a metric that is defined."""
        return float(self.encoders[name]["test"][metric]["value"])

    def comparison(self, one: str, other: str) -> Mapping[str, Any] | None:
        """Return the recorded comparison of two contenders, in either order."""
        if len(self.encoders) > 2:
            recorded = self.results.get("pairwise") or []
        else:
            recorded = [self.results.get("difference") or {}]
        wanted = {one, other}
        return next((c for c in recorded if {c.get("first"), c.get("second")} == wanted), None)

    def gap(self, one: str, other: str, metric: str = METRIC) -> Gap | None:
        """Return ``one`` minus ``other``, or None where that is undefined."""
        comparison = self.comparison(one, other)
        figure = comparison.get(metric) if comparison else None
        if comparison is None or not is_defined(figure):
            return None
        value, low, high = figure["value"], figure["low"], figure["high"]
        if comparison["first"] != one:
            value, low, high = -value, -high, -low
        p_value = figure.get("p_adjusted", figure["p_value"])
        needed = figure.get("pairs_needed")
        return Gap(value, low, high, p_value, needed, power_known="pairs_needed" in figure)

    def seed_values(self, name: str) -> list[float]:
        """Return a contender's Pearson by seed, where it is defined."""
        tests = [seed["test"].get(METRIC) for seed in self.encoders[name]["seeds"].values()]
        return [float(figure["value"]) for figure in tests if is_defined(figure)]

    def is_trained(self, name: str) -> bool:
        """Whether this run trained the contender."""
        return any(seed.get("history") for seed in self.encoders[name]["seeds"].values())
