"""What the finding needs to know, read from the results of a comparison."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from pathlib import PurePath

from kosim.encoders.language import Line, Text
from kosim.encoders.records import Kind
from kosim.experiments.comparison.results import ComparisonResults
from kosim.experiments.study.figures import Difference, Estimate, Figure, between
from kosim.experiments.study.notation import KIND_NAMES

METRIC = "pearson"
TINY = 0.005
"""A difference in Pearson below this is no reason to pay for the slower encoder."""
FEW_PAIRS = 200
"""Below this many test pairs a 95% interval around a Pearson of 0.85 is wider than 0.08."""
FEW_DISTINCT = 0.5
"""Where fewer than this share of the test pairs are distinct, their number misleads."""
SCRATCH_NOTE = Line(
    "a small ELECTRA with random weights and a vocabulary made on the spot from the training "
    "sentences; it knows no Korean beyond them",
    "무작위 가중치의 작은 ELECTRA. 어휘는 학습 문장으로 그 자리에서 만들었고, 그 밖의 한국어는 "
    "모름",
)
"""What a backbone from scratch is, as the results say it in English."""

_SPLIT = r"(^|[\s_.-])\(?(train|test|dev|valid|validation)\)?$"


def labels(results: ComparisonResults) -> dict[str, Text]:
    """Return what tables and plots call each contender: its kind where it has no other name."""
    encoders = results.encoders
    kinds = Counter(encoder.kind for encoder in encoders.values())
    return {
        name: KIND_NAMES[encoder.kind] if name == encoder.kind and kinds[name] == 1 else name
        for name, encoder in encoders.items()
    }


def against(results: ComparisonResults, first: str, second: str) -> Line:
    """Return the name of a difference of two contenders."""
    named = labels(results)
    if all(isinstance(named[name], Line) for name in (first, second)):
        return Line(f"{first} − {second}", f"{_SHORT[first]} − {_SHORT[second]}")
    return Line.join(" − ", [named[first], named[second]])


_SHORT = {"bi": "바이", "cross": "크로스"}


def data_name(results: ComparisonResults) -> str:
    """Return what the test pairs are called, without the word for their split."""
    test = results.test_report
    named = str(results.config.get("data", {}).get("dataset") or test.get("name") or results.name)
    stem = re.sub(_SPLIT, "", named)
    if stem:
        return stem
    return PurePath(str(test.get("origin", ""))).parent.name or named


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

    @property
    def distinct_pairs(self) -> int | None:
        """The number of test pairs, copies and swapped ones counted once where that was noted."""
        found = self.results.test_report.get("distinct_pairs")
        return self.results.test_pairs if found is None else found

    @cached_property
    def sure(self) -> bool:
        """Whether the leader is told from every other contender."""
        if self.rival is None or len(self.encoders) != len(self.ranking):
            return False
        gaps = [self.gap(self.ranking[0], other) for other in self.ranking[1:]]
        return all(gap is not None and gap.value > 0 and gap.significant for gap in gaps)

    @cached_property
    def decisive(self) -> Difference | None:
        """The leader minus the rival, or minus the first from which it is not told, if any."""
        if self.rival is None:
            return None
        first, *more = [self.gap(self.ranking[0], other) for other in self.ranking[1:]]
        if first is None or not first.significant:
            return first
        return next((gap for gap in more if gap and not gap.significant), first)

    def kind(self, name: str) -> Kind:
        """Return "bi" or "cross"."""
        return self.encoders[name].kind

    def name(self, contender: str) -> Line:
        """Return what to call a contender: its kind, and its name where that alone is ambiguous."""
        kind = self.kind(contender)
        noun = KIND_NAMES[kind]
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
        """Whether a training of the contender is known, of this run or of an earlier one."""
        return any(seed.history for seed in self.encoders[name].seeds.values())

    def is_saved(self, name: str) -> bool:
        """Whether the contender was compared as it had been saved."""
        return self.results.asked(name).get("artifact") is not None
