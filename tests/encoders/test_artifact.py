"""Saved encoders: what is in the folder, and the one line that refuses a damaged one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from kosim.encoders.artifact import FORMAT, MANIFEST, MODEL_CARD, library_versions, read_manifest
from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import ArtifactError, StorageError
from kosim.encoders.loading import load
from kosim.encoders.storage import sha256
from tests.encoders.tiny import COMMIT, HUB_ID


@pytest.fixture
def copy(artifacts: dict[str, Path], tmp_path: Path) -> Path:
    """An artifact to damage."""
    return Path(shutil.copytree(artifacts["bi"], tmp_path / "artifact"))


def refused(folder: Path) -> str:
    """Return the one line with which an artifact is refused."""
    with pytest.raises(ArtifactError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of an artifact."""
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))


def test_manifest_records_what_the_encoder_was_made_from(encoder: PairEncoder, saved: Path) -> None:
    manifest = read_manifest(saved)
    assert manifest.format == FORMAT
    assert manifest.kind == encoder.kind
    assert (manifest.backbone, manifest.revision) == (HUB_ID, COMMIT)
    assert manifest.settings["max_length"] == encoder.max_length
    assert manifest.fingerprint == encoder.fingerprint()
    assert manifest.versions == library_versions()


def test_manifest_lists_every_other_file_but_the_card(saved: Path) -> None:
    present = {str(path.relative_to(saved)) for path in saved.rglob("*") if path.is_file()}
    files = read_manifest(saved).files
    assert set(files) == present - {MANIFEST, MODEL_CARD}
    assert files["model.safetensors"] == sha256(saved / "model.safetensors")


def test_manifest_names_no_path_of_this_machine(koelectra: Path, saved: Path) -> None:
    for file in saved.rglob("*"):
        if file.suffix in {".json", ".md", ".txt"}:
            assert str(koelectra.parent.parent) not in file.read_text(encoding="utf-8")


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "nothing")


def test_file_instead_of_a_folder_is_refused(copy: Path) -> None:
    refused(copy / MANIFEST)


def test_folder_without_manifest_is_refused(koelectra: Path, tmp_path: Path) -> None:
    assert f"it has no {MANIFEST}" in refused(tmp_path)
    assert "is a backbone" in refused(koelectra)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b"{}"], ids=repr)
def test_broken_manifest_is_refused(copy: Path, content: bytes) -> None:
    (copy / MANIFEST).write_bytes(content)
    assert MANIFEST in refused(copy)


def test_newer_format_is_refused(copy: Path) -> None:
    edit(copy, lambda content: content.update(format=FORMAT + 1, unheard="of"))
    assert "upgrade kosim" in refused(copy)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda content: content.pop("threshold"), "threshold"),
        (lambda content: content.update(kind="tri"), "kind"),
        (lambda content: content.update(extra=1), "extra"),
        (lambda content: content["calibration"].update(lower_slope=-1), "calibration"),
        (lambda content: content["calibration"].update(raw=[1, 0]), "calibration"),
    ],
    ids=["missing", "unknown value", "unknown key", "slope", "knots"],
)
def test_invalid_manifest_is_refused_with_the_place(
    copy: Path, change: Callable[[dict[str, Any]], object], place: str
) -> None:
    edit(copy, change)
    assert f"is not valid at {place}" in refused(copy)


@pytest.mark.parametrize(
    "file", ["model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json"]
)
def test_missing_file_is_named(copy: Path, file: str) -> None:
    (copy / file).unlink()
    assert f"{file} is missing" in refused(copy)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
def test_one_flipped_bit_is_found(copy: Path, file: str) -> None:
    content = bytearray((copy / file).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / file).write_bytes(content)
    assert f"{file} is truncated or was changed" in refused(copy)


@pytest.mark.parametrize("size", [0, 100, -1])
def test_truncated_weights_are_found(copy: Path, size: int) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    assert "model.safetensors is truncated" in refused(copy)


@pytest.mark.parametrize("name", ["../outside.txt", "{absolute}"])
def test_file_outside_the_folder_is_refused(copy: Path, name: str) -> None:
    outside = copy.parent / "outside.txt"
    outside.write_text("secret")
    listed = name.format(absolute=outside)
    edit(copy, lambda content: content["files"].update({listed: sha256(outside)}))
    assert "outside the artifact" in refused(copy)


def test_link_out_of_the_folder_is_refused(copy: Path) -> None:
    outside = Path(shutil.move(copy / "config.json", copy.parent / "config.json"))
    (copy / "config.json").symlink_to(outside)
    assert "outside the artifact" in refused(copy)


def test_artifact_can_be_moved(encoder: PairEncoder, saved: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(saved, tmp_path / "moved")
    assert load(moved, device="cpu").fingerprint() == encoder.fingerprint()


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        SafetensorError("Error while serializing: No space left on device (os error 28)"),
    ],
    ids=["OSError", "SafetensorError"],
)
def test_full_disk_leaves_the_old_artifact(
    bi: Any, copy: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def save(place: str) -> None:
        (Path(place) / "config.json").write_text("half")
        raise error

    monkeypatch.setattr(bi.model, "save", save)
    with pytest.raises(StorageError, match="No space left on device"):
        bi.save(copy, overwrite=True)
    load(copy, device="cpu")
    assert list(copy.parent.iterdir()) == [copy]


def test_what_was_computed_before_leaves_nothing_in_a_saved_tokenizer(
    encoder: PairEncoder, tmp_path: Path
) -> None:
    encoder.save(tmp_path / "first")
    encoder.score([("불 켜 줘", "조명을 켜 줘"), ("창문", "비가 오나요")])
    encoder.save(tmp_path / "second")
    first, second = (read_manifest(tmp_path / name).files for name in ("first", "second"))
    assert first == second
