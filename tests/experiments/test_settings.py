"""Settings: shipped recipes, round trips and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kosim.encoders.errors import ConfigError
from kosim.experiments.settings import RECIPE_NAMES, CompareSettings, read_settings

VALID: dict[str, Any] = {"data": {"dataset": "sample"}, "encoders": {"bi": {"kind": "bi"}}}


@pytest.mark.parametrize("name", RECIPE_NAMES)
def test_every_shipped_recipe_is_valid(name: str) -> None:
    assert set(CompareSettings.parse(read_settings(name)).encoders) == {"bi", "cross"}


@pytest.mark.parametrize(
    ("name", "epochs", "warmup"),
    [("klue-koelectra-base", 10, 0.0), ("klue-koelectra-best", 20, 0.2)],
)
def test_the_documented_recipes(name: str, epochs: int, warmup: float) -> None:
    for encoder in CompareSettings.parse(read_settings(name)).encoders.values():
        training = encoder.training
        assert encoder.backbone == "monologg/koelectra-base-v3-discriminator"
        assert encoder.max_length == 120
        assert (training.epochs, training.warmup) == (epochs, warmup)
        assert (training.learning_rate, training.batch_size, training.weight_decay) == (5e-5, 32, 0)


@pytest.mark.parametrize("name", RECIPE_NAMES)
def test_settings_survive_toml(name: str, tmp_path: Path) -> None:
    settings = CompareSettings.parse(read_settings(name))
    path = tmp_path / "config.toml"
    path.write_text(settings.to_toml(), encoding="utf-8")
    assert CompareSettings.parse(read_settings(str(path))) == settings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"speed": 3}, "speed: unknown setting"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "distinct"),
        ({"data": {}}, "give a data set"),
        ({"data": {"dataset": "sample", "test": "x.csv"}}, "not both"),
        ({"data": {"test": "x.csv"}}, "training needs data.train"),
        ({"data": {"dataset": "sample", "label_scale": "5:0"}}, "label scale"),
        ({"encoders": {"label": {"kind": "bi"}}}, "plain word"),
        ({"encoders": {"x": {"kind": "cross", "prompt": "q: "}}}, "belong to a bi-encoder"),
        ({"encoders": {"x": {"kind": "bi", "training": {"loss": "mse"}}}}, "not one of a bi"),
        ({"encoders": {"x": {"kind": "bi", "training": {"warmup": 1.5}}}}, "warmup"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        CompareSettings.parse({**VALID, **changes})


def test_all_problems_are_named_at_once() -> None:
    wrong = {**VALID, "speed": 3, "evaluation": {"level": 2}, "seeds": [-1]}
    with pytest.raises(ConfigError) as caught:
        CompareSettings.parse(wrong)
    for name in ("speed", "evaluation.level", "seeds"):
        assert name in str(caught.value)


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("seeds = [1,", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_settings(str(path))
