"""What a saved encoder looks like on disk, and the checks before one is opened."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kosim.encoders.backbone import FULL_PRECISION, Backbone
from kosim.encoders.bundle import BUNDLED_ENCODERS
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.errors import ArtifactError, did_you_mean
from kosim.encoders.records import LABEL_HIGH, LABEL_LOW
from kosim.encoders.storage import (
    atomic_folder,
    content_checksum,
    put_back,
    read_json,
    read_versioned_json,
    sha256,
    write_json,
)
from kosim.encoders.tokenizers.text_step import make_text_step

MANIFEST = "kosim.json"
MODEL_CARD = "README.md"
"""Written for readers, who may edit it: no score depends on it, so it has no checksum."""

FORMAT = 2
"""The newest format of a saved encoder; format 1 has no field ``composed``."""

EXPORTS = "onnx"
"""The folder of exported graphs, which are made after the manifest and have their own record."""

_LOADED = {".json", ".safetensors", ".bin", ".pt", ".txt", ".model", ".jinja", ".py"}
"""What the names of files end with that a library may read when it opens a folder."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

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

    ``files`` gives the SHA-256 of every other file of the folder but the model card and exports;
    ``fingerprint`` is that of `fingerprint`; ``text_step``
    names what is done to a text before the tokenizer (see
    `text_step`). ``composed`` says that the tokenizer's own
    files compose texts, which the fingerprint covers; it is None in encoders that were saved by
    version 0.1, whose texts are composed all the same. ``checksum`` is of all the rest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    kind: Literal["bi", "cross"]
    backbone: str
    revision: str | None
    settings: dict[str, Any]
    training: dict[str, Any] | None
    calibration: MonotoneCalibration
    threshold: float = Field(ge=LABEL_LOW, le=LABEL_HIGH, allow_inf_nan=False)
    fingerprint: Sha256
    text_step: str | None = None
    composed: Literal["NFC"] | None = None
    versions: dict[str, str] = Field(default_factory=library_versions)
    files: dict[str, Sha256] = Field(default_factory=dict)
    checksum: Sha256 | None = None

    @property
    def measured(self) -> str:
        """A SHA-256 of all that a network is opened from; what `read_manifest` gave was compared.

        Unlike ``fingerprint``, which the file claims, nobody can choose it.
        """
        files = {name: digest for name, digest in self.files.items() if name != MODEL_CARD}
        step = None if self.text_step is None else make_text_step(self.text_step).version
        opened = [self.kind, step, self.composed, sorted(files.items())]
        return hashlib.sha256(json.dumps(opened).encode()).hexdigest()

    def encoder_arguments(self, folder: Path) -> dict[str, Any]:
        """Return what an encoder's constructor takes besides the network in ``folder``."""
        return {
            "backbone": Backbone(name=self.backbone, path=folder, revision=self.revision),
            "calibration": self.calibration,
            "threshold": self.threshold,
            "training": self.training,
            "composed": self.composed is not None,
        }


class _Head(BaseModel):
    """The part of ``kosim.json`` that tells a saved encoder from a backbone or a tokenizer."""

    kind: Any = None
    made: Any = None


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
    with atomic_folder(folder, overwrite=overwrite) as staging:
        write_model(staging)
        files = {
            str(path.relative_to(staging)): sha256(path)
            for path in sorted(staging.rglob("*"))
            if path.is_file() and path != staging / MODEL_CARD
        }
        content = manifest.model_copy(update={"files": files}).model_dump(mode="json")
        write_json(staging / MANIFEST, {**content, "checksum": content_checksum(content)})


def read_manifest(folder: Path) -> Manifest:
    """Read ``kosim.json`` and check every file that it lists against its SHA-256.

    Raises:
        ArtifactError: the folder is no artifact, is of a newer format, or is damaged.
    """
    put_back(folder)
    path = folder / MANIFEST
    try:
        is_folder, has_manifest = folder.is_dir(), path.is_file()
    except OSError as error:
        raise ArtifactError(f"cannot read {folder}: {error.strerror}") from error
    if not is_folder:
        if folder.exists():
            raise ArtifactError(f"{folder} is a file; give the folder of a saved encoder")
        hint = did_you_mean(str(folder), BUNDLED_ENCODERS)
        raise ArtifactError(
            f"there is no encoder {folder}{hint}"
            if hint
            else f"{folder} does not exist; give the folder of a saved encoder"
        )
    if not has_manifest:
        raise ArtifactError(
            f"{folder} is not a saved encoder: it has no {MANIFEST}; train one with "
            "`kosim train`, or make one from a third-party model with `kosim adopt`"
        )
    read = partial(
        read_versioned_json,
        path,
        newest=FORMAT,
        error=ArtifactError,
        remedy="restore or retrain the encoder",
    )
    head = read(_Head)
    if head.kind is None and head.made is not None:
        raise ArtifactError(
            f"{folder} is a backbone or a tokenizer, not a saved encoder; train an encoder "
            "from it with `kosim train`, or make one with from_backbone(...).save(...)"
        )
    manifest = read(Manifest)
    present = _loaded_files(folder)
    for name in sorted(present - set(manifest.files)):
        raise ArtifactError(
            f"{folder} holds {name}, which {MANIFEST} does not list; remove that file, or restore "
            "or retrain the encoder"
        )
    if not any(name.endswith(".safetensors") for name in manifest.files):
        raise ArtifactError(f"{path} lists no weights (*.safetensors); restore or retrain it")
    for name, expected in manifest.files.items():
        if name == MODEL_CARD:  # listed by version 0.1
            continue
        _check_file(folder, name, expected)
    if manifest.checksum is not None:
        content = read_json(path, error=ArtifactError)
        if manifest.checksum != content_checksum(content):
            raise ArtifactError(
                f"{path} is damaged: it was changed after saving; restore or retrain the encoder"
            )
    return manifest


def _loaded_files(folder: Path) -> set[str]:
    """Return the files that a library may read when it opens the folder."""
    found = set()
    for top, folders, names in os.walk(folder, onerror=_unreadable):
        inside = Path(top).relative_to(folder)
        folders[:] = [name for name in folders if name[0] != "." and str(inside / name) != EXPORTS]
        files = (name for name in names if Path(name).suffix in _LOADED and name[0] != ".")
        found |= {str(inside / name) for name in files}
    return found - {MANIFEST}


def _unreadable(error: OSError) -> None:
    raise ArtifactError(f"cannot read {error.filename}: {error.strerror}") from error


def _check_file(folder: Path, name: str, expected: str) -> None:
    file = folder / name
    inside = Path(os.path.realpath(folder))
    if "\0" in name or not Path(os.path.realpath(file)).is_relative_to(inside):
        raise ArtifactError(f"{folder / MANIFEST} lists {name!r}, which lies outside the artifact")
    try:
        if not file.is_file():
            raise ArtifactError(f"{folder} is damaged: {name} is missing; restore or retrain it")
        found = sha256(file)
    except OSError as error:
        raise ArtifactError(f"cannot read {file}: {error.strerror}") from error
    if found != expected:
        raise ArtifactError(
            f"{folder} is damaged: {name} is truncated or was changed after saving; "
            "restore or retrain it"
        )
