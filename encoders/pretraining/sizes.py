"""The sizes of our own ELECTRAs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from transformers import ElectraConfig

from kosim.encoders.pretraining.batches import SpecialTokens
from kosim.encoders.tokenizers.input_format import POSITIONS

Size = Literal["tiny", "mini", "small"]
DROPOUT = 0.1
"""Of the finished network, when it is fine-tuned."""

_SPREAD = 0.05
"""Standard deviation of drawn weights: near 1 / sqrt(width) of these, as 0.02 is for 768."""


@dataclass(frozen=True)
class NetworkSize:
    """Widths and depths; a head is ``hidden / heads`` wide, and the inner layer 4 times hidden."""

    embedding: int
    hidden: int
    layers: int
    heads: int
    generator_hidden: int
    generator_layers: int
    generator_heads: int


SIZES: dict[Size, NetworkSize] = {
    # For tests and trials.
    "tiny": NetworkSize(32, 64, 2, 2, 32, 1, 1),
    # The bundled one: a third of e5-small's width of layers, a third of their number.
    "mini": NetworkSize(128, 256, 4, 4, 64, 2, 1),
    # ELECTRA-small, KoELECTRA-small.
    "small": NetworkSize(128, 256, 12, 4, 64, 12, 1),
}


def network_config(
    size: Size,
    *,
    vocabulary: int,
    special: SpecialTokens,
    dropout: float,
    discriminator_weight: float,
) -> ElectraConfig:
    """Return the configuration of a `ReplacedTokenDetection` network."""
    shape = SIZES[size]
    return ElectraConfig(
        vocab_size=vocabulary,
        embedding_size=shape.embedding,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
        max_position_embeddings=POSITIONS,
        initializer_range=_SPREAD,
        pad_token_id=special.pad,
        mask_token_id=special.mask,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        discriminator_weight=discriminator_weight,
        generator=generator_config(
            shape.generator_hidden, layers=shape.generator_layers, heads=shape.generator_heads
        ),
    )


def generator_config(hidden: int, *, layers: int, heads: int) -> dict[str, Any]:
    """Return what a generator's configuration differs in from its discriminator's."""
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
    }
