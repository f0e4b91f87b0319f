"""The network that a pretraining begins with."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from kosim.encoders.backbone import seeded
from kosim.encoders.pretraining.batches import Rows, SpecialTokens
from kosim.encoders.pretraining.cooccurrence import cooccurrence_embeddings, frequencies
from kosim.encoders.pretraining.corpus import TokenCache
from kosim.encoders.pretraining.network import ReplacedTokenDetection
from kosim.encoders.pretraining.sizes import Size, network_config

Embeddings = Literal["cooccurrence", "drawn"]

WORDS = 0.06
"""Standard deviation of counted embeddings, which outweigh what they are added to."""

_POSITIONS = 0.03
"""Amplitude of the waves that positions start as."""


def drawn_network(
    size: Size,
    *,
    vocabulary: int,
    special: SpecialTokens,
    dropout: float,
    discriminator_weight: float,
    seed: int,
) -> ReplacedTokenDetection:
    """Return a network with weights drawn from ``seed`` alone."""
    config = network_config(
        size,
        vocabulary=vocabulary,
        special=special,
        dropout=dropout,
        discriminator_weight=discriminator_weight,
    )
    with seeded(seed), torch.device("cpu"):
        return ReplacedTokenDetection(config)


def informed(
    network: ReplacedTokenDetection, cache: TokenCache, rows: Rows, *, seed: int
) -> ReplacedTokenDetection:
    """Put into a network what counting tells of a corpus, in position.

    Word embeddings come from co-occurrence, positions from the sines of Vaswani et al. (2017),
    segments begin alike, and the generator's bias is the logarithm of the tokens' frequencies.
    """
    embeddings = network.discriminator.electra.embeddings
    words, positions = embeddings.word_embeddings.weight, embeddings.position_embeddings.weight
    counted = cooccurrence_embeddings(cache, rows, *words.shape, seed=seed)
    occurring = torch.from_numpy(np.flatnonzero(counted.any(axis=1)))
    with torch.no_grad():
        words[occurring] = WORDS * torch.from_numpy(counted)[occurring]
        positions.copy_(_POSITIONS * _waves(*positions.shape))
        embeddings.token_type_embeddings.weight.zero_()
    return expecting_frequencies(network, cache, rows)


def expecting_frequencies(
    network: ReplacedTokenDetection, cache: TokenCache, rows: Rows
) -> ReplacedTokenDetection:
    """Let the generator begin with the tokens' frequencies: its bias is their logarithm."""
    counts = frequencies(cache, rows, network.vocabulary.out_features) + 1
    with torch.no_grad():
        network.vocabulary.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))
    return network


def _waves(length: int, width: int) -> torch.Tensor:
    """Return sines and cosines of geometrically growing wavelengths: (length, width)."""
    position = torch.arange(length)[:, None]
    frequency = torch.exp(torch.arange(0, width, 2) * (-np.log(10_000.0) / width))
    waves = torch.zeros(length, width)
    waves[:, 0::2] = torch.sin(position * frequency)
    waves[:, 1::2] = torch.cos(position * frequency)[:, : width // 2]
    return waves
