"""What a comparison would do and take, before hours are spent on it."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kosim.encoders.bundle import name_of
from kosim.encoders.language import Line, both
from kosim.encoders.records import Kind
from kosim.encoders.training.timing import TrainingCost, measure_training
from kosim.experiments.comparison.contenders import untrained_encoder
from kosim.experiments.comparison.preflight import check_run, check_trials
from kosim.experiments.data.partition import TrainingSet, load_partition
from kosim.experiments.settings import SCRATCH, CompareSettings, EncoderSettings
from kosim.experiments.study.environment import describe_environment
from kosim.experiments.study.progress import Progress, silent

TIMED_STEPS = 5


@dataclass(frozen=True)
class PlannedContender:
    """One contender of a planned comparison, tuned with ``trials`` before.

    ``cost`` is None where nothing is trained.
    """

    kind: Kind
    backbone: str
    parameters: int | None
    seeds: int
    trials: int
    cost: TrainingCost | None

    @property
    def seconds(self) -> float:
        """The time of all seeds, of all trials before and then, at the ceiling of epochs."""
        return (self.trials + 1) * self.seeds * self.cost.seconds if self.cost else 0.0


@dataclass(frozen=True)
class ComparisonPlan:
    """The data and the contenders of a comparison that was not run; times are estimates.

    ``split_off`` says that the test pairs have no file of their own.
    """

    name: str
    pairs: dict[str, int]
    split_off: bool
    contenders: dict[str, PlannedContender]
    environment: dict[str, str | int]

    @property
    def seconds(self) -> float:
        """The training of all contenders, all trials and seeds, to the ceiling of epochs."""
        return sum(contender.seconds for contender in self.contenders.values())

    def as_json(self) -> dict[str, Any]:
        """Return the plan with the numbers that follow from others."""
        content = asdict(self)
        for name, contender in self.contenders.items():
            content["contenders"][name]["seconds"] = contender.seconds
            if contender.cost:
                content["contenders"][name]["cost"]["steps"] = contender.cost.steps
        return {**content, "seconds": self.seconds}


def plan_comparison(
    settings: CompareSettings, *, trials: int | None = None, progress: Progress = silent
) -> ComparisonPlan:
    """Read the data, time a few training steps of each contender, and return what a run takes.

    Nothing is written and the test pairs are only counted.

    Args:
        settings: the comparison.
        trials: how many configurations of each contender are tried first, None for none.
        progress: told what is being done.

    Raises:
        ConfigError: contenders cannot be tuned so.
        KosimError: what the comparison itself would raise for its data or backbones.
    """
    if trials is not None:
        check_trials(settings, trials)
    progress(Line("reading and cleaning the data", "데이터를 읽고 정리"))
    partition = load_partition(settings.data)
    check_run(settings, partition.training)
    pairs = {"test": len(partition.test.pairs)}
    if partition.training:
        training = partition.training
        pairs = {"train": len(training.train), "validation": len(training.validation), **pairs}
    contenders = {}
    for name, contender in settings.encoders.items():
        if contender.artifact is not None or partition.training is None:
            contenders[name] = PlannedContender(
                contender.kind, name_of(contender.artifact or contender.backbone), None, 1, 0, None
            )
            continue
        progress(
            both("{name}: timing {n} steps", "{name}: {n}스텝 시간 측정", name=name, n=TIMED_STEPS)
        )
        contenders[name] = _measure(contender, partition.training, settings, trials or 0)
    split_off = partition.test.split_off is not None
    return ComparisonPlan(settings.name, pairs, split_off, contenders, describe_environment())


def _measure(
    contender: EncoderSettings, pairs: TrainingSet, settings: CompareSettings, trials: int
) -> PlannedContender:
    with tempfile.TemporaryDirectory(prefix="kosim-") as folder:
        encoder = untrained_encoder(
            contender,
            pairs,
            seed=settings.seeds[0],
            device=settings.device,
            scratch=Path(folder) / SCRATCH,
        )
        cost = measure_training(
            encoder, pairs.train, pairs.validation, contender.training, steps=TIMED_STEPS
        )
        seeds = len(settings.seeds)
        return PlannedContender(
            contender.kind, contender.backbone, encoder.parameters, seeds, trials, cost
        )
