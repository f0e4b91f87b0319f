"""Options that several commands take, with help texts from the settings themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import BaseModel

from kosim.encoders.bundle import saved_encoder
from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.training.config import PRECISION_CHOICES, TrainingConfig
from kosim.experiments.settings import DataSettings, EncoderSettings

Command = TypeVar("Command", bound=Callable[..., Any])


class SavedEncoder(click.ParamType):
    """The folder of a saved encoder, or the name of a bundled one."""

    name = "encoder"

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """Return the folder."""
        return saved_encoder(value)


SAVED_ENCODER = SavedEncoder()


def setting(model: type[BaseModel], field: str, *names: str, **options: Any) -> Any:
    """Make an option for a field of the settings, documented by that field.

    It has no default of its own: what is not given is left to the recipe.
    """
    described = options.pop("help", None) or model.model_fields[field].description
    return click.option(*names, field, default=None, help=described, **options)


def data_options(command: Command) -> Command:
    """Add the options that say which pairs are used."""
    options = [
        setting(DataSettings, "dataset", "--dataset", type=click.Choice(["klue-sts", "sample"])),
        setting(DataSettings, "train", "--train", type=click.Path()),
        setting(DataSettings, "test", "--test", type=click.Path()),
        setting(DataSettings, "label_scale", "--label-scale", metavar="LOW:HIGH|binary"),
        setting(DataSettings, "limit", "--limit", type=int),
        setting(DataSettings, "split_seed", "--split-seed", type=int),
        setting(
            DataSettings,
            "remove_sentence_leakage",
            "--remove-sentence-leakage",
            is_flag=True,
        ),
        setting(DataSettings, "exclude", "--exclude", type=click.Path()),
    ]
    return _add(options, command)


def training_options(command: Command) -> Command:
    """Add the options that say how an encoder is trained."""
    options = [
        setting(TrainingConfig, "epochs", "--epochs", type=int),
        setting(TrainingConfig, "learning_rate", "--learning-rate", type=float),
        setting(TrainingConfig, "warmup", "--warmup", type=float),
        setting(TrainingConfig, "weight_decay", "--weight-decay", type=float),
        setting(TrainingConfig, "batch_size", "--batch-size", type=int),
        setting(TrainingConfig, "gradient_accumulation", "--gradient-accumulation", type=int),
        setting(TrainingConfig, "select", "--select", type=click.Choice(["loss", "pearson", "f1"])),
        setting(TrainingConfig, "patience", "--patience", type=int),
        setting(
            TrainingConfig,
            "precision",
            "--precision",
            type=click.Choice(PRECISION_CHOICES),
        ),
        setting(TrainingConfig, "report_to", "--report-to"),
        setting(EncoderSettings, "max_length", "--max-length", type=int),
    ]
    return _add(options, command)


def budget_options(command: Command) -> Command:
    """Add the options that say how long a pretraining is."""
    options = [
        setting(Budget, "steps", "--steps", type=int),
        setting(Budget, "epochs", "--epochs", type=float),
        setting(Budget, "minutes", "--minutes", type=float),
    ]
    return _add(options, command)


def _add(options: list[Any], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def given(values: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return those command-line values that are fields of ``model`` and were given."""
    return {
        name: value
        for name, value in values.items()
        if name in model.model_fields and value is not None
    }
