"""A pretraining that goes on from a finished ELECTRA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, ElectraConfig, ElectraForPreTraining

from kosim.encoders.backbone import FULL_PRECISION, opening, seeded
from kosim.encoders.errors import BackboneError
from kosim.encoders.pretraining.batches import SpecialTokens
from kosim.encoders.pretraining.network import ReplacedTokenDetection
from kosim.encoders.pretraining.sizes import generator_config

_NARROWER, _SHALLOWER = 4, 2
"""The generator's width and depth as parts of the discriminator's."""


def continued_network(
    path: Path,
    *,
    vocabulary: int,
    special: SpecialTokens,
    dropout: float,
    discriminator_weight: float,
    seed: int,
) -> ReplacedTokenDetection:
    """Return a network whose discriminator is a finished ELECTRA.

    Finished ones come without a generator: it is drawn, at a quarter of the width and half of
    the depth, and shares the embeddings that are there.

    Args:
        path: the folder of an ELECTRA.
        vocabulary: tokens that its tokenizer has.
        special: those that masking spares or puts.
        dropout: while training goes on.
        discriminator_weight: of its loss in the sum.
        seed: of the generator, and of a head to detect with where the folder has none.

    Raises:
        BackboneError: the folder is no ELECTRA, is damaged, or has fewer tokens than its tokenizer.
    """
    with opening(f"backbone {path}"):
        found = AutoConfig.from_pretrained(str(path), local_files_only=True)
        if not isinstance(found, ElectraConfig):
            raise BackboneError(
                f"backbone {path} is of the type {found.model_type}; replaced token detection goes "
                "on from an ELECTRA"
            )
        if vocabulary > found.vocab_size:
            raise BackboneError(
                f"backbone {path} has vectors of {found.vocab_size:,} tokens, and its tokenizer "
                f"{vocabulary:,} tokens"
            )
        config = ElectraConfig.from_dict(
            {
                **found.to_dict(),
                "pad_token_id": special.pad,
                "mask_token_id": special.mask,
                "hidden_dropout_prob": dropout,
                "attention_probs_dropout_prob": dropout,
                "discriminator_weight": discriminator_weight,
                "generator": _generator(found),
            }
        )
        with seeded(seed), torch.device("cpu"):
            network = ReplacedTokenDetection(config)
            finished = ElectraForPreTraining.from_pretrained(
                str(path), local_files_only=True, **FULL_PRECISION
            )
        network.discriminator.load_state_dict(finished.state_dict())
    return network


def _generator(found: ElectraConfig) -> dict[str, Any]:
    heads = max(1, found.num_attention_heads // _NARROWER)
    return generator_config(
        heads * (found.hidden_size // found.num_attention_heads),
        layers=max(1, found.num_hidden_layers // _SHALLOWER),
        heads=heads,
    )
