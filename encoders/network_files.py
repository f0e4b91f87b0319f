"""Whether a folder's settings and weights make one network, found before anything is built.

A library builds what a config asks for: a million layers, or a width of a billion, would take all
memory, and weights that are missing would be drawn at random. So the config is held against the
names and shapes in the files of weights.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError, safe_open

from kosim.encoders.errors import KosimError
from kosim.encoders.records import Kind
from kosim.encoders.storage import read_json

MOST_LAYERS = 1_000
"""Layers of a network that is opened."""
MOST_VALUES = 1 << 40
"""Weights of a network that is opened, and the largest product of two of its widths."""

_CONFIG = "config.json"
_MODULES = "modules.json"
_ABOUT = "config_sentence_transformers.json"
_MODEL_TYPES = {"bi": "SentenceTransformer", "cross": "CrossEncoder"}
_LAYERS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
_SHARED_LAYERS = "num_hidden_groups"
"""What a config has whose layers share weights, as ALBERT's."""
_WIDTHS = ("hidden_size", "intermediate_size", "embedding_size", "vocab_size", "dim", "d_model")
_SIZES = (*_WIDTHS, *_LAYERS, "max_position_embeddings", "type_vocab_size", "num_attention_heads")


@dataclass(frozen=True)
class _Weights:
    """How many tensors and values the files of weights of a folder hold."""

    tensors: int
    values: int

    @classmethod
    def of(cls, folder: Path, error: type[KosimError]) -> Self | None:
        """Read the headers of all files; None where the weights are of an older form."""
        tensors = values = 0
        for path in sorted({*folder.glob("*.safetensors"), *folder.glob("[0-9]*/*.safetensors")}):
            try:
                path.open("rb").close()  # safetensors says of any error that no file is there
                with safe_open(path, framework="numpy") as file:
                    for name in list(file.keys()):
                        tensors += 1
                        values += math.prod(file.get_slice(name).get_shape())
            except OSError as reason:
                raise error(f"cannot read {path}: {reason.strerror or reason}") from reason
            except (SafetensorError, ValueError) as reason:
                raise error(f"{path} cannot be read as weights: {reason}") from reason
        return cls(tensors, values) if tensors else None


def check_sizes(folder: Path, *, error: type[KosimError]) -> None:
    """Check that the network which a folder's config asks for is one of its weights' size.

    Raises:
        KosimError: of the type ``error``; the config is damaged or asks for more, or a module
            lies outside the folder.
    """
    config = read_json(folder / _CONFIG, error=error)
    for name in _SIZES:
        size = config.get(name)
        if size is not None and (type(size) is not int or not 0 <= size < MOST_VALUES):
            raise error(f"{folder / _CONFIG}: {name} is {str(size)[:40]}; expected a whole number")
    weights = _Weights.of(folder, error)
    layers = max(config.get(name) or 0 for name in _LAYERS)
    most = MOST_LAYERS
    if weights is not None and _SHARED_LAYERS not in config:
        most = min(most, weights.tensors)
    if layers > most:
        raise error(
            f"{folder / _CONFIG} asks for {layers:,} layers; its weights have no more than {most:,}"
        )
    width = max(config.get(name) or 1 for name in ("hidden_size", "dim", "d_model"))
    held = MOST_VALUES if weights is None else weights.values
    for name in _WIDTHS:
        other = "embedding_size" if name == "vocab_size" and "embedding_size" in config else None
        values = (config.get(name) or 1) * ((config[other] or 1) if other else width)
        if name != "embedding_size" and values > held:
            raise error(
                f"{folder / _CONFIG} asks for {values:,} weights by its {name}; {held:,} are there"
            )
    check_modules(folder, error=error)


def check_modules(folder: Path, *, error: type[KosimError]) -> None:
    """Check that the modules of a sentence-transformers folder lie in it, where it has any.

    Raises:
        KosimError: of the type ``error``; one lies elsewhere, or the list is damaged.
    """
    path = folder / _MODULES
    if not path.is_file():
        return
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
        folders = [(folder / module["path"]).resolve() for module in modules]
    except (OSError, ValueError, TypeError, LookupError, RuntimeError) as reason:
        raise error(f"{path} is damaged ({reason}); restore it") from reason
    for inner in folders:
        if not inner.is_relative_to(folder.resolve()):
            raise error(f"{path} names a module outside the folder: {inner}")


def check_kind(folder: Path, kind: Kind, *, error: type[KosimError]) -> None:
    """Check that a saved model is of the kind that its manifest says.

    Raises:
        KosimError: of the type ``error``; it is not, or does not say.
    """
    about = read_json(folder / _ABOUT, error=error)
    if about.get("model_type") != _MODEL_TYPES[kind]:
        raise error(
            f"{folder} is said to be a {kind}-encoder, but its files are those of a "
            f"{about.get('model_type')}; restore or retrain the encoder"
        )


def check_complete(folder: Path, model: Any, *, error: type[KosimError]) -> None:
    """Check that an opened network got its weights from the folder, and that all are numbers.

    Args:
        folder: what it was opened from.
        model: the network, on any device, also without its weights.

    Raises:
        KosimError: of the type ``error``; weights are missing, NaN or infinite.
    """
    weights = _Weights.of(folder, error)
    values = sum(weight.numel() for weight in model.parameters())
    if weights is not None and values > weights.values:
        raise error(
            f"{folder} lacks weights: its network has {values:,} and the files "
            f"{weights.values:,}; restore or retrain the encoder"
        )
    check_finite(model, folder, error=error)


def check_finite(model: Any, name: object, *, error: type[KosimError]) -> None:
    """Check that all weights are numbers, where they are in memory.

    Raises:
        KosimError: of the type ``error``; one is NaN or infinite.
    """
    import torch

    for parameter, weight in model.named_parameters():
        if weight.device.type == "meta" or weight.numel() == 0 or not weight.is_floating_point():
            continue
        if not all(bool(torch.isfinite(end)) for end in torch.aminmax(weight.detach())):
            raise error(
                f"a weight of {name} is not a finite number: {parameter}; restore or retrain it"
            )
