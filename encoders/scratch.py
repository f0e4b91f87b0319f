"""A small ELECTRA with random weights and a vocabulary made on the spot.

For machines that have no pretrained model: it knows nothing of Korean but what the training
pairs teach it, and every report that uses it says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import ElectraConfig, ElectraModel

from kosim.encoders.backbone import SCRATCH_WIDTH, seeded
from kosim.encoders.classic_layout import write_classic_tokenizer
from kosim.encoders.storage import atomic_folder
from kosim.encoders.tokenizers.input_format import in_bert_format
from kosim.encoders.tokenizers.wordpiece import learn_wordpiece

_POSITIONS = 256


def build_scratch_backbone(
    sentences: Iterable[str],
    folder: Path,
    *,
    vocabulary: int = 4_000,
    hidden: int = SCRATCH_WIDTH,
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
    tokenizer = in_bert_format(learn_wordpiece(set(sentences), vocabulary), positions=_POSITIONS)
    with seeded(seed), torch.device("cpu"):
        model = ElectraModel(
            ElectraConfig(
                vocab_size=len(tokenizer),
                embedding_size=hidden,
                hidden_size=hidden,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                intermediate_size=4 * hidden,
                max_position_embeddings=_POSITIONS,
                pad_token_id=0,
            )
        )
    with atomic_folder(folder) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        write_classic_tokenizer(partial)
