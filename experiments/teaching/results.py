"""The typed results of a run in which encoders teach encoders."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kosim.encoders.records import Kind
from kosim.experiments.comparison.results import PairedComparison
from kosim.experiments.study.figures import Figure
from kosim.experiments.study.results import Record, Results


class SilverFacts(Record):
    """Silver pairs: how many, by point of the scale and by source, and what they cost.

    ``name`` says which labelling of several it is: the step and the seed that learns them.
    ``labelled`` were drawn from by ``mix``, the weights of the points, None where all pairs of a
    file are used; ``disagreed`` were dropped because teachers disagreed; ``left_out`` sentences of
    the corpus had to be kept out. ``labelling`` has for each teacher the pairs that it labelled and
    the seconds, of all calls together; ``mining_seconds`` are of the call that ended it.
    """

    name: str = ""
    pairs: int
    bins: list[int]
    sources: dict[str, int]
    mix: list[float] | None = None
    labelled: int = 0
    disagreed: int = 0
    sentences: int = 0
    read: int = 0
    left_out: int = 0
    mining_seconds: float | None = None
    labelling: dict[str, dict[str, float]] = Field(default_factory=dict)


class StepResults(Record):
    """The encoders that one step of teaching made, one for each seed, or a teacher.

    ``train_pairs`` and ``seconds`` are those of the step's training, in turns of all its stages, 0
    for a teacher; figures are means over seeds.
    """

    kind: Kind
    teacher: bool = False
    train_pairs: int = 0
    seconds: float = 0.0
    validation: dict[str, Figure] = Field(default_factory=dict)
    test: dict[str, Figure] = Field(default_factory=dict)


class TeachResults(Results):
    """What teaching gained, step by step.

    ``gains`` tests each step of a kind against the one before, on the test pairs where there are
    any, else on the validation pairs; ``kept`` names the last or best step of each kind.
    """

    config: dict[str, Any]
    silver: list[SilverFacts]
    steps: dict[str, StepResults]
    gains: list[PairedComparison] = Field(default_factory=list)
    kept: dict[Kind, str]
    validation_pairs: int
    validation_of: str
    test_pairs: int | None = None
