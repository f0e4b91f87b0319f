"""A small corpus and tokenizer for the tests of pretraining and distillation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.pretraining.run import PretrainingConfig
from kosim.encoders.tokenizers.training import train_tokenizer
from tests.encoders.tiny import WORDS


def sentences(count: int, *, seed: int = 0) -> list[str]:
    """Return sentences in which each word is followed by one of three, so that some can be told."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        word = int(random.integers(len(WORDS)))
        words = []
        for _ in range(int(random.integers(3, 12))):
            words.append(WORDS[word])
            word = (3 * word + int(random.integers(3))) % len(WORDS)
        made.append(" ".join(words))
    return made


def write_corpus(folder: Path, count: int = 300) -> Path:
    """Write a corpus with a blank line in it."""
    path = folder / "corpus.txt"
    path.write_text("\n".join(["", *sentences(count)]) + "\n", encoding="utf-8")
    return path


def write_tokenizer(folder: Path) -> Path:
    """Write a tokenizer that knows the corpus: a token a syllable."""
    made = train_tokenizer(sentences(300), "syllable", 60, coverage=1.0)
    made.save(folder / "tokenizer")
    return folder / "tokenizer"


def pretraining(**changes: object) -> PretrainingConfig:
    """Return settings of a run of seconds."""
    return PretrainingConfig.model_validate(
        {
            "size": "tiny",
            "budget": Budget(steps=6),
            "tokens": 512,
            "evaluations": 3,
            "held_out": 40,
            **changes,
        }
    )
