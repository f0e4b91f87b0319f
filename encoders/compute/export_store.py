"""The exports of an encoder: made once, kept beside its weights, checked before use."""

from __future__ import annotations

import atexit
import functools
import importlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, Field

from kosim.encoders.artifact import EXPORTS
from kosim.encoders.bundle import is_bundled
from kosim.encoders.compute.runtime import Precision
from kosim.encoders.compute.text_reader import InputLayout, content_of, open_tokenizer
from kosim.encoders.errors import ArtifactError, MissingExtraError, QualityError
from kosim.encoders.language import Line
from kosim.encoders.storage import (
    atomic_folder,
    content_checksum,
    read_json,
    read_versioned_json,
    sha256,
    write_json,
    write_text,
)
from kosim.encoders.suitability import position_limit

if TYPE_CHECKING:
    from kosim.encoders.compute.network import Network

_LOG = logging.getLogger(__name__)
_FORMAT = 7
"""Raised when an export of the same weights would come out differently."""

_LIBRARIES = ("torch", "transformers", "sentence-transformers", "onnx", "onnxscript", "onnxruntime")
_EXPORTERS = ("torch", "onnx", "onnxscript", "onnxruntime")
_GRAPH = "model.onnx"
_TOKENIZER = "tokenizer.json"
_RECORD = "export.json"


class ExportRecord(BaseModel):
    """What an export was made from, what an encoder is made of besides, and the files' SHA-256.

    ``measured`` is that of the encoder's files, ``fingerprint`` and ``settings`` are those of the
    opened encoder that was exported. ``refused`` says why an export may not be used; its files are
    then gone. ``precision`` is that of the graph, whatever its folder is called, and ``checksum``
    is of all the rest; exports of earlier versions have neither.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    measured: str
    fingerprint: str
    versions: dict[str, str]
    files: dict[str, str]
    refused: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    layout: InputLayout = InputLayout()
    parameters: int = 0
    positions: int | None = None
    hidden_size: int | None = None
    precision: Precision | None = None
    checksum: str | None = None

    def write(self, folder: Path) -> None:
        """Write it into the folder of its export.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        content = self.model_dump(mode="json")
        write_json(folder / _RECORD, {**content, "checksum": content_checksum(content)})


@dataclass(frozen=True)
class Export:
    """A valid export in ``folder``, of an encoder that is saved in ``artifact``, if it is."""

    folder: Path
    record: ExportRecord
    artifact: Path | None

    @property
    def precision(self) -> Precision:
        """The arithmetic of the network."""
        return cast(Precision, self.folder.name)

    @property
    def graph(self) -> Path:
        """The network."""
        return self.folder / _GRAPH

    @property
    def weights(self) -> Path | None:
        """The folder that has the graph's weights, where it is not the graph's own."""
        return None if f"{_GRAPH}.data" in self.record.files else self.artifact

    @property
    def tokenizer(self) -> Path:
        """The ``tokenizer.json``: the artifact's own, unless that one does not say it all."""
        own = _TOKENIZER in self.record.files or self.artifact is None
        return (self.folder if own or self.artifact is None else self.artifact) / _TOKENIZER


