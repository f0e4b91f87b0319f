"""WordPiece vocabularies that are the same at every run."""

from __future__ import annotations

from collections.abc import Collection

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from kosim.encoders.tokenizers.input_format import SPECIAL


def learn_wordpiece(texts: Collection[str], vocabulary: int) -> tokenizers.Tokenizer:
    """Learn word pieces; every character is one, alone and where it continues a word.

    Args:
        texts: distinct texts, in any order.
        vocabulary: the most pieces to learn, special tokens included. Where the characters
            alone are more, the vocabulary is larger; where the texts yield fewer, smaller.
    """
    learner = _pipeline(models.WordPiece(unk_token="[UNK]"))
    # The trainer numbers continuing characters in the order of a hash table that differs from
    # run to run, and breaks ties by number. Named as special tokens they are numbered here.
    continuing = [f"##{character}" for character in sorted(_continuing(learner, texts))]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=[*SPECIAL, *continuing], show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    core = _pipeline(models.WordPiece(learner.get_vocab(), unk_token="[UNK]"))
    core.decoder = decoders.WordPiece()
    return core


def _continuing(pipeline: tokenizers.Tokenizer, texts: Collection[str]) -> set[str]:
    """Return the characters that stand behind another one in a word of the texts."""
    found: set[str] = set()
    for text in texts:
        normalized = pipeline.normalizer.normalize_str(text)
        for word, _ in pipeline.pre_tokenizer.pre_tokenize_str(normalized):
            found.update(word[1:])
    return found


def _pipeline(model: models.Model) -> tokenizers.Tokenizer:
    pipeline = tokenizers.Tokenizer(model)
    pipeline.normalizer = normalizers.BertNormalizer(lowercase=False)
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return pipeline
