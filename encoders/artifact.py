"""What a saved encoder looks like on disk, and the checks before one is opened."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kosim.encoders.backbone import FULL_PRECISION, Backbone
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.errors import ArtifactError
from kosim.encoders.storage import atomic_folder, sha256, write_json

MANIFEST = "kosim.json"
FORMAT = 1
_LIBRARIES = ("kosim", "torch", "transformers", "sentence-transformers", "tokenizers")


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that make a score."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


class Manifest(BaseModel):
    """The content of ``kosim.json``: all of an encoder that its model's own files do not say.

    ``files`` gives the SHA-256 of every other file of the folder; ``fingerprint`` is that of
    :meth:`kosim.encoders.base.PairEncoder.fingerprint`; ``text_step`` names what is done to a text
    before the tokenizer (see :mod:`kosim.encoders.tokenizers.text_step`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    kind: Literal["bi", "cross"]
    backbone: str
    revision: str | None
    settings: dict[str, Any]
    training: dict[str, Any] | None
    calibration: MonotoneCalibration
    threshold: float
    fingerprint: str
    text_step: str | None = None
    versions: dict[str, str] = Field(default_factory=library_versions)
    files: dict[str, str] = Field(default_factory=dict)

    def encoder_arguments(self, folder: Path) -> dict[str, Any]:
        """Return what an encoder's constructor takes besides the network in ``folder``."""
        return {
            "backbone": Backbone(name=self.backbone, path=folder, revision=self.revision),
            "calibration": self.calibration,
            "threshold": self.threshold,
            "training": self.training,
        }


def saved_model_arguments(device: str | None, *, weights: bool) -> dict[str, Any]:
    """Return how sentence-transformers is to open an artifact's folder.

    Without its weights a model has its shapes, settings and tokenizer, and takes no memory:
    what is needed of it where an exported graph computes.
    """
    absent: dict[str, Any] = {} if weights else {"device_map": "meta"}
    return {
        "device": device if weights else None,
        "model_kwargs": {**FULL_PRECISION, **absent},
        "local_files_only": True,
    }


def write_artifact(
    folder: Path,
    manifest: Manifest,
    write_model: Callable[[Path], object],
    *,
    overwrite: bool = False,
) -> None:
    """Write a model's files and then the manifest that lists them; visible only when whole.

    Raises:
        StorageError: the folder exists and ``overwrite`` is false, or cannot be written.
    """
    with atomic_folder(folder, overwrite=overwrite) as place:
        write_model(place)
        files = {
            str(path.relative_to(place)): sha256(path)
            for path in sorted(place.rglob("*"))
            if path.is_file()
        }
        complete = manifest.model_copy(update={"files": files})
        write_json(place / MANIFEST, complete.model_dump(mode="json"))


def read_manifest(folder: Path) -> Manifest:
    """Read ``kosim.json`` and check every file that it lists against its SHA-256.

    Raises:
        ArtifactError: the folder is no artifact, is of a newer format, or is damaged.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder} is not there; give the folder of a saved encoder")
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(
            f"{folder} is not a saved encoder: it has no {MANIFEST}; train one with "
            "`kosim train`, or make one from a backbone with from_backbone(...).save(...)"
        )
    manifest = _parse(path)
    for name, expected in manifest.files.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise ArtifactError(f"{path} lists {name}, which lies outside the artifact")
        if not file.is_file():
            raise ArtifactError(f"{folder} is damaged: {name} is missing; restore or retrain it")
        if sha256(file) != expected:
            raise ArtifactError(
                f"{folder} is damaged: {name} is truncated or was changed after saving; "
                "restore or retrain it"
            )
    return manifest


def _parse(path: Path) -> Manifest:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ArtifactError(f"{path} is not readable as JSON: {error}") from error
    version = content.get("format") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise ArtifactError(f"{path} is of format {version}, newer than {FORMAT}; upgrade kosim")
    if isinstance(content, dict) and "kind" not in content and "made" in content:
        raise ArtifactError(
            f"{path.parent} is a backbone or a tokenizer, not a saved encoder; train an encoder "
            "from it with `kosim train`, or make one with from_backbone(...).save(...)"
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ArtifactError(f"{path} is not a valid manifest: {place}: {first['msg']}") from error
