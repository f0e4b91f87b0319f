"""Vocabularies of single characters: syllables, or the jamo that they are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

from kosim.encoders.tokenizers.input_format import SPECIAL


def learn_syllables(texts: Collection[str], vocabulary: int) -> tokenizers.Tokenizer:
    """Take the most frequent syllables; ``▁`` marks one that begins a word.

    Args:
        texts: distinct texts, in any order.
        vocabulary: the most syllables to take, special tokens included.
    """
    return _learn(normalizers.NFC(), texts, vocabulary)


def learn_jamo(texts: Collection[str], vocabulary: int) -> tokenizers.Tokenizer:
    """Take the most frequent jamo, initial and final consonants apart, as Unicode has them.

    Args:
        texts: distinct texts, in any order.
        vocabulary: the most jamo to take, special tokens included.
    """
    return _learn(normalizers.NFD(), texts, vocabulary)


def _learn(
    form: normalizers.Normalizer, texts: Collection[str], vocabulary: int
) -> tokenizers.Tokenizer:
    counts: Counter[str] = Counter()
    splitter = _pipeline(form, {"[UNK]": 0})
    for text in texts:
        normalized = splitter.normalizer.normalize_str(text)
        counts.update(unit for unit, _ in splitter.pre_tokenizer.pre_tokenize_str(normalized))
    units = sorted(counts, key=lambda unit: (-counts[unit], unit))[: vocabulary - len(SPECIAL)]
    core = _pipeline(form, {unit: number for number, unit in enumerate([*SPECIAL, *units])})
    core.add_special_tokens(list(SPECIAL))
    core.decoder = decoders.Metaspace()
    return core


def _pipeline(form: normalizers.Normalizer, vocabulary: dict[str, int]) -> tokenizers.Tokenizer:
    pipeline = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    pipeline.normalizer = normalizers.Sequence(
        [
            normalizers.Nmt(),
            form,
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    pipeline.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split(Regex("▁?."), "isolated")]
    )
    return pipeline
