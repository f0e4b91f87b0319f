"""The exported graphs of an encoder: made once, kept beside its weights, checked before use."""

from __future__ import annotations

import atexit
import functools
import importlib
import importlib.metadata
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from kosim.encoders.artifact import EXPORTS
from kosim.encoders.bundle import is_bundled
from kosim.encoders.compute.network import Network
from kosim.encoders.compute.onnx_graph import export_graph, quantise_graph
from kosim.encoders.compute.runtime import Precision
from kosim.encoders.errors import ArtifactError, QualityError
from kosim.encoders.storage import atomic_folder, read_versioned_json, sha256, write_json

_LOG = logging.getLogger(__name__)
_FORMAT = 6
"""Raised when an export of the same weights by the same libraries would come out differently."""

_LIBRARIES = ("torch", "transformers", "sentence-transformers", "onnx", "onnxscript", "onnxruntime")
_GRAPH = "model.onnx"
_RECORD = "export.json"


class ExportRecord(BaseModel):
    """What an export was made from, and the SHA-256 of its files.

    ``measured`` is that of the encoder's files, ``fingerprint`` was computed from its weights when
    they were exported. ``refused`` says why an export may not be used; its files are then gone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    measured: str
    fingerprint: str
    versions: dict[str, str]
    files: dict[str, str]
    refused: str | None = None


@dataclass(frozen=True)
class Export:
    """A graph that was checked, and the fingerprint of the weights that it was made from."""

    graph: Path
    fingerprint: str


class ExportStore:
    """Finds and makes the exports of one encoder.

    They lie in the artifact's folder ``onnx``, one folder a precision. An encoder without an
    artifact, with a bundled one, or with one that cannot be written, has them in the user's cache
    (``$XDG_CACHE_HOME/kosim/onnx``); where that cannot be written either, in a temporary folder.

    Args:
        measured: a hexadecimal SHA-256 of what the encoder was opened from, as it was read. What
            a file claims to be would lead to the exports of another encoder.
        artifact: the folder of the saved encoder, if it is one.
    """

    def __init__(self, measured: str, artifact: Path | None = None) -> None:
        self.measured = measured
        self.artifact = None if artifact is None or is_bundled(artifact) else artifact
        self._checked: dict[Precision, Export] = {}

    def find(self, precision: Precision) -> Export | None:
        """Return the export in ``precision`` if a valid one is there.

        One that belongs to other weights or library versions, or is damaged, is named in a
        warning and not returned.

        Raises:
            QualityError: the export of these weights was refused.
        """
        if precision in self._checked:
            return self._checked[precision]
        for root in self._roots():
            export = root / precision
            if not export.is_dir():
                continue
            found = self._checked_export(export)
            if isinstance(found, Export):
                self._checked[precision] = found
                return found
            _LOG.warning("the export %s %s; it is made again", export, found)
        return None

    def make(self, network: Network, precision: Precision, fingerprint: str) -> Export:
        """Export the network with its weights, or take what another process has just made.

        Args:
            network: with its weights.
            precision: that of the graph.
            fingerprint: of the weights, computed from them.

        Raises:
            BackboneError: torch cannot export this architecture.
            QualityError: the export of these weights was refused.
            StorageError: the disk is full or cannot be written.
        """
        export = self._writable() / precision
        with FileLock(export.parent / f"{precision}.lock"):
            if export.is_dir() and isinstance(found := self._checked_export(export), Export):
                return found
            with atomic_folder(export, overwrite=True) as partial:
                if precision == "fp32":
                    export_graph(network, partial / _GRAPH)
                else:
                    with self._full_graph(network) as graph:
                        quantise_graph(graph, partial / _GRAPH)
                files = {file.name: sha256(file) for file in sorted(partial.iterdir())}
                write_json(partial / _RECORD, self._record(files, fingerprint).model_dump())
        return Export(export / _GRAPH, fingerprint)

    def keep(self, precision: Precision) -> Export | None:
        """Return the export in ``precision``, copied into the artifact's folder if it can be.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        found, export = self.find(precision), self._writable() / precision
        if found is None or found.graph.parent == export:
            return found
        with (
            FileLock(export.parent / f"{precision}.lock"),
            atomic_folder(export, overwrite=True) as partial,
        ):
            shutil.copytree(found.graph.parent, partial, dirs_exist_ok=True)
        self._checked[precision] = Export(export / _GRAPH, found.fingerprint)
        return self._checked[precision]

    def refuse(self, precision: Precision, reason: str) -> None:
        """Replace the export in ``precision`` by a note that it may not be used, and why."""
        self._checked.pop(precision, None)
        for root in self._roots():
            shutil.rmtree(root / precision, ignore_errors=True)
        export = self._writable() / precision
        with FileLock(export.parent / f"{precision}.lock"), atomic_folder(export) as partial:
            write_json(partial / _RECORD, self._record({}, "", refused=reason).model_dump())

    def allow(self, precision: Precision) -> None:
        """Forget that the export in ``precision`` was refused, if it was."""
        for root in self._roots():
            export = root / precision
            try:
                self._checked_export(export)
            except QualityError:
                shutil.rmtree(export, ignore_errors=True)

    @contextmanager
    def _full_graph(self, network: Network) -> Iterator[Path]:
        """Yield the graph in full precision: the one that is kept, or a temporary one."""
        kept = self.find("fp32")
        if kept is not None:
            yield kept.graph
            return
        with tempfile.TemporaryDirectory(prefix="kosim-") as folder:
            export_graph(network, Path(folder) / _GRAPH)
            yield Path(folder) / _GRAPH

    def _roots(self) -> list[Path]:
        beside = [self.artifact / EXPORTS] if self.artifact else []
        return [*beside, *(cache / self.measured[:32] for cache in _caches())]

    def _writable(self) -> Path:
        """Return the first of the folders that can be written, made if it is not there."""
        for root in self._roots():
            with suppress(OSError):
                present = next(one for one in (root, *root.parents) if one.exists())
                if os.access(present, os.W_OK):
                    root.mkdir(parents=True, exist_ok=True)
                    return root
        _LOG.warning(
            "the cache for exports cannot be written, so this one is lost when the process ends: "
            "set XDG_CACHE_HOME to a folder that can be written"
        )
        root = _temporary() / self.measured[:32]
        root.mkdir(exist_ok=True)
        return root

    def _record(
        self, files: dict[str, str], fingerprint: str, *, refused: str | None = None
    ) -> ExportRecord:
        return ExportRecord(
            format=_FORMAT,
            measured=self.measured,
            fingerprint=fingerprint,
            versions=_versions(),
            files=files,
            refused=refused,
        )

    def _checked_export(self, export: Path) -> Export | str:
        """Return an export, or why it must be made again.

        Raises:
            QualityError: it need not be: it was refused.
        """
        try:
            record = read_versioned_json(
                export / _RECORD, ExportRecord, newest=_FORMAT, error=ArtifactError
            )
        except ArtifactError:
            return f"has no readable {_RECORD} of this version"
        if record.measured != self.measured:
            return "was made from other weights"
        if record.format != _FORMAT:
            return f"is of format {record.format}, not {_FORMAT}"
        for name, version in _versions().items():
            if (before := record.versions.get(name)) != version:
                return f"was made with {name} {before}, not {version}"
        if record.refused is not None:
            raise QualityError(f"{export} was refused by kosim export: {record.refused}")
        try:
            present = {file.name for file in export.iterdir()} - {_RECORD}
            damaged = sorted(present ^ set(record.files)) or [
                name for name, expected in record.files.items() if sha256(export / name) != expected
            ]
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        if damaged or _GRAPH not in present:
            return f"is damaged: {(damaged or [_GRAPH])[0]} is missing or was changed"
        return Export(export / _GRAPH, record.fingerprint)


def export_folder(artifact: Path, precision: Precision) -> Path:
    """Return where a saved encoder has its export, if it has one and can be written."""
    return artifact / EXPORTS / precision


def _versions() -> dict[str, str]:
    return {name: _version(name) for name in _LIBRARIES}


def _version(library: str) -> str:
    """Return a library's version; onnxruntime-gpu and its like supply the module alone."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        module = importlib.import_module(library.replace("-", "_"))
        return str(getattr(module, "__version__", "unknown"))


def _caches() -> list[Path]:
    """Return where exports without a folder of their own may lie, the best first."""
    kept = []
    with suppress(RuntimeError):  # a user id without a home
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        kept.append(Path(home) / "kosim" / EXPORTS)
    return [*kept, *([_temporary()] if _temporary.cache_info().currsize else [])]


@functools.cache
def _temporary() -> Path:
    """Return a folder of this process, removed at its end."""
    folder = tempfile.TemporaryDirectory(prefix="kosim-onnx-")
    atexit.register(folder.cleanup)
    return Path(folder.name)
