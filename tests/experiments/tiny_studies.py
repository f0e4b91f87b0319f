"""Studies of a bi-encoder of random weights on few pairs."""

from __future__ import annotations

from typing import Any

import optuna

from kosim.experiments.data.partition import load_training
from kosim.experiments.settings import CompareSettings
from kosim.experiments.tuning.settings import TuneSettings, data_fingerprint
from kosim.experiments.tuning.space import parse_space
from kosim.experiments.tuning.storage import open_storage
from kosim.experiments.tuning.study import begin_study
from tests.experiments.conftest import small_settings

GO_ON = "go on"
"""Attribute of a study whose impatient workers need not wait any longer."""

SPACE = {"epochs": {"values": [1, 2]}, "learning_rate": {"values": [1e-4, 5e-4]}}


def small_study(
    address: str, name: str = "small", *, space: dict[str, Any] = SPACE, **changes: Any
) -> optuna.Study:
    settings = TuneSettings(
        kind="bi",
        comparison=CompareSettings.parse(small_settings()),
        space=parse_space(space),
        sampler="grid",
        **changes,
    )
    data = data_fingerprint(load_training(settings.comparison.data))
    return begin_study(open_storage(address), name, settings, data, resume=False)
