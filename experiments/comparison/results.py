"""The typed results of a comparison."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, ConfigDict, Field

from kosim.encoders.records import Kind
from kosim.experiments.settings import without_unused
from kosim.experiments.study.figures import (
    Comparison,
    Difference,
    Estimate,
    Figure,
    Undefined,
    between,
)
from kosim.experiments.study.results import Latency, Record, Results

COMPARED = ("pearson", "spearman", "f1", "f1_tuned")
"""The metrics whose difference is tested."""
MEAN = "mean"
"""What the mean of both scores is called in a difference."""


class SourceResults(Record):
    """One contender on the n test pairs of one source."""

    n: int
    pearson: Figure = None
    f1: Figure = None


class ReliabilityBand(Record):
    """The n pairs whose score lies from ``low`` to below ``high``: mean score and mean label."""

    low: float
    high: float
    n: int
    score: float
    label: Estimate


class ChosenThreshold(Record):
    """A threshold that was chosen on validation pairs for a goal, and its figures on the test."""

    goal: str
    threshold: float
    validation_pairs: int
    test: dict[str, Figure]


class EvaluationResults(Record):
    """One saved encoder on n test pairs."""

    model: str
    kind: Kind
    n: int
    threshold: float
    calibrated: bool = True
    test: dict[str, Figure]
    by_source: dict[str, SourceResults]
    reliability: list[ReliabilityBand] = Field(default_factory=list)
    f1_plateau: tuple[float, float] | None = None
    chosen: ChosenThreshold | None = None


class Spread(Record):
    """How far a metric varies over seeds; ``sd`` divides by their number less one."""

    mean: float
    sd: float
    min: float
    max: float


class SwapAsymmetry(Record):
    """How much scores depend on the order of a pair, in points of 0-5.

    ``verdict_flips`` is the share of pairs whose decision depends on it, ``pearson_symmetric``
    the Pearson of the mean of both orders' scores, None where that is undefined.
    """

    mean_absolute: float
    p95_absolute: float
    max_absolute: float
    verdict_flips: float
    pearson_symmetric: float | None = None


class Training(Record):
    """What one training run did, the best of ``trials``; empty for an encoder of which no
    training is known.

    ``ceiling`` and ``patience`` are the epochs it was given, ``train_pairs`` and ``train_digest``
    the pairs that it learnt from.
    """

    ceiling: int | None = None
    patience: int | None = None
    train_pairs: int | None = None
    train_digest: str | None = None
    best_epoch: int | None = None
    epochs: int | None = None
    steps: int | None = None
    trials: int = 0
    best_epochs: dict[str, int] = Field(default_factory=dict)
    select: str | None = None
    loss: str | None = None
    train_seconds: float | None = None
    history: list[dict[str, Any]] = Field(default_factory=list)
    processes: int = 1
    notices: list[str] = Field(default_factory=list)


class SeedResults(Training):
    """One contender as one seed made it; ``constant`` says that all its scores are the same."""

    test: dict[str, Figure]
    constant: bool = False
    threshold: float | None = None


class ScorePlot(Record):
    """What the plots of scores show, without any text: of the first seed and over all.

    ``density`` counts pairs by label (rows) and score (columns) in cells of ``CELL`` points;
    ``f1`` is the mean F1 over seeds at thresholds 0, 0.05, ... 5, None where undefined.
    """

    density: list[list[int]]
    f1: list[float] | None = None


class ContenderResults(Record):
    """One contender on the test pairs: means over its seeds, and each seed."""

    kind: Kind
    backbone: str
    revision: str | None = None
    backbone_note: str | None = None
    calibrated: bool = True
    loss: str | None = None
    parameters: int | None = None
    test: dict[str, Figure]
    by_source: dict[str, SourceResults] = Field(default_factory=dict)
    train_seconds: float | None = None
    pairs_per_second: float | None = None
    swap_asymmetry: SwapAsymmetry | None = None
    seed_spread: dict[str, Spread] | None = None
    scores: ScorePlot | None = None
    reliability: list[ReliabilityBand] = Field(default_factory=list)
    seeds: dict[str, SeedResults]


class McNemarResults(Record):
    """McNemar's mid-p test of the decisions of two contenders."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]

    threshold: float
    p_value: float

    def only_right(self, name: str) -> int | None:
        """Return how many pairs only this contender decided rightly."""
        return self.__pydantic_extra__.get(f"only_{name}_right")


class PairedComparison(Comparison):
    """Two contenders on the same test pairs, with the classical tests beside the bootstrap."""

    mcnemar: McNemarResults | None = None
    williams_p_value: float | None = None


