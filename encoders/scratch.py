"""A small ELECTRA with random weights and a vocabulary made on the spot.

For machines that have no pretrained model: it knows nothing of Korean but what the training
pairs teach it, and every report that uses it says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import tokenizers
import torch
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import ElectraConfig, ElectraModel, PreTrainedTokenizerFast

from encoders.opening import seeded
from encoders.storage import atomic_folder

_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def build_scratch_backbone(
    sentences: Iterable[str],
    folder: Path,
    *,
    vocabulary: int = 4_000,
    hidden: int = 128,
    layers: int = 3,
    heads: int = 4,
    seed: int = 0,
) -> None:
    """Write a backbone folder, unless one is there: WordPiece trained on ``sentences``.

    Args:
        sentences: the texts of the training pairs only; the test must stay unseen.
        folder: where the backbone goes.
        vocabulary: the most word pieces to learn.
        hidden: width of the network; its embeddings have the same.
        layers: depth of the network.
        heads: attention heads a layer.
        seed: of the weights.
    """
    if folder.is_dir():
        return
    tokenizer = _wordpiece(sentences, vocabulary)
    with seeded(seed), torch.device("cpu"):
        model = ElectraModel(
            ElectraConfig(
                vocab_size=len(tokenizer),
                embedding_size=hidden,
                hidden_size=hidden,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                intermediate_size=4 * hidden,
                max_position_embeddings=256,
                pad_token_id=0,
            )
        )
    with atomic_folder(folder) as place:
        model.save_pretrained(place)
        tokenizer.save_pretrained(place)


def _wordpiece(sentences: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Train a WordPiece vocabulary with the input format of BERT and ELECTRA."""
    texts = set(sentences)
    # The trainer numbers continuing characters in the order of a hash table that differs from
    # run to run, and breaks ties by number. Named as special tokens they are numbered here.
    continuing = [f"##{character}" for character in sorted(set("".join(texts)))]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=[*_SPECIAL, *continuing], show_progress=False
    )
    learner = _pipeline(models.WordPiece(unk_token="[UNK]"))
    learner.train_from_iterator(texts, trainer)
    core = _pipeline(models.WordPiece(learner.get_vocab(), unk_token="[UNK]"))
    core.decoder = decoders.WordPiece()
    separator, start = (_SPECIAL.index(token) for token in ("[SEP]", "[CLS]"))
    core.post_processor = processors.BertProcessing(("[SEP]", separator), ("[CLS]", start))
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        model_max_length=256,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def _pipeline(model: models.Model) -> tokenizers.Tokenizer:
    pipeline = tokenizers.Tokenizer(model)
    pipeline.normalizer = normalizers.BertNormalizer(lowercase=False)
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return pipeline
