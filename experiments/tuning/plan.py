"""Which trials a study consists of: planned before the first one runs, so that none is run twice.

Every trial is put into the storage as waiting, and workers take waiting trials. A grid, random
draws and the one-factor design fix all values of a trial beforehand, whatever worker runs it;
TPE's trials are planned without values, which the sampler chooses when they begin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np

from kosim.encoders.errors import ConfigError
from kosim.experiments.tuning.settings import Sampler, TuneSettings
from kosim.experiments.tuning.space import WHOLE, Space, Value, value_of

LISTING: tuple[Sampler, ...] = ("grid", "one-factor")
"""Samplers that take every value of a parameter, and so no range without a step."""

GRID_OF_TWO = ("epochs", "weight_decay")
"""The two factors that one-factor crosses at the end, as the tuning by hand did."""


@dataclass(frozen=True)
class PlannedTrial:
    """The values that are fixed beforehand, and why the trial is there."""

    values: dict[str, Value] = field(default_factory=dict)
    purpose: str = "search"


def plan_trials(settings: TuneSettings) -> list[PlannedTrial]:
    """Return the trials of a study, in the order in which they begin.

    Raises:
        ConfigError: a number of trials is needed or impossible, or a range has no step.
    """
    if settings.sampler == "tpe":
        return _base_first(settings, [PlannedTrial() for _ in range(_needed(settings) - 1)])
    if settings.sampler == "random":
        random = np.random.default_rng(settings.seed)
        drawn = [_draw(settings.space, random) for _ in range(_needed(settings) - 1)]
        return _base_first(settings, [PlannedTrial(values) for values in drawn])
    if settings.sampler == "grid":
        grids = [domain.grid(name) for name, domain in settings.space.items()]
        points = [dict(zip(settings.space, point, strict=True)) for point in product(*grids)]
        return [PlannedTrial(point, "grid") for point in points][: settings.trials]
    planned = _one_factor(settings)
    if settings.trials is not None and settings.trials < len(planned):
        raise ConfigError(
            f"one-factor over this space takes {len(planned)} trials, and --trials is "
            f"{settings.trials}; leave it out, or give a smaller --space"
        )
    return planned


def base_values(settings: TuneSettings) -> dict[str, Value]:
    """Return what the base settings give each parameter of the space."""
    return {name: value_of(settings.base, name) for name in settings.space}


def _needed(settings: TuneSettings) -> int:
    if settings.trials is None:
        raise ConfigError(f"the sampler {settings.sampler} needs a number of trials; give --trials")
    return settings.trials


def _base_first(settings: TuneSettings, rest: list[PlannedTrial]) -> list[PlannedTrial]:
    """Begin with the base, which the others are compared with, where the space holds it."""
    base = base_values(settings)
    inside = all(settings.space[name].holds(value) for name, value in base.items())
    return [PlannedTrial(base, "base") if inside else PlannedTrial(), *rest]


def _draw(space: Space, random: np.random.Generator) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, domain in space.items():
        if domain.values is not None or domain.step is not None:
            grid = domain.grid(name)
            values[name] = grid[int(random.integers(len(grid)))]
            continue
        low, high = domain.bounds
        if domain.log:
            drawn = float(np.exp(random.uniform(np.log(low), np.log(high))))
        else:
            drawn = float(random.uniform(low, high))
        values[name] = round(drawn) if name in WHOLE else drawn
    return values


def _one_factor(settings: TuneSettings) -> list[PlannedTrial]:
    """One change of the base at a time, and the grid of epochs by weight decay."""
    base = base_values(settings)
    planned = [PlannedTrial(base, "base")]
    for name, domain in settings.space.items():
        planned += [
            PlannedTrial({**base, name: value}, name)
            for value in domain.grid(name)
            if value != base[name]
        ]
    if all(name in settings.space for name in GRID_OF_TWO):
        seen = [trial.values for trial in planned]
        for pair in product(*(settings.space[name].grid(name) for name in GRID_OF_TWO)):
            values = {**base, **dict(zip(GRID_OF_TWO, pair, strict=True))}
            if values not in seen:
                planned.append(PlannedTrial(values, " by ".join(GRID_OF_TWO)))
    return planned