class ExportStore:
    """Finds and makes the exports of one encoder.

    They lie in the artifact's folder ``onnx``, one folder a precision. Those of an encoder without
    an artifact, with a bundled one, or with one that cannot be written, are made in the user's
    cache (``$XDG_CACHE_HOME/kosim/onnx``); where that cannot be written either, in a temporary
    folder.

    Args:
        measured: a hexadecimal SHA-256 of what the encoder was opened from, as it was read. What
            a file claims to be would lead to the exports of another encoder.
        artifact: the folder of the saved encoder, if it is one.
    """

    def __init__(self, measured: str, artifact: Path | None = None) -> None:
        self.measured = measured
        self.saved = artifact
        self.artifact = None if artifact is None or is_bundled(artifact) else artifact
        self._checked: dict[Precision, Export] = {}
        self.unusable: dict[Precision, str] = {}
        """Why `find` returned none though one was there."""

    def find(self, precision: Precision) -> Export | None:
        """Return the export in ``precision`` if a valid one is there.

        One that belongs to other weights, or is damaged, is not returned: ``unusable`` names it.
        `make` replaces it.

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
            self.unusable[precision] = f"the export {export} {found}"
        return None

    def make(
        self, network: Network, precision: Precision, fingerprint: str, settings: dict[str, Any]
    ) -> Export:
        """Export the network with its weights, or take what another process has just made.

        Args:
            network: with its weights.
            precision: that of the graph.
            fingerprint: of the weights, computed from them.
            settings: of the encoder, as its model has them.

        Raises:
            MissingExtraError: the packages that export are not installed.
            BackboneError: torch cannot export this architecture.
            QualityError: the export of these weights was refused.
            StorageError: the disk is full or cannot be written.
        """
        check_exporter()
        from kosim.encoders.compute.onnx_graph import export_graph, quantise_graph

        if unusable := self.unusable.pop(precision, None):
            _LOG.warning("%s; it is made again", unusable)

        export = self._writable() / precision
        with _locked(export):
            found = self._checked_export(export) if export.is_dir() else None
            if isinstance(found, Export):
                return found
            with atomic_folder(export, overwrite=True) as partial:
                if precision == "fp32":
                    export_graph(network, partial / _GRAPH)
                else:
                    with self._full_graph(network) as graph:
                        quantise_graph(graph, partial / _GRAPH)
                self._write_tokenizer(network.model.tokenizer, partial / _TOKENIZER)
                files = {file.name: sha256(file) for file in sorted(partial.iterdir())}
                config = getattr(network.model.transformers_model, "config", None)
                record = self._record(files, fingerprint).model_copy(
                    update={
                        "settings": settings,
                        "layout": InputLayout.of(network.model.tokenizer),
                        "positions": position_limit(network.model.transformers_model),
                        "parameters": sum(one.numel() for one in network.model.parameters()),
                        "hidden_size": getattr(config, "hidden_size", None),
                        "precision": precision,
                    }
                )
                record.write(partial)
        return Export(export, record, self.saved)

    def keep(self, precision: Precision) -> Export | None:
        """Return the export in ``precision``, copied into the artifact's folder if it can be.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        found = self.find(precision)
        if found is None or self.artifact is None or found.folder.parent.parent == self.artifact:
            return found
        export = self._writable() / precision
        with _locked(export), atomic_folder(export, overwrite=True) as partial:
            shutil.copytree(found.folder, partial, dirs_exist_ok=True)
        self._checked[precision] = Export(export, found.record, self.saved)
        return self._checked[precision]

    def refuse(self, precision: Precision, reason: str) -> None:
        """Replace the export in ``precision`` by a note that it may not be used, and why."""
        self._checked.pop(precision, None)
        for root in self._roots():
            shutil.rmtree(root / precision, ignore_errors=True)
        export = self._writable() / precision
        with _locked(export), atomic_folder(export) as partial:
            self._record({}, "", refused=reason).write(partial)

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
        if kept is not None and kept.weights is None:
            yield kept.graph
            return
        from kosim.encoders.compute.onnx_graph import export_graph

        with tempfile.TemporaryDirectory(prefix="kosim-") as folder:
            export_graph(network, Path(folder) / _GRAPH)
            yield Path(folder) / _GRAPH

    def _roots(self) -> list[Path]:
        beside = [self.saved / EXPORTS] if self.saved else []
        return [*beside, *(cache / self.measured[:32] for cache in _caches())]

    def _writable(self) -> Path:
        """Return the first of the folders that can be written, made if it is not there."""
        bundled = self.saved is not None and self.artifact is None
        for root in self._roots()[bundled:]:
            with suppress(OSError):
                present = next(one for one in (root, *root.parents) if one.exists())
                if os.access(present, os.W_OK):
                    root.mkdir(parents=True, exist_ok=True)
                    return root
        said = Line(
            "the cache for exports cannot be written, so this one is lost when the process ends: "
            "set XDG_CACHE_HOME to a folder that can be written",
            "내보낸 그래프를 둘 캐시에 쓸 수 없어 프로세스가 끝나면 없어집니다. XDG_CACHE_HOME을 "
            "쓸 수 있는 폴더로 지정하십시오",
        )
        _LOG.warning("%s", said)
        root = _temporary() / self.measured[:32]
        root.mkdir(exist_ok=True)
        return root

    def _write_tokenizer(self, tokenizer: Any, target: Path) -> None:
        """Write the tokenizer, unless the artifact's own file says all of it.

        A class that is named for an architecture can add to that file, or have none.
        """
        content = content_of(tokenizer.backend_tokenizer)
        own = self.saved / _TOKENIZER if self.saved else None
        if own is None or not own.is_file() or content_of(open_tokenizer(own)) != content:
            write_text(target, json.dumps(content, ensure_ascii=False))

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
        """Return an export, or why it cannot be used.

        What made it does not matter: an export is all that computes. What was refused may be better
        if other libraries make it.

        Raises:
            QualityError: it was refused.
        """
        try:
            record = read_versioned_json(
                export / _RECORD, ExportRecord, newest=_FORMAT, error=ArtifactError
            )
        except ArtifactError:
            return f"has no readable {_RECORD} of this version"
        if record.measured != self.measured:
            return "was made from other weights"
        if record.precision not in (None, export.name):
            return f"computes in {record.precision}"
        if record.format != _FORMAT:
            return f"is of format {record.format}, not {_FORMAT}"
        if record.refused is not None:
            for name, version in _versions().items():
                if (before := record.versions.get(name)) != version:
                    return f"was refused as made with {name} {before}, not {version}"
            raise QualityError(f"{export} was refused by kosim export: {record.refused}")
        try:
            present = {file.name for file in export.iterdir()} - {_RECORD}
            damaged = sorted(present ^ set(record.files)) or [
                name for name, expected in record.files.items() if sha256(export / name) != expected
            ]
            content = read_json(export / _RECORD, error=ArtifactError)
            if record.checksum not in (None, content_checksum(content)):
                damaged.append(_RECORD)
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        if damaged or _GRAPH not in present:
            return f"is damaged: {(damaged or [_GRAPH])[0]} is missing or was changed"
        return Export(export, record, self.saved)


