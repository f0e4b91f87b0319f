"""The bundled backbone: found by its name, or missed with a clear error."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from encoders.backbone import BUNDLED, MINI, find_backbone
from encoders.errors import BackboneError
from encoders.loading import KINDS
from tests.encoders.tiny import write_koelectra


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A half-precision stand-in where the package has its bundled backbone."""
    monkeypatch.setattr("encoders.backbone.BUNDLED", tmp_path)
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
    monkeypatch.setattr("encoders.backbone.BUNDLED", tmp_path / "elsewhere")
    with pytest.raises(BackboneError, match="not part of this installation"):
        find_backbone(MINI)
    assert find_backbone(f"./{MINI}").path.samefile(bundled)


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
