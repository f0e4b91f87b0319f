"""How many character bigrams two sentences share."""

from __future__ import annotations

import numpy as np

from kosim.encoders.metrics import Floats
from kosim.encoders.records import LabelledPairs
from kosim.experiments.data.cleaning import comparable


def bigram_overlap(pairs: LabelledPairs) -> Floats:
    """Return for n pairs the Dice share of their sets of character bigrams, (n,) of 0 to 1."""
    return np.array([_dice(_bigrams(one), _bigrams(other)) for one, other in pairs.pairs])


def _bigrams(text: str) -> set[str]:
    """Return the bigrams of a text; of a single character, the character itself."""
    known = comparable(text)
    return {known[at : at + 2] for at in range(max(len(known) - 1, 1))}


def _dice(one: set[str], other: set[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other))
