"""Opening a saved encoder, whichever kind it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kosim.encoders.artifact import MANIFEST, Manifest, read_manifest
from kosim.encoders.backbone import Backbone, opening
from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import saved_encoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.compute.backends import check_machine, default_backend
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.export_store import Export, ExportStore, check_exporter
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ArtifactError
from kosim.encoders.foreign import (
    check_openable,
    find_foreign,
    foreign_kind,
    is_foreign,
    open_foreign,
    warn_uncalibrated,
)
from kosim.encoders.network_files import check_complete, check_kind
from kosim.encoders.records import Kind

_LOG = logging.getLogger(__name__)

KINDS: dict[str, type[BiEncoder] | type[CrossEncoder]] = {"bi": BiEncoder, "cross": CrossEncoder}


def load(
    folder: str | Path,
    *,
    device: str | None = None,
    backend: Backend | None = None,
    precision: Precision = "fp32",
) -> BiEncoder | CrossEncoder:
    """Open a saved encoder after checking every file of it, or a third-party model.

    Args:
        folder: the folder that `save` wrote; the name of a bundled encoder, ``mini-bi`` or
            ``mini-cross``; or a sentence-transformers model or a cross-encoder with one label, by
            folder or hub id. A third-party model keeps its own maximum length, prompt, pooling and
            activation, and has no calibration: see `calibrated`.
        device: torch device; the best one of the machine when None.
        backend: what computes: torch, or onnx (the extra ``onnx``), which starts sooner and is
            faster on a CPU. onnx exports an encoder when it is first used, into its folder or, for
            a third-party model, the user's cache. The default is onnx for int8 and where
            onnxruntime and an export are there, as with the bundled encoders; it is torch
            otherwise, with a GPU, for third-party models, and where another device than the CPU is
            given.
        precision: arithmetic of the network. int8 (onnx) is the fastest and takes a quarter of
            the memory for all but the embeddings; bf16 (torch) halves the memory, and its speed
            pays only where the processor has instructions for it.

    Raises:
        ArtifactError: the folder is not an artifact, is of a newer format, or is damaged.
        ConfigError: the backend or precision is unknown, or they or the device do not fit.
        MissingExtraError: the backend's packages are not installed.
        QualityError: the export was refused, because it loses too much.
        StorageError: the export cannot be written.
    """
    asked = ComputeChoice.of(backend, precision)
    asked.device(device)  # what does not fit is said first
    path = saved_encoder(folder)
    if is_foreign(path):
        check_openable(path)
        check_machine(asked)
        found = find_foreign(path)
        foreign = open_foreign(found, device=asked.device(device))
        warn_uncalibrated(found)
        foreign.compute_with(asked)
        return foreign
    manifest = read_manifest(path)
    check_kind(path, manifest.kind, error=ArtifactError)
    exports = ExportStore(manifest.measured, path)
    choice, export = choose(exports, backend, precision, device)
    kind = KINDS[manifest.kind]
    if export is None:
        with opening(str(path), ArtifactError):
            encoder = kind.open(path, manifest, device=choice.device(device))
        check_complete(path, encoder.model, error=ArtifactError)
        _check_settings(path, manifest, encoder.settings())
        if choice.backend == "torch":
            if unusable := exports.unusable.get(precision):  # which only a default has looked for
                _LOG.warning("%s, so torch computes; `kosim export` can make it again", unusable)
            encoder.compute_with(choice, exports)
            return encoder
        export = exports.make(
            encoder._network(), precision, encoder.fingerprint(), encoder.settings()
        )
    _check_settings(path, manifest, export.record.settings)
    return kind.open_export(path, manifest, export)


@dataclass(frozen=True)
class Description:
    """What must be known of an encoder where others compute with it."""

    kind: Kind
    backbone: Backbone
    calibration: MonotoneCalibration
    threshold: float
    max_length: int
    fingerprint: str
    training: dict[str, Any] | None


def kind_of(folder: str | Path) -> Kind:
    """Return the kind of what `load` opens, by its files alone.

    Raises:
        ArtifactError: it is no encoder, or damaged.
    """
    path = saved_encoder(folder)
    return foreign_kind(find_foreign(path)) if is_foreign(path) else read_manifest(path).kind


def describe(folder: str | Path) -> Description:
    """Describe what `load` opens; only a model of others is opened for it.

    Raises:
        ArtifactError: it is no encoder, or damaged.
    """
    path = saved_encoder(folder)
    if is_foreign(path):
        found = load(path, device="cpu", backend="torch")
        return Description(
            found.kind,
            found.backbone,
            found.calibration,
            found.threshold,
            found.max_length,
            found.fingerprint(),
            training=None,
        )
    manifest = read_manifest(path)
    return Description(
        manifest.kind,
        Backbone(manifest.backbone, path, manifest.revision),
        manifest.calibration,
        manifest.threshold,
        int(manifest.settings["max_length"]),
        manifest.fingerprint,
        manifest.training,
    )


def export_store(folder: str | Path) -> ExportStore:
    """Return where the exports of what `load` opens are kept.

    Raises:
        ArtifactError: it is no encoder, or damaged.
    """
    path = saved_encoder(folder)
    if is_foreign(path):
        return ExportStore(describe(path).fingerprint)
    return ExportStore(read_manifest(path).measured, path)


def choose(
    exports: ExportStore, backend: Backend | None, precision: Precision, device: str | None
) -> tuple[ComputeChoice, Export | None]:
    """Return what is to compute a saved encoder, and the export that it computes from.

    Returns:
        No export for torch, and for onnx where one can be made.

    Raises:
        ConfigError: the backend or precision is unknown, or they or the device do not fit.
        MissingExtraError: the backend's packages are not installed, or there is no export and
            those that make one are not.
        QualityError: the export was refused, because it loses too much.
    """
    if backend is None:
        backend = default_backend(exports, precision, device)
    choice = ComputeChoice.of(backend, precision)
    choice.device(device)
    check_machine(choice)
    if choice.backend == "torch":
        return choice, None
    export = exports.find(precision)
    if export is None:
        check_exporter(exports.saved or "this encoder", exports.unusable.get(precision), precision)
    return choice, export


def _check_settings(folder: Path, manifest: Manifest, found: dict[str, Any]) -> None:
    """Check that an encoder is what its manifest says of it."""
    for name, value in found.items():
        if name != "modules" and manifest.settings.get(name) != value:
            raise ArtifactError(
                f"{folder / MANIFEST} says that {name} is {manifest.settings.get(name)!r}, but the "
                f"model's own files say {value!r}; restore or retrain the encoder"
            )
