"""Whether each encoder has learnt what it can."""

from __future__ import annotations

from dataclasses import dataclass

from kosim.encoders.language import Line
from kosim.encoders.training.result import still_rising
from kosim.experiments.comparison.facts import TINY, Facts
from kosim.experiments.comparison.results import Training
from kosim.experiments.study.figures import Estimate

NEAR_TRIVIAL = 0.05
"""A Pearson less than this above the trivial predictor's, or above 0, shows no learning; nor does
one that covers less than half of the way from there to 1."""
SAME_LOSS = 1e-3
"""A training loss that changes by less than this share over its epochs does not move."""


def unfinished(facts: Facts) -> list[str]:
    """Return the contenders whose best epoch was the last one in some training, by enough."""
    return [
        name
        for name, encoder in facts.encoders.items()
        if any(map(_still_rose, encoder.seeds.values()))
    ]


def _still_rose(run: Training) -> bool:
    history = sorted(run.history, key=lambda row: row["epoch"])
    if not history or run.best_epoch != history[-1]["epoch"]:
        return False
    return still_rising([row.get("pearson") for row in history])


@dataclass(frozen=True)
class Reached:
    """The Pearson by which a contender's learning is judged, and the trivial predictor's there."""

    value: float
    trivial: float
    split: Line


def what_it_reached(facts: Facts, name: str) -> Reached | None:
    """Return what a contender reached in its worst training, or None where it is not known.

    The validation pairs of a saved encoder are not known here: its value on them or on the test
    pairs, the higher one, is held against the trivial predictor's on the test pairs.
    """
    trivial, values = facts.results.trivial, validation_values(facts, name)
    if trivial is None:
        return None
    value = min(values, default=None)
    least, split = trivial.validation, Line("validation", "검증")
    if len(values) > 1:
        split = Line("lowest validation", "가장 낮은 검증")
    if facts.is_saved(name):
        least, on_test = trivial.test, facts.values.get(name)
        if on_test is not None and (value is None or on_test > value):
            value, split = on_test, Line("test", "평가")
    return None if value is None else Reached(value, max(least or 0.0, 0.0), split)


def untaught(facts: Facts) -> list[str]:
    """Return the contenders whose Pearson is near the trivial predictor's, or below it."""
    reached = {name: what_it_reached(facts, name) for name in facts.encoders}
    return [n for n, each in reached.items() if each and shows_nothing(each.value, each.trivial)]


def shows_nothing(value: float, trivial: float) -> bool:
    """Say whether a Pearson is too near that of a predictor that knows nothing, or below it."""
    return value < trivial + min(NEAR_TRIVIAL, (1 - trivial) / 2)


def opposed(facts: Facts) -> list[str]:
    """Return the contenders whose scores fall, beyond chance, where the test labels rise.

    There are none where the scores of another contender do not.
    """
    found = {name: facts.metric(name) for name in facts.encoders}
    fall = [name for name, each in found.items() if isinstance(each, Estimate) and each.high < 0]
    return fall if facts.leader in fall else []


def collapsed(facts: Facts) -> list[str]:
    """Return the contenders that in some training came to give every pair the same score."""
    return [
        name
        for name, encoder in facts.encoders.items()
        if any(run.constant for run in encoder.seeds.values())
    ]


def stuck(facts: Facts) -> list[str]:
    """Return the contenders whose training loss did not move in some training."""
    found = []
    for name, encoder in facts.encoders.items():
        for run in encoder.seeds.values():
            losses = [row["train_loss"] for row in run.history if row.get("train_loss") is not None]
            if len(losses) > 1 and max(losses) - min(losses) <= SAME_LOSS * max(map(abs, losses)):
                found.append(name)
                break
    return found


def not_ready(facts: Facts) -> list[str]:
    """Return the contenders for which the verdict has to wait.

    That is who has learnt nothing, and who was still learning where that could change the verdict:
    of a leader that is clearly ahead, more learning would only widen the lead, and saved encoders
    are judged as they were saved.
    """
    nothing = {*collapsed(facts), *stuck(facts), *untaught(facts)}
    learning = {name for name in unfinished(facts) if not facts.is_saved(name)}
    if _clearly_ahead(facts):
        learning -= {facts.leader}
    return [name for name in facts.encoders if name in nothing | learning]


def _clearly_ahead(facts: Facts) -> bool:
    """Say whether the leader is told from all others, by more than a tiny difference."""
    if facts.leader is None or facts.rival is None or not facts.sure:
        return False
    gap = facts.gap(facts.leader, facts.rival)
    return gap is not None and gap.value >= TINY


def validation_values(facts: Facts, name: str) -> list[float]:
    """Return the validation Pearson at the epoch that was kept, of each seed that has one."""
    return [
        row["pearson"]
        for run in facts.encoders[name].seeds.values()
        for row in run.history
        if row["epoch"] == run.best_epoch and row.get("pearson") is not None
    ]
