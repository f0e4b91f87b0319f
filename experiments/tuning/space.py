"""The space of a study: which hyperparameters vary, and over which values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self, cast

from optuna import Trial
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import model_validator

from kosim.encoders.errors import ConfigError
from kosim.experiments.settings import EncoderSettings, Settings, parse_settings, read_toml

Value = bool | int | float | str

ENCODER_PARAMETERS = ("max_length", "pooling")
"""Parameters of the encoder's settings; the others are of its training."""

PARAMETERS = (
    "epochs",
    "learning_rate",
    "warmup",
    "weight_decay",
    "batch_size",
    "gradient_accumulation",
    "max_gradient_norm",
    "loss",
    "swap_augmentation",
    *ENCODER_PARAMETERS,
)

DOCUMENTED: dict[str, dict[str, Any]] = {
    "learning_rate": {"values": [1e-5, 3e-5, 5e-5, 1e-4]},
    "epochs": {"low": 2, "high": 20, "step": 2},
    "warmup": {"values": [0.0, 0.1, 0.2, 0.3, 0.4]},
    "weight_decay": {"values": [0.0, 0.01, 0.1]},
    "batch_size": {"values": [16, 32, 64]},
    "max_length": {"values": [80, 120]},
}
"""The table by which KoELECTRA was tuned by hand on KLUE-STS."""


RATE_FACTOR = 3.0
"""By default the learning rate varies from a third of the encoder's own to three times of it."""
_HIGHEST_RATE = 0.5


