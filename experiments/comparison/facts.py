"""What the finding needs to know, read from the results of a comparison."""

from __future__ import annotations

from functools import cached_property

from kosim.encoders.base import Kind
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.study.figures import Difference, Estimate, Figure, between
from kosim.experiments.study.language import Line

METRIC = "pearson"
TINY = 0.005
"""A difference in Pearson below this is no reason to pay for the slower encoder."""
FEW_PAIRS = 200
"""Below this many test pairs a 95% interval around a Pearson of 0.85 is wider than 0.08."""

_KINDS = {"bi": Line("bi-encoder", "바이인코더"), "cross": Line("cross-encoder", "크로스인코더")}


class Facts:
    """The results, asked the questions that a verdict answers.

    ``ranking`` lists the contenders with a defined Pearson, best first; ``leader`` and ``rival``
    are the first two. ``sure`` says that the leader is told from every other contender.
    """

    def __init__(self, results: ComparisonResults) -> None:
        self.results, self.encoders, self.cost = results, results.encoders, results.cost
        found = {name: self.metric(name) for name in self.encoders}
        self.values = {name: f.value for name, f in found.items() if isinstance(f, Estimate)}
        self.ranking = sorted(self.values, key=lambda name: -self.values[name])
        self.leader, self.rival = (*self.ranking[:2], None, None)[:2]

    @cached_property
    def sure(self) -> bool:
        """Whether the leader is told from every other contender."""
        if self.rival is None or len(self.encoders) != len(self.ranking):
            return False
        gaps = [self.gap(self.ranking[0], other) for other in self.ranking[1:]]
        return all(gap is not None and gap.value > 0 and gap.significant for gap in gaps)

    def kind(self, name: str) -> Kind:
        """Return "bi" or "cross"."""
        return self.encoders[name].kind

    def name(self, contender: str) -> Line:
        """Return what to call a contender: its kind, and its name where that alone is ambiguous."""
        kind = self.kind(contender)
        noun = _KINDS[kind]
        if sum(self.kind(other) == kind for other in self.encoders) == 1:
            return Line(f"the {noun.en}", noun.ko)
        return Line(f"the {noun.en} “{contender}”", f"‘{contender}’ {noun.ko}")

    def best(self, kind: str) -> str | None:
        """Return the contender of that kind with the highest Pearson."""
        return next((name for name in self.ranking if self.kind(name) == kind), None)

    def costed(self, kind: str) -> str | None:
        """Return the contender of that kind whose corpus costs were measured.

        That is the one of the main difference, or the first of its kind.
        """
        main = self.results.difference
        named = (main.first, main.second) if main else ()
        known = (name for name in [*named, *self.encoders] if name in self.encoders)
        return next((name for name in known if self.kind(name) == kind), None)

    def metric(self, name: str, metric: str = METRIC) -> Figure:
        """Return a contender's figure on the test set."""
        return self.encoders[name].test.get(metric)

    def gap(self, one: str, other: str, metric: str = METRIC) -> Difference | None:
        """Return ``one`` minus ``other``, or None where that is undefined."""
        results = self.results
        recorded = results.pairwise if len(self.encoders) > 2 else [results.difference]
        return between(recorded, one, other, metric)

    def seed_values(self, name: str) -> list[float]:
        """Return a contender's Pearson by seed, where it is defined."""
        tests = [seed.test.get(METRIC) for seed in self.encoders[name].seeds.values()]
        return [figure.value for figure in tests if isinstance(figure, Estimate)]

    def is_trained(self, name: str) -> bool:
        """Whether this run trained the contender."""
        return any(seed.history for seed in self.encoders[name].seeds.values())
