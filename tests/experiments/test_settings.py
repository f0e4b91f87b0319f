"""Settings: shipped recipes, round trips and refusals."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from kosim.encoders.errors import ConfigError
from kosim.encoders.training import TrainingConfig
from kosim.experiments.settings import (
    RECIPE_NAMES,
    CompareSettings,
    EncoderSettings,
    read_comparison,
    read_settings,
)

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
        ({"data": {"tset": "x.csv"}}, "data.tset: unknown setting; did you mean test"),
        ({"encoders": {"x": {"kind": "bi", "poling": "cls"}}}, "did you mean pooling"),
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


def test_a_file_of_pairs_stands_for_the_quickstart_on_it(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    path.write_text("sentence1,sentence2,label\n", encoding="utf-8")
    settings = CompareSettings.parse(read_comparison(str(path)))
    assert (settings.name, settings.data.dataset, settings.data.train) == ("ours", None, str(path))
    assert read_comparison("quickstart") == read_settings("quickstart")


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("seeds = [1,", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_settings(str(path))


@pytest.mark.parametrize("kind", ["bi", "cross"])
@pytest.mark.parametrize("name", ["klue-koelectra-base", "klue-koelectra-best"])
def test_the_documented_recipes_are_not_touched_by_newer_defaults(name: str, kind: str) -> None:
    training = CompareSettings.parse(read_settings(name)).encoders[kind].training
    assert (training.patience, training.precision) == (0, "fp32")


@pytest.mark.parametrize(
    ("kind", "backbone", "rate"),
    [
        ("bi", "mini", 2e-4),
        ("cross", "mini", 5e-4),
        ("cross", "scratch", 5e-4),
        ("cross", "monologg/koelectra-base-v3-discriminator", 5e-5),
        ("bi", "no-such/backbone", 5e-5),
    ],
)
def test_what_is_not_told_fits_kind_and_backbone(kind: str, backbone: str, rate: float) -> None:
    told = {"kind": kind, "backbone": backbone, "training": {"warmup": 0.0}}
    settings = CompareSettings.parse({**VALID, "encoders": {"one": told}})
    training = settings.encoders["one"].training
    assert training.learning_rate == rate
    assert training.warmup == 0.0
    assert (training.epochs, training.patience) == (10, 3)


def test_a_training_told_whole_stays_as_it_is() -> None:
    told = TrainingConfig()
    settings = CompareSettings.parse(
        {**VALID, "encoders": {"bi": {"kind": "bi", "backbone": "mini", "training": told}}}
    )
    assert settings.encoders["bi"].training == told


@pytest.mark.parametrize("kind", ["", None, ["bi"], {"bi": 1}])
def test_an_impossible_kind_is_named(kind: Any) -> None:
    with pytest.raises(ConfigError, match="kind"):
        CompareSettings.parse({**VALID, "encoders": {"one": {"kind": kind}}})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = " + b"[" * 100_000, "not valid TOML"),
        (b"a = 1\n# " + b"x" * (1 << 20), "larger than 1 MiB"),
        (b"a = '\xff'", "not UTF-8"),
    ],
    ids=["deep", "large", "encoding"],
)
def test_a_hostile_config_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read_settings(str(path))
    assert "\n" not in str(caught.value)


def test_the_name_of_candidates_in_version_0_1_still_reads() -> None:
    content = {"evaluation": {"rerank_candidates": 7}, **VALID}
    settings = CompareSettings.parse(content)
    assert settings.evaluation.candidates == 7
    assert tomllib.loads(settings.to_toml())["evaluation"]["candidates"] == 7
    assert CompareSettings.parse(tomllib.loads(settings.to_toml())) == settings
    with pytest.raises(ConfigError, match=r"evaluation\.candidates: .* greater than or equal to 1"):
        CompareSettings.parse({**content, "evaluation": {"candidates": 0}})


def test_a_saved_encoder_is_written_without_a_training_that_it_never_had() -> None:
    content = {"kind": "bi", "artifact": "mini-bi"}
    settings = EncoderSettings.model_validate(content)
    assert settings.model_dump(mode="json") == content
    assert EncoderSettings.model_validate(settings.model_dump()) == settings
    assert "training" in EncoderSettings(kind="bi", backbone="scratch").model_dump()
