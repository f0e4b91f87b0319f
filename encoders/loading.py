"""Opening a saved encoder, whichever kind it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kosim.encoders.artifact import MANIFEST, Manifest, read_manifest
from kosim.encoders.backbone import opening
from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import saved_encoder
from kosim.encoders.compute.backends import is_exported
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.export_store import ExportStore
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ArtifactError
from kosim.encoders.foreign import find_foreign, is_foreign, open_foreign
from kosim.encoders.network_files import check_complete, check_kind, check_sizes

KINDS: dict[str, type[BiEncoder] | type[CrossEncoder]] = {"bi": BiEncoder, "cross": CrossEncoder}


def load(
    folder: str | Path,
    *,
    device: str | None = None,
    backend: Backend | None = None,
    precision: Precision = "fp32",
) -> BiEncoder | CrossEncoder:
    """Open a saved encoder after checking every file of it, or a model that others made.

    Args:
        folder: what :meth:`kosim.encoders.base.PairEncoder.save` wrote; or the name of a bundled
            encoder: ``mini-bi``, ``mini-cross``; or a sentence-transformers model or a
            cross-encoder with one label, by folder or hub id. The last two have their own maximum
            length, prompt, pooling and activation, and no calibration: see
            :attr:`~kosim.encoders.base.PairEncoder.calibrated`.
        device: torch device; the best there is when None.
        backend: what computes: torch, or onnx (the extra ``onnx``), which is faster on a CPU and
            exports the encoder at the first time, into its folder or, for models of others, the
            user's cache; torch by default, onnx for int8.
        precision: arithmetic of the network. int8 (onnx) is the fastest and takes a quarter of
            the memory for all but the embeddings; bf16 (torch) halves the memory, and its speed
            pays only where the processor has instructions for it.

    Raises:
        ArtifactError: the folder is no artifact, is of a newer format, or is damaged.
        ConfigError: the backend or precision is unknown, or they or the device do not fit.
        MissingExtraError: the backend's packages are not installed.
        QualityError: the export was refused, because it loses too much.
        StorageError: the export cannot be written.
    """
    choice = ComputeChoice.of(backend, precision)
    device = choice.device(device)
    path = saved_encoder(folder)
    if is_foreign(path):
        foreign = open_foreign(find_foreign(path), device=device)
        foreign.compute_with(choice)
        return foreign
    manifest = read_manifest(path)
    check_kind(path, manifest.kind, error=ArtifactError)
    check_sizes(path, error=ArtifactError)
    exports = ExportStore(manifest.measured, path)
    exported = is_exported(choice, exports)
    with opening(str(path), ArtifactError):
        encoder = KINDS[manifest.kind].open(path, manifest, device=device, weights=not exported)
    check_complete(path, encoder.model, error=ArtifactError)
    _check_settings(path, manifest, encoder.settings())
    encoder.compute_with(choice, exports)
    return encoder


def _check_settings(folder: Path, manifest: Manifest, found: dict[str, Any]) -> None:
    """Check that an encoder is what its manifest says of it."""
    for name, value in found.items():
        if name != "modules" and manifest.settings.get(name) != value:
            raise ArtifactError(
                f"{folder / MANIFEST} says that {name} is {manifest.settings.get(name)!r}, but the "
                f"model's own files say {value!r}; restore or retrain the encoder"
            )
