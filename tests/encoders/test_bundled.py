"""The bundled backbone: found by its name, or missed with a clear error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kosim.encoders.backbone import find_backbone
from kosim.encoders.bundle import BUNDLED, MINI, MINI_BI, MINI_CROSS, name_of, saved_encoder
from kosim.encoders.compute.export_store import ExportStore
from kosim.encoders.distillation.teacher import open_teacher
from kosim.encoders.errors import ArtifactError, BackboneError, ConfigError
from kosim.encoders.loading import KINDS, load
from kosim.experiments.data.datasets import load_sample
from tests.encoders.tiny import write_koelectra


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A half-precision stand-in where the package has its bundled backbone."""
    monkeypatch.setattr("kosim.encoders.backbone.BUNDLED", tmp_path)
    return write_koelectra(tmp_path / MINI, dtype=torch.float16)


def test_it_is_found_by_name(bundled: Path) -> None:
    found = find_backbone(MINI)
    assert (found.name, found.path, found.revision) == (MINI, bundled, None)


def test_both_kinds_compute_in_full_precision(kind: str, bundled: Path) -> None:
    encoder = KINDS[kind].from_backbone(MINI, device="cpu")
    assert encoder.backbone.name == MINI
    assert {weight.dtype for weight in encoder.model.parameters()} == {torch.float32}


def test_a_folder_of_that_name_is_given_with_its_place(
    bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kosim.encoders.backbone.BUNDLED", tmp_path / "elsewhere")
    with pytest.raises(BackboneError, match="not part of this installation"):
        find_backbone(MINI)
    assert find_backbone(f"./{MINI}").path.samefile(bundled)


@pytest.mark.parametrize("name", [MINI_BI, MINI_CROSS])
def test_reports_name_it_and_not_where_it_is_installed(name: str, tmp_path: Path) -> None:
    assert name_of(saved_encoder(name)) == name
    assert name_of(str(saved_encoder(name))) == name
    assert name_of(tmp_path / name) == str(tmp_path / name)


@pytest.mark.parametrize("name", ["mini", "mini-cros"])
def test_a_name_like_that_of_a_bundled_encoder_is_asked_for(name: str) -> None:
    with pytest.raises(ArtifactError, match=f"there is no encoder {name}; did you mean mini-"):
        load(name)


def test_it_has_no_revision(bundled: Path) -> None:
    with pytest.raises(BackboneError, match="is bundled"):
        find_backbone(MINI, revision="main")


def test_what_is_shipped_is_small_and_whole(kind: str) -> None:
    folder = BUNDLED / MINI
    if not folder.is_dir():
        pytest.skip("the bundled backbone is not made yet")
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 16_000_000
    encoder = KINDS[kind].from_backbone(MINI, device="cpu")
    assert encoder.score([("거실 불 꺼 줘", "조명을 꺼 줘")]).shape == (1,)


def test_the_encoders_that_are_shipped_are_small_and_score(kind: str) -> None:
    name = {"bi": MINI_BI, "cross": MINI_CROSS}[kind]
    folder = saved_encoder(name)
    if not folder.is_dir():
        pytest.skip("the bundled encoders are not made yet")
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) <= 16_000_000
    encoder = load(name, device="cpu")
    assert encoder.kind == kind
    same, other = encoder.score(
        [("거실 불 꺼 줘", "거실 조명을 꺼 줄래?"), ("거실 불 꺼 줘", "숙소가 역에서 가까웠어요.")]
    )
    assert same >= encoder.threshold > other


def test_the_exports_that_are_shipped_compute_as_torch(kind: str) -> None:
    name = {"bi": MINI_BI, "cross": MINI_CROSS}[kind]
    frame = load_sample("test").frame.head(100)
    pairs = list(zip(frame.sentence1, frame.sentence2, strict=True))
    exported, full = load(name), load(name, backend="torch", device="cpu")
    assert (exported.backend, full.backend) == ("onnx", "torch")
    np.testing.assert_allclose(exported.score(pairs), full.score(pairs), atol=1e-4)
    assert exported.parameters == full.parameters
    assert exported.hidden_size == full.hidden_size
    assert exported.max_length == full.max_length
    assert exported.settings() == full.settings()
    assert exported.reader.layout == full.reader.layout
    assert exported.token_lengths(pairs).tolist() == full.token_lengths(pairs).tolist()
    folder = saved_encoder(name) / "onnx"
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 100_000


def test_only_bundled_names_are_not_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a name or path is resolved again: ``Path("./mini-bi")`` has lost its ``./``."""
    monkeypatch.chdir(tmp_path)
    for given, folder in ((MINI_BI, BUNDLED / MINI_BI), (f"./{MINI_BI}", tmp_path / MINI_BI)):
        assert saved_encoder(given) == saved_encoder(saved_encoder(given)) == folder
    assert saved_encoder("runs/x") == Path("runs/x")


def test_exports_of_a_bundled_encoder_go_to_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kosim.encoders.bundle.BUNDLED", tmp_path)
    assert ExportStore("0" * 64, tmp_path / MINI_BI).artifact is None
    assert ExportStore("0" * 64, tmp_path / "deeper" / MINI_BI).artifact is not None


def test_a_bundled_encoder_can_teach() -> None:
    if not saved_encoder(MINI_BI).is_dir():
        pytest.skip("the bundled encoders are not made yet")
    assert open_teacher(MINI_BI, device="cpu").fingerprint() == load(MINI_BI).fingerprint()


@pytest.mark.parametrize("device", ["gpu", "cuda:77"])
def test_a_device_that_is_not_there_is_named(device: str) -> None:
    with pytest.raises(ConfigError, match=f"device '{device}' is not available here; leave it out"):
        load(MINI_BI, device=device)
