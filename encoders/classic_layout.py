"""The layout of sentence-transformers 3 to 5, in which saved encoders are written.

sentence-transformers 6 and transformers 5 write names that older versions do not know, but read
those that older versions wrote. So the settings beside the weights are rewritten in the older
form, which all of them open, with the same vectors and scores.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kosim.encoders.storage import write_json

_MODULES = {"Transformer", "Pooling", "Normalize", "Dense", "Dropout", "LayerNorm"}
"""Modules that `sentence_transformers.models` had under the same name."""

_POOLING_FLAGS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
_NEW_KEYS = ("module_input_name", "module_output_name")


def write_classic_layout(
    folder: Path, *, max_length: int, tokenizer_inputs: Sequence[str] | None = None
) -> None:
    """Rewrite the settings of a saved sentence-transformers model in the older form.

    Args:
        folder: what ``SentenceTransformer.save`` or ``CrossEncoder.save`` of version 6 wrote.
        max_length: tokens after which an input is cut.
        tokenizer_inputs: what the tokenizer makes for its network; as the folder says when None.

    Raises:
        StorageError: a file cannot be written.
    """
    model = _read(folder / "config_sentence_transformers.json")
    if model.get("model_type") == "CrossEncoder":
        # Older cross-encoders have no modules: the classifier's config names the activation.
        config = _read(folder / "config.json")
        config["sentence_transformers"] = {"activation_fn": model["activation_fn"]}
        write_json(folder / "config.json", config)
    else:
        _rewrite_modules(folder, max_length)
    write_classic_tokenizer(folder, max_length=max_length, inputs=tokenizer_inputs)


def write_classic_tokenizer(
    folder: Path, *, max_length: int | None = None, inputs: Sequence[str] | None = None
) -> None:
    """Give a saved fast tokenizer the class name that all versions of transformers know.

    It is that of ``tokenizer.json`` as it stands: a class that is named for an architecture builds
    its own pipeline from the vocabulary, and loses that texts are composed first.

    Args:
        folder: where ``save_pretrained`` of transformers 5 wrote it.
        max_length: tokens after which an input is cut; as the tokenizer says when None.
        inputs: what the tokenizer makes for its network, which the class of an architecture knows
            by itself; as the folder says when None.

    Raises:
        StorageError: the file cannot be written.
    """
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return
    settings = _read(path)
    if inputs is not None:
        settings["model_input_names"] = list(inputs)
    if inputs is not None or settings.get("tokenizer_class") == "TokenizersBackend":
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    if max_length is not None:
        settings["model_max_length"] = max_length
    write_json(path, settings)


def _rewrite_modules(folder: Path, max_length: int) -> None:
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    for module in modules:
        name = module["type"].rpartition(".")[2]
        if name not in _MODULES:
            continue
        module["type"] = f"sentence_transformers.models.{name}"
        own = folder / module["path"] / "config.json"
        if name == "Transformer":
            settings = {"max_seq_length": max_length, "do_lower_case": False}
            write_json(folder / module["path"] / "sentence_bert_config.json", settings)
        elif name == "Pooling":
            write_json(own, _pooling(_read(own)))
        elif own.is_file():
            kept = {key: value for key, value in _read(own).items() if key not in _NEW_KEYS}
            write_json(own, kept)
    write_json(folder / "modules.json", modules)


def _pooling(config: dict[str, Any]) -> dict[str, Any]:
    if "pooling_mode" not in config:
        return config
    modes = config["pooling_mode"]
    chosen = {modes} if isinstance(modes, str) else set(modes)
    return {
        "word_embedding_dimension": config["embedding_dimension"],
        **{flag: mode in chosen for mode, flag in _POOLING_FLAGS.items()},
        "include_prompt": config.get("include_prompt", True),
    }


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
