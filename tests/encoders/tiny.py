"""Tiny stand-ins: an ELECTRA in KoELECTRA's layout on disk, and labelled pairs to train it on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import ElectraConfig, ElectraForPreTraining

from kosim.encoders.base import PairEncoder
from kosim.encoders.loading import KINDS
from kosim.encoders.records import LabelledPairs
from kosim.encoders.training.config import TrainingConfig

HUB_ID = "monologg/koelectra-base-v3-discriminator"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_SYLLABLES = [chr(code) for code in range(0xAC00, 0xAC00 + 28 * 150, 28)]
_OTHER = ["A", "a", "B", "b", "query", ":", ".", "?", "1", "2", "é", "e"]
VOCABULARY = [
    *SPECIAL,
    *_SYLLABLES,
    *(f"##{syllable}" for syllable in _SYLLABLES),
    *_OTHER,
]
WORDS = [
    first + second for first, second in zip(_SYLLABLES[:60:2], _SYLLABLES[60:120:2], strict=True)
]
PROMPT = "query: "
SENTENCES = [
    " ".join(WORDS[:3]),
    " ".join(WORDS[2:9]),
    WORDS[4],
    " ".join(WORDS[10:22]),
    " ".join(WORDS[1:4]) + " A",
]


def write_koelectra(
    folder: Path,
    *,
    embedding: int = 16,
    weights: str = "model.safetensors",
    dropout: float = 0.1,
    dtype: torch.dtype = torch.float32,
    letters: Iterable[str] = (),
) -> Path:
    """Write an ELECTRA discriminator as the hub has it: no tokenizer.json, a plain vocab.txt.

    Its vocabulary reads ``letters`` besides `WORDS`.

    The random weights are large, so that untrained scores differ clearly. The pickled variant
    holds the ``position_ids`` that old checkpoints have.
    """
    more = sorted(set("".join(letters)) - {" "})
    pieces = [*more, *(f"##{letter}" for letter in more)]
    vocabulary = list(dict.fromkeys([*VOCABULARY, *pieces]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = ElectraForPreTraining(
            ElectraConfig(
                vocab_size=len(vocabulary),
                embedding_size=embedding,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=512,
                initializer_range=0.2,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=dropout,
                pad_token_id=0,
            )
        ).to(dtype)
    model.save_pretrained(folder)
    if weights == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
        position_ids = torch.arange(512).unsqueeze(0)
        state = {**model.state_dict(), "electra.embeddings.position_ids": position_ids}
        torch.save(state, folder / weights)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": False, "model_max_length": 512}), encoding="utf-8"
    )
    return folder


def write_hub_cache(folder: Path, backbone: Path) -> Path:
    """Lay ``backbone`` out as the hub's cache does: blobs, a snapshot of links, a ref."""
    model = folder / f"models--{HUB_ID.replace('/', '--')}"
    snapshot = model / "snapshots" / COMMIT
    for place in (model / "blobs", model / "refs", snapshot):
        place.mkdir(parents=True)
    (model / "refs" / "main").write_text(COMMIT)
    for number, file in enumerate(sorted(backbone.iterdir())):
        blob = model / "blobs" / f"{number:040x}"
        blob.write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(blob)
    return folder


def labelled_pairs(count: int, *, seed: int = 0) -> LabelledPairs:
    """Return pairs of 2 to 12 words whose label is the share of words they have in common."""
    random = np.random.default_rng(seed)
    pairs, labels = [], []
    for _ in range(count):
        length = int(random.integers(2, 13))
        first = random.choice(WORDS, size=length)
        second = first.copy()
        changed = random.permutation(length)[: random.integers(0, length + 1)]
        second[changed] = random.choice(WORDS, size=len(changed))
        pairs.append((" ".join(first), " ".join(second)))
        labels.append(5 * float(np.mean(first == second)))
    return LabelledPairs.from_lists(pairs, labels)


TRAIN, VALIDATION = labelled_pairs(64, seed=1), labelled_pairs(40, seed=2)


def config(**changes: Any) -> TrainingConfig:
    """Return settings of a run of seconds: two epochs of four steps."""
    return TrainingConfig(**{"epochs": 2, "learning_rate": 2e-3, "batch_size": 16, **changes})


def tiny_encoder(kind: str, backbone: Path) -> PairEncoder:
    """Return an untrained encoder that may be changed."""
    return KINDS[kind].from_backbone(str(backbone), device="cpu")


def save_encoders(folder: Path, backbone: Path) -> None:
    """Save an untrained encoder of each kind, and a bi-encoder that reads fewer tokens."""
    for kind in KINDS:
        tiny_encoder(kind, backbone).save(folder / kind)
    other = tiny_encoder("bi", backbone)
    other.model.max_seq_length = 32
    other.save(folder / "other")