def export_folder(artifact: Path, precision: Precision) -> Path:
    """Return where a saved encoder has its export, if it has one and can be written."""
    return artifact / EXPORTS / precision


def check_exporter(
    encoder: str | Path = "this encoder", unusable: str | None = None, precision: str | None = None
) -> None:
    """Check that the packages are installed by which a network becomes a graph.

    Args:
        encoder: is named in the error.
        unusable: why the export that is there is of no use.
        precision: of the export that is missing.

    Raises:
        MissingExtraError: one is not.
    """
    for package in _EXPORTERS:
        if importlib.util.find_spec(package) is None:
            export = f"{precision} export" if precision else "export"
            there = unusable or f"{encoder} has no {export} of its weights"
            raise MissingExtraError(
                f"{there}, and making one needs {package}, which is not installed: "
                'pip install "kosim[onnx]", or run kosim export where it is installed and copy the '
                "folder onnx"
            )


def _versions() -> dict[str, str]:
    return {name: _version(name) for name in _LIBRARIES if _is_there(name)}


def _version(library: str) -> str:
    """Return a library's version; onnxruntime-gpu and its like supply the module alone."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        module = importlib.import_module(library.replace("-", "_"))
        return str(getattr(module, "__version__", "unknown"))


def _is_there(library: str) -> bool:
    return importlib.util.find_spec(library.replace("-", "_")) is not None


@contextmanager
def _locked(export: Path) -> Iterator[None]:
    from filelock import FileLock

    export.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(export.parent / f"{export.name}.lock"):
        yield


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
