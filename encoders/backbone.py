"""Pretrained backbones: finding one, in a folder or on the hub, and opening its network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kosim.encoders.bundle import BUNDLED, BUNDLED_NAMES
from kosim.encoders.errors import BackboneError, KosimError
from kosim.encoders.network_files import check_modules, check_sizes
from kosim.encoders.storage import read_json

KOELECTRA = "monologg/koelectra-base-v3-discriminator"
"""The default backbone for real use: ELECTRA base, 35,000 word pieces, Apache-2.0."""

FULL_PRECISION: dict[str, Any] = {"dtype": "float32"}
"""transformers keeps a checkpoint's own type, and half precision is slow on a CPU."""

_CONFIG = "config.json"
SCRATCH_WIDTH = 128
"""Width of the network of a backbone from scratch."""

_WIDTHS = ("hidden_size", "dim", "d_model")
"""What configs call the width of the network: BERT and its kin, DistilBERT, T5 and its kin."""

_SUPPORT_FILES = ["*.json", "*.txt", "*.model", "*/config.json"]
_SAFE_WEIGHTS = "*.safetensors"
_OLD_WEIGHTS = "pytorch_model*.bin"
_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "tokenizer.model", "spiece.model", "vocab.json")


@dataclass(frozen=True)
class Backbone:
    """Where a backbone's files are, and what to call it.

    ``revision`` is the hub's commit hash, or None for a folder.
    """

    name: str
    path: Path
    revision: str | None = None


def find_backbone(name: str, *, revision: str | None = None) -> Backbone:
    """Find a backbone by name, folder or hub id and check that it is complete.

    ``mini`` is the bundled one, even where a folder of that name is (give ``./mini``), and so are
    the bundled encoders ``mini-bi`` and ``mini-cross``, to be trained further. A hub
    id is fetched once into the hub's cache and works offline from then on; safetensors weights
    are preferred to pickled ones. The commit that a branch or tag stood for is resolved, so
    that an artifact names exactly what it was made from.

    Raises:
        BackboneError: nothing is there under that name, or a file is missing.
    """
    if name in BUNDLED_NAMES:
        return Backbone(name=name, path=_bundled(name, revision))
    folder = Path(name).expanduser()
    if _is_there(folder):
        if revision is not None:
            raise BackboneError(f"backbone {name} is a folder; a revision belongs to a hub id")
        return Backbone(name=name, path=_complete(folder, name))
    if name.startswith(("/", ".", "~")) or name.count("/") != 1:
        raise BackboneError(f"backbone {name} does not exist; give a folder or a hub id owner/name")
    folder = _fetch(name, revision, _SAFE_WEIGHTS)
    if not any(folder.glob(_SAFE_WEIGHTS)):
        folder = _fetch(name, revision, _OLD_WEIGHTS)
    return Backbone(name=name, path=_complete(folder, name), revision=folder.name)


def _is_there(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError as error:
        raise BackboneError(f"cannot read backbone {folder}: {error.strerror}") from error


def hidden_size(name: str, *, revision: str | None = None) -> int | None:
    """Return the width of a backbone's network, or None where its config cannot be read.

    Of a hub id only the config is fetched, once.
    """
    path = BUNDLED / name if name in BUNDLED_NAMES else Path(name).expanduser()
    if not path.is_dir():
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
        )

        try:
            path = Path(hf_hub_download(name, _CONFIG, revision=revision)).parent
        except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
            return None
    try:
        content = read_json(path / _CONFIG, error=BackboneError)
    except BackboneError:
        return None
    width = next((content[key] for key in _WIDTHS if key in content), None)
    return width if isinstance(width, int) else None


def _bundled(name: str, revision: str | None) -> Path:
    if revision is not None:
        raise BackboneError(f"backbone {name} is bundled; a revision belongs to a hub id")
    folder = BUNDLED / name
    if not folder.is_dir():
        raise BackboneError(
            f"the bundled backbone {name} is not part of this installation ({folder} is not "
            "there); reinstall kosim, make it as benchmarks/mini says, or give a folder or a "
            "hub id"
        )
    return _complete(folder, name)


def _fetch(name: str, revision: str | None, weights: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(name, revision=revision, allow_patterns=[*_SUPPORT_FILES, weights])
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        at = f" at revision {revision}" if revision else ""
        raise BackboneError(
            f"backbone {name}{at} is neither a folder here nor available from the model hub "
            f"({type(error).__name__}); check the name, or download it once while online"
        ) from error


def _complete(folder: Path, name: str) -> Path:
    network = folder / _first_module(folder)
    try:
        check_modules(folder, error=BackboneError)
        if not (network / _CONFIG).is_file():
            raise BackboneError(
                f"backbone {name} has no config.json; it is not a transformers model"
            )
        if not any((network / file).is_file() for file in _TOKENIZER_FILES):
            raise BackboneError(
                f"backbone {name} has no tokenizer (none of {', '.join(_TOKENIZER_FILES)})"
            )
        if not any(network.glob(_SAFE_WEIGHTS)) and not any(network.glob(_OLD_WEIGHTS)):
            raise BackboneError(f"backbone {name} has no weights (model.safetensors)")
    except OSError as error:
        raise BackboneError(f"cannot read backbone {name}: {error.strerror}") from error
    check_sizes(network, error=BackboneError)
    return folder


def _first_module(folder: Path) -> str:
    """Return where in a sentence-transformers folder its network is, such as ``0_Transformer``."""
    try:
        entries = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        return str(entries[0]["path"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""


@contextmanager
def opening(what: str, as_error: type[KosimError] = BackboneError) -> Iterator[None]:
    """Turn whatever a loader raises on damaged or foreign files into one clear line.

    Raises:
        BackboneError: ``what`` could not be loaded; or an error of another type, if given.
    """
    try:
        yield
    except BackboneError as error:
        raise as_error(str(error)) from error
    except KosimError:
        raise
    except Exception as error:  # a damaged file can make a loader fail in any way
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise as_error(f"{what} could not be loaded: {reason}") from error


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw new weights from ``seed`` without touching the caller's random state."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
