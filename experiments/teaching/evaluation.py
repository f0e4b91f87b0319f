"""What each step of teaching is worth: its encoders on validation and test pairs, and the gains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kosim.encoders.artifact import read_manifest
from kosim.encoders.base import PairEncoder
from kosim.encoders.loading import load
from kosim.encoders.records import Kind, LabelledPairs
from kosim.experiments.comparison.differences import compare_two
from kosim.experiments.comparison.evaluation import ScoredContender, evaluate, score_pairs
from kosim.experiments.comparison.results import PairedComparison
from kosim.experiments.data.cleaning import distinct_numbers
from kosim.experiments.settings import EvaluationSettings
from kosim.experiments.statistics.significance import adjust
from kosim.experiments.teaching.results import StepResults
from kosim.experiments.teaching.teachers import Teacher

METRICS = ("pearson", "spearman", "f1", "f1_tuned")


@dataclass(frozen=True)
class Step:
    """The encoders of a step, one folder for each seed, or an opened teacher.

    A ``baseline`` learnt the gold pairs alone. ``earlier`` are folders of stages before, one a seed
    and stage, whose training belongs to the step.
    """

    name: str
    kind: Kind
    folders: Sequence[Path] = ()
    teacher: Teacher | None = None
    baseline: bool = False
    earlier: Sequence[Path] = ()


def score_step(step: Step, pairs: LabelledPairs, device: str | None) -> ScoredContender:
    """Score pairs with the encoders of a step, each as it is saved."""
    encoders: list[PairEncoder]
    if step.teacher is not None:
        encoders = [step.teacher.encoder]
    else:
        encoders = [load(folder, device=device) for folder in step.folders]
    return ScoredContender(
        name=step.name,
        kind=step.kind,
        scores=np.array([score_pairs(encoder, pairs.pairs) for encoder in encoders]),
        thresholds=np.array([encoder.threshold for encoder in encoders]),
        copies=distinct_numbers(pairs),
    )


def describe_step(
    step: Step,
    validation: tuple[ScoredContender, LabelledPairs],
    test: tuple[ScoredContender, LabelledPairs] | None,
    settings: EvaluationSettings,
) -> StepResults:
    """Return the figures of a step and what its training cost."""
    seconds, learnt = 0.0, Counter[str]()
    for folder in (*step.earlier, *step.folders):
        training = read_manifest(folder).training or {}
        seconds += float(training["seconds"])
        learnt[folder.name] += int(training["train_pairs"])
    return StepResults(
        kind=step.kind,
        teacher=step.teacher is not None,
        train_pairs=max(learnt.values(), default=0),
        seconds=seconds,
        validation=evaluate(validation[0], validation[1].labels, settings, only=METRICS),
        test={} if test is None else evaluate(test[0], test[1].labels, settings, only=METRICS),
    )


def paired_gains(
    steps: Sequence[Step],
    scored: Mapping[str, ScoredContender],
    pairs: LabelledPairs,
    settings: EvaluationSettings,
) -> list[PairedComparison]:
    """Test each step against the one before of its kind, on the same pairs; adjusted by Holm.

    The first step of a kind is tested against the teachers of its kind, and every step against the
    baseline, where there is one.
    """
    found = []
    for number, step in enumerate(steps):
        if step.teacher is not None or step.baseline:
            continue
        earlier = [other for other in steps[:number] if other.kind == step.kind]
        taught = [each for each in earlier if each.teacher is None and not each.baseline]
        before = taught[-1:] or [each for each in earlier if each.teacher is not None]
        for other in [*before, *(each for each in earlier if each.baseline)]:
            ours, theirs = scored[step.name], scored[other.name]
            found.append(compare_two(ours, theirs, pairs.labels, settings))
    adjust(found, METRICS)
    return found
