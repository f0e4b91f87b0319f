"""Values with their uncertainty: an estimate, and a difference of two, computed and written once.

An estimate reads ``0.881 [0.862, 0.899]``, a difference carries its sign, and a figure without a
value is a dash with its reason. A difference knows its two sides and can be turned round, so that
no sentence pairs a value of one direction with an interval of the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from kosim.encoders.language import Line, Text, both
from kosim.experiments.study.notation import DASH, decimal, p_value, signed
from kosim.experiments.study.results import Record

ALPHA = 0.05
"""A difference whose p-value is at most this is called significant."""


@dataclass(frozen=True)
class Undefined:
    """Why a figure has no value."""

    undefined: str

    @property
    def cause(self) -> str:
        """What was wrong.

        Only the cause is kept of what our errors say (``cause, so consequence; advice``): a
        report shows the consequence, and has nobody to advise.
        """
        return re.split(";|, so ", self.undefined)[0]

    @property
    def why(self) -> Line:
        """The cause in both languages, where it is one that our metrics give."""
        korean = self.cause
        for english, said in _CAUSES.items():
            korean = re.sub(f"^{english}$", said, korean)
        return Line(self.cause, korean)

    def __str__(self) -> str:
        return f"{DASH} ({self.cause})" if self.cause else DASH


_CAUSES = {
    r"no label reaches (\S+)": r"정답이 \1 이상인 쌍이 없음",
    r"no score reaches (\S+)": r"점수가 \1 이상인 쌍이 없음",
    r"the labels are constant \(all (\S+)\)": r"정답이 모두 \1",
    r"the scores are constant \(all (\S+)\)": r"점수가 모두 \1",
    r"a correlation of (\d+) pairs is undefined": r"\1쌍으로는 상관을 구할 수 없음",
    r"fewer than (\d+) pairs": r"\1쌍 미만",
    r"fewer than (\d+) items": r"\1문항 미만",
    r"the metric is undefined in (\d+) of (\d+) resamples of these (\d+) pairs": (
        r"\3쌍의 재표집 \2번 가운데 \1번에서 구할 수 없음"
    ),
}


@dataclass(frozen=True)
class Estimate:
    """A metric's value and the interval of its true value."""

    value: float
    low: float
    high: float

    @property
    def interval(self) -> str:
        """The interval as ``[0.862, 0.899]``."""
        return f"[{decimal(self.low)}, {decimal(self.high)}]"

    def __str__(self) -> str:
        return f"{decimal(self.value)} {self.interval}"


@dataclass(frozen=True)
class Difference:
    """``first`` minus ``second``, its interval, and the p-value of no true difference.

    ``p_adjusted`` is the p-value adjusted for the number of comparisons, where that was done;
    ``pairs_needed`` says how many units would show a true difference of this size.
    """

    value: float
    low: float
    high: float
    p_value: float
    p_adjusted: float | None = None
    pairs_needed: int | None = None
    first: Annotated[str, Field(exclude=True)] = ""
    second: Annotated[str, Field(exclude=True)] = ""

    @property
    def p(self) -> float:
        """The p-value, adjusted where it is."""
        return self.p_value if self.p_adjusted is None else self.p_adjusted

    @property
    def significant(self) -> bool:
        """Whether chance alone is an unlikely explanation, at 5%."""
        return self.p <= ALPHA

    @property
    def interval(self) -> str:
        """The interval as ``[0.004, 0.034]``."""
        return f"[{decimal(self.low)}, {decimal(self.high)}]"

    @property
    def stated(self) -> str:
        """The difference, its interval and its p-value."""
        return f"{self}, {p_value(self.p)}"

    def turned(self) -> Difference:
        """Return ``second`` minus ``first``."""
        return replace(
            self,
            value=-self.value,
            low=-self.high,
            high=-self.low,
            first=self.second,
            second=self.first,
        )

    def upward(self) -> Difference:
        """Return the same difference with the higher side first."""
        return self.turned() if self.value < 0 else self

    def __str__(self) -> str:
        return f"{signed(self.value)} {self.interval}"


Figure = Estimate | Undefined | None
Tested = Difference | Undefined | None


def written(figure: Figure | Tested) -> Text:
    """Return a figure as tables show it; a dash with the reason where there is none."""
    if isinstance(figure, Undefined) and figure.cause:
        return both("{dash} ({why})", "{dash} ({why})", dash=DASH, why=figure.why)
    return DASH if figure is None else str(figure)


def tested(figure: Tested) -> tuple[Text, str]:
    """Return a difference as tables show it, and its p-value, adjusted where it is."""
    return written(figure), p_value(figure.p if isinstance(figure, Difference) else None)


class Comparison(Record):
    """Two contenders, tested against each other by each metric; ``first`` minus ``second``.

    The metrics stand beside the names, as ``results.json`` has them.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Tested]

    first: str
    second: str

    @model_validator(mode="after")
    def _named(self) -> Self:
        for name, found in self.metrics.items():
            if isinstance(found, Difference):
                self.metrics[name] = replace(found, first=self.first, second=self.second)
        return self

    @property
    def metrics(self) -> dict[str, Tested]:
        """The differences by metric."""
        return self.__pydantic_extra__

    def difference(self, metric: str) -> Difference | None:
        """Return the difference by a metric, or None where it has no value."""
        found = self.metrics.get(metric)
        return found if isinstance(found, Difference) else None


def between(
    comparisons: Iterable[Comparison | None], first: str, second: str, metric: str
) -> Difference | None:
    """Return ``first`` minus ``second``, whichever way round it was recorded; None if undefined."""
    for entry in comparisons:
        if entry is not None and {entry.first, entry.second} == {first, second}:
            found = entry.difference(metric)
            return found.turned() if found is not None and entry.first != first else found
    return None
