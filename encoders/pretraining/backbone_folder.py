"""The folders that a run reads its tokenizer from and writes its backbone to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from kosim.encoders.backbone import opening
from kosim.encoders.classic_layout import write_classic_tokenizer
from kosim.encoders.errors import BackboneError
from kosim.encoders.provenance import Provenance, read_provenance
from kosim.encoders.storage import atomic_folder, sha256, write_json, write_text
from kosim.encoders.tokenizers.composition import compose_before, pipeline_content
from kosim.encoders.tokenizers.text_step import apply_before, step_of

_MOST_TOKENS = 1 << 16


def open_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Open the tokenizer of a folder, with the text step that its ``kosim.json`` names.

    Raises:
        BackboneError: there is none, or it is damaged, too large, or no fast one.
        MissingExtraError: its text step needs a package that is not installed.
    """
    if not folder.is_dir():
        raise BackboneError(
            f"tokenizer {folder} does not exist; make one with `kosim tokenizer train`"
        )
    with opening(f"tokenizer {folder}"):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        compose_before(tokenizer)
    if len(tokenizer) > _MOST_TOKENS:
        raise BackboneError(
            f"tokenizer {folder} has {len(tokenizer):,} tokens; give one of at most "
            f"{_MOST_TOKENS:,}"
        )
    apply_before(tokenizer, read_provenance(folder).text_step)
    return tokenizer


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a SHA-256 of a tokenizer and its text step."""
    content = pipeline_content(tokenizer)
    step = step_of(tokenizer)
    said = json.dumps([content, step.version if step else None], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def weights_fingerprint(folder: Path) -> list[str]:
    """Return the SHA-256 of a backbone's files of weights."""
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    return [sha256(file) for file in files]


def texts_fingerprint(texts: list[str]) -> str:
    """Return a SHA-256 of texts in their order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def write_backbone(
    network: PreTrainedModel,
    tokenizer_folder: Path,
    out: Path,
    provenance: Provenance,
    records: dict[str, Any],
    *,
    overwrite: bool = False,
) -> None:
    """Write a backbone: weights, tokenizer, ``kosim.json``, a model card, and JSON records.

    Args:
        network: what is kept of the training.
        tokenizer_folder: where its tokenizer came from.
        out: the folder to write; whole or not at all.
        provenance: of the backbone.
        records: content by file name.
        overwrite: replace what is there.

    Raises:
        StorageError: ``out`` exists and ``overwrite`` is false, or cannot be written.
    """
    with opening(f"tokenizer {tokenizer_folder}"):
        # Anew, because calls leave their traces in a tokenizer.
        tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_folder), local_files_only=True)
        compose_before(tokenizer)
    with atomic_folder(out, overwrite=overwrite) as partial:
        network.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        write_classic_tokenizer(partial)
        provenance.write(partial)
        write_text(partial / "README.md", model_card(provenance))
        for name, content in records.items():
            write_json(partial / name, content)


def model_card(provenance: Provenance) -> str:
    """Return a model card that says how a backbone was made and what its tokenizer expects."""
    lines = [
        "---",
        "language: ko",
        "library_name: transformers",
        "---",
        "",
        "# A small Korean ELECTRA, made with kosim",
        "",
        "A backbone for bi-encoders and cross-encoders: an ordinary transformers ELECTRA. It is of",
        "no use before it is fine-tuned.",
        "",
    ]
    if provenance.text_step is not None:
        lines += [
            f"**Its tokenizer expects {provenance.text_step}.** kosim cuts texts by itself. With",
            "any other program, cut them with Kiwi first and join the forms with spaces:",
            "`날씨가 더웠다` is given as `날씨 가 덥 었 다`.",
            "",
        ]
    lines += ["## How it was made", ""]
    for step in provenance.steps:
        said = {key: value for key, value in step.items() if key != "step"}
        lines += [
            f"### {step['step']}",
            "",
            "```json",
            json.dumps(said, ensure_ascii=False, indent=2),
            "```",
            "",
        ]
    return "\n".join(lines)
