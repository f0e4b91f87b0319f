"""The training that an encoder gets when it is told nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kosim.encoders.backbone import hidden_size
from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import ConfigError
from kosim.encoders.training import TrainingConfig, train
from kosim.encoders.training.defaults import default_training, multiplies_in_bf16
from tests.encoders.tiny import labelled_pairs


@pytest.mark.parametrize(
    ("kind", "width", "rate"),
    [
        ("bi", 128, 2e-4),
        ("bi", 256, 2e-4),
        ("bi", 384, 1e-4),
        ("bi", 768, 5e-5),
        ("bi", None, 5e-5),
        ("cross", 256, 5e-4),
        ("cross", 384, 1e-4),
        ("cross", 512, 1e-4),
        ("cross", 768, 5e-5),
        ("cross", None, 5e-5),
    ],
)
def test_wider_backbones_are_trained_at_lower_rates(
    kind: str, width: int | None, rate: float
) -> None:
    assert default_training(kind, width).learning_rate == rate  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [128, 384, 768, None])
def test_both_kinds_get_equal_care(width: int | None) -> None:
    bi, cross = default_training("bi", width), default_training("cross", width)
    by_kind = {"learning_rate": cross.learning_rate, "batch_size": cross.batch_size}
    assert bi.model_copy(update=by_kind) == cross
    assert bi.patience == 3
    assert bi.epochs > 2 * bi.patience


def test_what_is_told_replaces_a_default() -> None:
    told = default_training("cross", 256, epochs=2, learning_rate=1e-3)
    assert (told.epochs, told.learning_rate, told.patience) == (2, 1e-3, 3)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ConfigError, match="epoch"):
        default_training("bi", 256, epoch=2)


@pytest.mark.parametrize(
    ("config", "width"),
    [
        ({"hidden_size": 384}, 384),
        ({"dim": 768, "n_layers": 6}, 768),
        ({"d_model": 512}, 512),
        ({"layers": 3}, None),
        ({"hidden_size": "wide"}, None),
    ],
)
def test_the_width_is_read_from_the_config(
    config: dict[str, object], width: int | None, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert hidden_size(str(tmp_path)) == width


def test_the_bundled_backbone_is_256_wide() -> None:
    assert hidden_size("mini") == 256


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_config_that_cannot_be_read_has_no_width(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    assert hidden_size(str(tmp_path)) is None


def test_a_name_without_anything_behind_it_has_no_width() -> None:
    assert hidden_size("no-such/backbone-of-this-name") is None


def test_null_patience_of_older_files_means_never() -> None:
    assert TrainingConfig.model_validate({"patience": None}).patience == 0


def test_auto_becomes_the_precision_of_the_processor(fresh: PairEncoder) -> None:
    pairs = labelled_pairs(32)
    config = TrainingConfig(epochs=1, batch_size=16, precision="auto")
    result = train(fresh, pairs, pairs, config)
    has = multiplies_in_bf16(torch.device("cpu"))
    assert result.config.precision == ("bf16" if has else "fp32")
    assert result.steps == 2


def test_an_encoder_without_settings_gets_those_of_its_kind_and_width(fresh: PairEncoder) -> None:
    pairs = labelled_pairs(32)
    config = train(fresh, pairs, pairs).config
    assert config.learning_rate == default_training(fresh.kind, 32).learning_rate
    assert (config.epochs, config.patience) == (10, 3)


@pytest.mark.parametrize(
    ("abilities", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, True),
        ({"amx_bf16": False, "avx512_bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx2": True}, False),
    ],
)
def test_a_processor_multiplies_in_bf16_by_amx_or_avx512(
    abilities: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)
    assert multiplies_in_bf16(torch.device("cpu")) is expected
    assert not multiplies_in_bf16(torch.device("mps"))
