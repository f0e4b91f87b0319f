"""A comparison whose contenders were tuned alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from kosim.encoders.errors import ConfigError
from kosim.experiments.settings import CompareSettings
from kosim.experiments.tuning.equal_trials import tune_alike
from kosim.experiments.tuning.space import space_around
from kosim.experiments.tuning.storage import open_storage
from kosim.experiments.tuning.study import finished, load_study
from tests.experiments.conftest import small_settings


def quick() -> CompareSettings:
    """A comparison whose trainings take a second."""
    raw = small_settings(data={"dataset": "sample", "limit": 60})
    for encoder in raw["encoders"].values():
        encoder["training"] = {"epochs": 1, "learning_rate": 5e-4, "batch_size": 16}
    return CompareSettings.parse(raw)


def test_each_contender_gets_as_many_trials_and_its_own_values_come_first(tmp_path: Path) -> None:
    settings = quick()
    tuned = tune_alike(settings, tmp_path / "tuning", 2)
    for name, encoder in tuned.encoders.items():
        study = load_study(open_storage(str(tmp_path / "tuning" / "study.db")), name)
        trials = finished(study)
        assert len(trials) == encoder.trials == 2
        own = settings.encoders[name].training
        assert trials[0].params["learning_rate"] == pytest.approx(own.learning_rate)
        assert trials[0].params["batch_size"] == own.batch_size
        best = max(trials, key=lambda trial: trial.value or 0.0)
        assert encoder.training.learning_rate == pytest.approx(best.params["learning_rate"])
        assert encoder.training.batch_size == best.params["batch_size"]


def test_the_space_holds_the_contenders_own_values() -> None:
    for encoder in quick().encoders.values():
        space = space_around(encoder)
        assert space["learning_rate"].holds(encoder.training.learning_rate)
        assert space["warmup"].holds(encoder.training.warmup)
        assert space["batch_size"].holds(encoder.training.batch_size)


def test_one_trial_is_no_search(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--tune is 1; ask for at least 2"):
        tune_alike(quick(), tmp_path, 1)


def test_a_saved_encoder_is_not_tuned(tmp_path: Path) -> None:
    saved = {"bi": {"kind": "bi", "artifact": str(tmp_path)}}
    with pytest.raises(ConfigError, match="bi is a saved encoder"):
        tune_alike(CompareSettings.parse(small_settings(encoders=saved)), tmp_path / "t", 2)