class Domain(Settings):
    """The values of one parameter: a list, or a range with a step or on a logarithmic scale."""

    values: list[Value] | None = None
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.values is None) == (self.low is None or self.high is None):
            raise ValueError("give either values, or low and high")
        if self.values is not None:
            if not self.values:
                raise ValueError("the list of values is empty")
            if self.step is not None or self.log:
                raise ValueError("step and log belong to a range")
            if len(set(self.values)) != len(self.values):
                raise ValueError(f"a value appears twice in {self.values}")
            return self
        low, high = self.bounds
        if low > high:
            raise ValueError(f"the range from {low:g} to {high:g} is empty")
        if self.log and (self.step is not None or low <= 0):
            raise ValueError("a logarithmic range begins above 0 and has no step")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"the step {self.step:g} is not above 0")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of a range."""
        if self.low is None or self.high is None:
            raise ConfigError("a list of values has no bounds")
        return self.low, self.high

    def grid(self, name: str) -> list[Value]:
        """Return all values, ascending where they form a range.

        Raises:
            ConfigError: a range has no step, so that its values cannot be counted.
        """
        if self.values is not None:
            return list(self.values)
        low, high = self.bounds
        if self.step is None:
            raise ConfigError(
                f"{name} is a range without a step; a grid and one-factor need values or a step"
            )
        count = math.floor((high - low) / self.step + 1e-9) + 1
        made = [round(low + number * self.step, 10) for number in range(count)]
        return [int(value) if name in WHOLE else value for value in made]

    def holds(self, value: Any) -> bool:
        """Return whether a value is one of these."""
        if self.values is not None:
            return value in self.values
        low, high = self.bounds
        if self.step is None:
            return low <= value <= high
        steps = (value - low) / self.step
        return low <= value <= high and math.isclose(steps, round(steps), abs_tol=1e-9)

    def suggest(self, trial: Trial, name: str) -> Value:
        """Let the sampler of a trial choose one."""
        if self.values is not None:
            return cast(Value, trial.suggest_categorical(name, self.values))
        low, high = self.bounds
        if name in WHOLE:
            return trial.suggest_int(
                name, int(low), int(high), step=int(self.step or 1), log=self.log
            )
        return trial.suggest_float(name, low, high, step=self.step, log=self.log)

    def distribution(self, name: str) -> BaseDistribution:
        """Return what Optuna calls the values that a trial may be given."""
        if self.values is not None:
            return CategoricalDistribution(self.values)
        low, high = self.bounds
        if name in WHOLE:
            return IntDistribution(int(low), int(high), step=int(self.step or 1), log=self.log)
        return FloatDistribution(low, high, step=self.step, log=self.log)


WHOLE = ("epochs", "batch_size", "gradient_accumulation", "max_length")
"""Parameters that are whole numbers."""

Space = dict[str, Domain]


def parse_space(content: Mapping[str, Any]) -> Space:
    """Check a space.

    Raises:
        ConfigError: a name is unknown, or a domain empty or impossible; the name is given.
    """
    if not content:
        raise ConfigError("the space has no parameter; give at least one")
    if unknown := [name for name in content if name not in PARAMETERS]:
        raise ConfigError(
            f"the space names {unknown[0]!r}, which is not a hyperparameter; known are "
            f"{', '.join(PARAMETERS)}"
        )
    space = {}
    for name, domain in content.items():
        if not isinstance(domain, Mapping):
            raise ConfigError(f"space {name}: give a table with values, or with low and high")
        try:
            space[name] = parse_settings(Domain, domain)
        except ConfigError as error:
            raise ConfigError(f"space {name}: {error}") from error
    return space


def read_space(name: str, encoder: EncoderSettings, *, listed: bool = False) -> Space:
    """Return the space around an encoder's own values, the documented one, or that of a file.

    Args:
        name: ``around``, ``documented``, or a TOML file.
        encoder: what is tuned.
        listed: see `space_around`.

    Raises:
        ConfigError: there is no such file, it is not TOML, or the space is impossible.
    """
    if name == "around":
        return space_around(encoder, listed=listed)
    if name == "documented":
        return parse_space(DOCUMENTED)
    return parse_space(read_toml(name, "space", "'around' or 'documented'"))


def space_around(encoder: EncoderSettings, *, listed: bool = False) -> Space:
    """Return a space of learning rate, warm-up and batch size that holds the encoder's own values.

    A fixed range of learning rates would miss those of other sizes of backbones, which differ by a
    factor of ten.

    Args:
        encoder: what is tuned.
        listed: give learning rates as a list, which a grid needs, not as a range.
    """
    training = encoder.training
    rate = training.learning_rate
    low, high = rate / RATE_FACTOR, min(rate * RATE_FACTOR, _HIGHEST_RATE)
    steps = [rate * RATE_FACTOR**power for power in (-1, -0.5, 0.5, 1)]
    rates = sorted({rate, *(float(f"{min(step, _HIGHEST_RATE):.2g}") for step in steps)})
    return {
        "learning_rate": Domain(values=rates) if listed else Domain(low=low, high=high, log=True),
        "warmup": Domain(values=sorted({0.0, 0.1, 0.2, training.warmup})),
        "batch_size": Domain(values=sorted({16, 32, training.batch_size})),
    }


def value_of(encoder: EncoderSettings, name: str) -> Any:
    """Return the value that an encoder's settings give a parameter."""
    return getattr(encoder if name in ENCODER_PARAMETERS else encoder.training, name)


def with_values(encoder: EncoderSettings, values: Mapping[str, Any]) -> EncoderSettings:
    """Return the settings with other values of some parameters, checked.

    Raises:
        ConfigError: a value is impossible; it is named.
    """
    content = encoder.model_dump()
    for name, value in values.items():
        (content if name in ENCODER_PARAMETERS else content["training"])[name] = value
    return parse_settings(EncoderSettings, content)


def check_space(space: Space, encoder: EncoderSettings) -> None:
    """Check that an encoder can take every value of a space.

    Raises:
        ConfigError: it cannot; parameter and value are named.
    """
    for name, domain in space.items():
        ends = domain.values if domain.values is not None else list(domain.bounds)
        for value in ends:
            whole = name in WHOLE and float(value) == int(value)
            try:
                with_values(encoder, {name: int(value) if whole else value})
            except ConfigError as error:
                raise ConfigError(f"space {name}: {error}") from error