class MeanOfBoth(Record):
    """The mean of a bi- and a cross-encoder's scores of the test pairs, beside each alone.

    ``gains`` are its differences in Pearson from each of the two, `MEAN` first.
    """

    bi: str
    cross: str
    pearson: Figure = None
    f1: Figure = None
    gains: list[Comparison] = Field(default_factory=list)

    def gain(self, over: str) -> Difference | None:
        """Return the mean's Pearson minus that of the contender ``over``; None if undefined."""
        return between(self.gains, MEAN, over, "pearson")

    def beats_both(self, by: float = 0.0) -> bool:
        """Return whether it is surely better than each of the two, and by so much at least.

        Both tests must say so at 5%, and so both err in 5% of cases at most, without adjustment
        (the intersection-union test; Berger, Technometrics 1982).
        """
        gains = [self.gain(name) for name in (self.bi, self.cross)]
        return all(gain and gain.significant and 0 < gain.value >= by for gain in gains)


class SliceComparison(Comparison):
    """Two contenders on the n test pairs of one slice, by ``error`` and ``pearson``.

    ``errors`` are the mean absolute errors in points and ``pearsons`` the correlations by name.
    """

    family: str
    name: str
    n: int
    errors: dict[str, float]
    pearsons: dict[str, float | None]


class SlicedResults(Record):
    """The main comparison slice by slice; ``overall`` is the difference in error on all pairs."""

    first: str
    second: str
    by_kiwi: bool = False
    overall: Difference | None = None
    slices: list[SliceComparison] = Field(default_factory=list)


class CeilingResults(Record):
    """How well a perfect encoder could do on the test labels."""

    split_half: float
    reliability: float
    best_pearson: float


class WordValue(Record):
    """A word of the first or second sentence, and the points that it adds to a score."""

    sentence: int
    word: str
    value: float


class Disagreement(Record):
    """A test pair on which encoders, or encoders and label, lie far apart.

    Every contender's score stands under its name; ``why`` is ``encoders`` or ``label``. ``words``
    are those that matter most to each explained contender, by name.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float]

    why: str
    sentence1: str
    sentence2: str
    source: str = ""
    label: float
    words: dict[str, list[WordValue]] = Field(default_factory=dict)

    def score(self, name: str) -> float | None:
        """Return a contender's score."""
        return self.__pydantic_extra__.get(name)


class EncoderCost(Record):
    """What one encoder costs, as measured on this machine."""

    parameters: int | None = None
    pairs_per_second: float | None = None
    sentences_per_second: float | None = None
    dimension: int | None = None
    single_pair_ms: Latency | None = None


class Job(Record):
    """Seconds of one job on a corpus, by each way to do it."""

    bi_seconds: float | None = None
    rerank_seconds: float | None = None
    cross_seconds: float | None = None


class CorpusCost(Record):
    """What a query and comparing all pairs cost on a corpus of so many sentences."""

    sentences: int
    query: Job = Job()
    all_pairs: Job = Job()
    extrapolated: bool = False


class BreakEven(Record):
    """From how many sentences on the bi-encoder's way is faster."""

    query_sentences: int | None = None
    all_pairs_sentences: int | None = None


class OutOfReach(Record):
    """From how many sentences on a cross-encoder alone exceeds a budget."""

    query_one_second: int | None = None
    all_pairs_one_hour: int | None = None


class Cost(Record):
    """What the contenders cost, measured, and projected to growing corpora."""

    device: str | None = None
    threads: int | None = None
    encoders: dict[str, EncoderCost] = Field(default_factory=dict)
    candidates: int | None = Field(
        None, validation_alias=AliasChoices("candidates", "rerank_candidates")
    )
    corpus: list[CorpusCost] = Field(default_factory=list)
    break_even: BreakEven = BreakEven()
    out_of_reach: OutOfReach = OutOfReach()


class TrivialPredictor(Record):
    """Pearson of counting the character bigrams that two sentences share (their Dice share)."""

    validation: float | None = None
    test: float | None = None


class ComparisonResults(Results):
    """Everything that a comparison found.

    ``difference`` is the main comparison, of two kinds where there are two; ``pairwise`` all of
    them; ``mean_of_both`` the mean of its two encoders' scores, where they are of two kinds and
    calibrated; ``data`` the data report.
    """

    config: dict[str, Any] = Field(default_factory=dict)
    encoders: dict[str, ContenderResults]
    difference: PairedComparison | None = None
    pairwise: list[PairedComparison] = Field(default_factory=list)
    mean_of_both: MeanOfBoth | None = None
    ceiling: CeilingResults | Undefined | None = None
    disagreements: list[Disagreement] = Field(default_factory=list)
    slices: SlicedResults | None = None
    cost: Cost = Cost()
    trivial: TrivialPredictor | None = None
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def used(self) -> dict[str, int]:
        """The number of pairs of each split, those that the data report states."""
        return dict(self.data.get("used", {}))

    @property
    def test_report(self) -> dict[str, Any]:
        """The part of the data report on the test pairs; empty where there is none."""
        return dict(self.data.get("test", {}))

    @property
    def test_pairs(self) -> int | None:
        """The number of test pairs, or None where the data report does not say."""
        return self.used.get("test", self.test_report.get("kept"))

    def asked(self, name: str) -> dict[str, Any]:
        """Return what the settings say of a contender; of a saved one, no training of this run."""
        return without_unused(dict(self.config.get("encoders", {}).get(name, {})))
