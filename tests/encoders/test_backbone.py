"""Backbones: found by folder or hub id, and refused in one line when they are not whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from kosim.encoders.backbone import find_backbone
from kosim.encoders.bi import BiEncoder
from kosim.encoders.errors import BackboneError, ConfigError, KosimError
from kosim.encoders.loading import KINDS
from tests.encoders.tiny import COMMIT, HUB_ID, SENTENCES, write_hub_cache, write_koelectra

PAIRS = [(SENTENCES[0], SENTENCES[1]), (SENTENCES[0], SENTENCES[3])]


@pytest.fixture
def copy(koelectra: Path, tmp_path: Path) -> Path:
    """A backbone folder to damage."""
    return Path(shutil.copytree(koelectra, tmp_path / "backbone"))


def refused(
    kind: str, name: str | Path, error: type[KosimError] = BackboneError, **options: object
) -> str:
    """Return the one line with which a backbone is refused."""
    with pytest.raises(error) as caught:
        KINDS[kind].from_backbone(str(name), device="cpu", **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert str(name) in message
    return message


def test_layout_is_koelectras(koelectra: Path) -> None:
    config = json.loads((koelectra / "config.json").read_text())
    assert config["architectures"] == ["ElectraForPreTraining"]
    assert config["model_type"] == "electra"
    assert {path.name for path in koelectra.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    }
    assert all(
        name.startswith(("electra.", "discriminator_predictions."))
        for name in load_file(koelectra / "model.safetensors")
    )


@pytest.mark.parametrize("embedding", [16, 32], ids=["narrower", "equal"])
@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_pretrained_weights_reach_the_encoder(
    kind: str, tmp_path: Path, embedding: int, weights: str
) -> None:
    folder = write_koelectra(tmp_path / "koelectra", embedding=embedding, weights=weights)
    expected = AutoModel.from_pretrained(folder).state_dict()
    encoder = KINDS[kind].from_backbone(str(folder), device="cpu")
    network = encoder.model.transformers_model
    body = network.electra if kind == "cross" else network
    for name, tensor in body.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)
    assert len(expected) == len(body.state_dict())
    encoder.score(PAIRS)


def test_folder_has_no_revision(koelectra: Path) -> None:
    found = find_backbone(str(koelectra))
    assert (found.name, found.path, found.revision) == (str(koelectra), koelectra, None)


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_hub_id_is_resolved_to_its_commit(hub_cache: Path, revision: str | None) -> None:
    found = find_backbone(HUB_ID, revision=revision)
    assert found.name == HUB_ID
    assert found.revision == COMMIT
    assert found.path == (
        hub_cache / "models--monologg--koelectra-base-v3-discriminator" / "snapshots" / COMMIT
    )


def test_hub_id_with_pickled_weights_only(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = write_koelectra(tmp_path / "koelectra", weights="pytorch_model.bin")
    cache = write_hub_cache(tmp_path / "hub", backbone)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    encoder = KINDS[kind].from_backbone(HUB_ID, device="cpu")
    assert encoder.backbone.revision == COMMIT
    plain = KINDS[kind].from_backbone(str(backbone), device="cpu")
    assert encoder.fingerprint() == plain.fingerprint()


def test_saved_weights_are_safetensors_only(kind: str, tmp_path: Path) -> None:
    backbone = write_koelectra(tmp_path / "koelectra", weights="pytorch_model.bin")
    KINDS[kind].from_backbone(str(backbone), device="cpu").save(tmp_path / "artifact")
    suffixes = {path.suffix for path in (tmp_path / "artifact").rglob("*")}
    assert ".safetensors" in suffixes
    assert not suffixes & {".bin", ".pt", ".pkl"}


def test_missing_folder_is_refused(kind: str, tmp_path: Path) -> None:
    assert "does not exist" in refused(kind, tmp_path / "nothing")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("config.json", "no config.json"),
        ("vocab.txt", "no tokenizer"),
        ("model.safetensors", "no weights"),
    ],
)
def test_missing_file_is_named(kind: str, copy: Path, file: str, words: str) -> None:
    (copy / file).unlink()
    assert words in refused(kind, copy)


def test_file_instead_of_a_folder_is_refused(kind: str, koelectra: Path) -> None:
    refused(kind, koelectra / "vocab.txt")


@pytest.mark.parametrize("size", [0, 5, 1_000, -1])
def test_truncated_weights_are_refused(kind: str, copy: Path, size: int) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    assert "model.safetensors cannot be read as weights" in refused(kind, copy)


@pytest.mark.parametrize("size", [0, 5, 1_000, -1])
def test_truncated_pickled_weights_are_refused(kind: str, tmp_path: Path, size: int) -> None:
    folder = write_koelectra(tmp_path / "koelectra", weights="pytorch_model.bin")
    weights = folder / "pytorch_model.bin"
    weights.write_bytes(weights.read_bytes()[:size])
    assert "could not be loaded" in refused(kind, folder)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model_type": "no such model"}'])
def test_broken_config_is_refused(kind: str, copy: Path, content: str) -> None:
    (copy / "config.json").write_text(content)
    refused(kind, copy)


def test_config_that_does_not_fit_the_weights_is_refused(kind: str, copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    assert "could not be loaded" in refused(kind, copy)


def test_broken_tokenizer_is_refused(kind: str, copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{")
    assert "could not be loaded" in refused(kind, copy)


def test_hub_id_that_is_not_in_the_cache_is_refused_offline(kind: str, hub_cache: Path) -> None:
    assert "model hub" in refused(kind, "owner/unknown")


def test_revision_that_is_not_in_the_cache_is_refused_offline(kind: str, hub_cache: Path) -> None:
    assert "at revision v9" in refused(kind, HUB_ID, revision="v9")


@pytest.mark.parametrize("name", ["no-owner", "a/b/c", "./here", "owner/", "", "owner/bad name"])
def test_name_that_is_neither_folder_nor_hub_id_is_refused(kind: str, name: str) -> None:
    refused(kind, name)


def test_revision_of_a_folder_is_refused(kind: str, koelectra: Path) -> None:
    assert "revision belongs to a hub id" in refused(kind, koelectra, revision="main")


@pytest.mark.parametrize("length", [513, 7, 0, -1])
def test_impossible_maximum_length_is_refused(kind: str, koelectra: Path, length: int) -> None:
    message = refused(kind, koelectra, ConfigError, max_length=length)
    assert f"{length} tokens" in message
    assert "8 to 512" in message


def test_all_positions_can_be_used(kind: str, koelectra: Path) -> None:
    encoder = KINDS[kind].from_backbone(str(koelectra), max_length=512, device="cpu")
    encoder.score([("가 " * 600, "나 " * 600)])


@pytest.mark.shared
def test_real_backbone_keeps_its_own_pooling(shared: Path) -> None:
    real = BiEncoder.from_backbone(str(shared / "models" / "e5-small-ko"), device="cpu")
    assert {weight.dtype for weight in real.model.parameters()} == {torch.float32}
    near, far = real.score([("방이 넓다", "방이 크다"), ("방이 넓다", "비가 온다")], raw=True)
    assert near > far
