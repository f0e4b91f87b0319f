"""Unigram vocabularies in SentencePiece's manner (Kudo 2018), the same at every run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from kosim.encoders.tokenizers.input_format import SPECIAL

MOST_TEXTS = 200_000
"""More texts than this take the trainer many minutes and hardly change the pieces."""

_DIGITS = 4
"""The trainer adds in the order of a hash table, so that later digits differ from run to run."""

_PENALTY = 1e-4
"""By how much the trainer raises the score of each further character that it had dropped."""


def learn_unigram(texts: Collection[str], vocabulary: int) -> tokenizers.Tokenizer:
    """Learn pieces with their log probabilities; ``▁`` marks where a word begins.

    Args:
        texts: distinct texts, in any order; of more than `MOST_TEXTS` a fixed sample.
        vocabulary: the most pieces to learn, special tokens included.

    Raises:
        Exception: the trainer's own, where the characters alone are more than ``vocabulary``.
    """
    learner = _pipeline(models.Unigram())
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL), unk_token="[UNK]", show_progress=False
    )
    learner.train_from_iterator(_sample(texts), trainer)
    learned = json.loads(learner.to_str())["model"]["vocab"]
    core = _pipeline(models.Unigram(_settled(learned), unk_id=SPECIAL.index("[UNK]")))
    core.add_special_tokens(list(SPECIAL))
    return core


def _sample(texts: Collection[str]) -> list[str]:
    """Return the texts in an order, and of many a sample, that depend on the texts alone."""
    if len(texts) <= MOST_TEXTS:
        return sorted(texts)
    return sorted(texts, key=lambda text: hashlib.md5(text.encode()).digest())[:MOST_TEXTS]


def _settled(learned: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return the pieces without what differs from run to run.

    That is the last digits of the scores, and the scores of single characters that the trainer
    dropped and put back: close to the lowest one, in the order of a hash table. They all get
    the lowest.
    """
    pieces = [(piece, round(score, _DIGITS)) for piece, score in learned[len(SPECIAL) :]]
    lowest = min(score for _, score in pieces)
    put_back = lowest + _PENALTY * sum(len(piece) == 1 for piece, _ in pieces)
    settled = [
        (piece, lowest if len(piece) == 1 and score <= put_back else score)
        for piece, score in pieces
    ]
    settled.sort(key=lambda entry: (-entry[1], entry[0]))
    return [*((token, 0.0) for token in SPECIAL), *settled]


def _pipeline(model: models.Model) -> tokenizers.Tokenizer:
    pipeline = tokenizers.Tokenizer(model)
    pipeline.normalizer = normalizers.Sequence(
        [
            normalizers.Nmt(),
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    pipeline.pre_tokenizer = pre_tokenizers.Metaspace()
    pipeline.decoder = decoders.Metaspace()
    return pipeline
