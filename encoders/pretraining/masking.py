"""Which tokens the generator has to guess, and the draws that decide what it puts there.

Both are drawn from (seed, epoch, example) alone, never from the global generator: a resumed run
masks as it would have done, whatever was drawn in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kosim.encoders.pretraining.batches import (
    EpochBatches,
    Inputs,
    Rows,
    SpecialTokens,
    assemble,
    cut_batches,
    neighbour_inputs,
)
from kosim.encoders.pretraining.corpus import TokenCache

HELD_OUT_EPOCH = 1 << 31
"""The epoch under whose number held-out text is masked, the same at every evaluation."""


@dataclass(frozen=True)
class MaskedBatch:
    """The members of one batch among the inputs of an epoch."""

    epoch: int
    inputs: Inputs
    members: Rows


class MaskedCorpus(EpochBatches[MaskedBatch]):
    """Sentences of a cache, alone and in pairs, with a share of their tokens masked.

    Args:
        cache: the tokens of the corpus.
        rows: the sentences to use, in the order of the corpus.
        special: the numbers of the special tokens.
        tokens: the most tokens of a batch.
        longest: the most tokens of an input.
        pair_share: the share of sentences that are read in pairs.
        masking: the share of tokens that are masked, at least one an input.
        seed: of everything that is drawn.
    """

    def __init__(
        self,
        cache: TokenCache,
        rows: Rows,
        special: SpecialTokens,
        *,
        tokens: int,
        longest: int,
        pair_share: float,
        masking: float,
        seed: int,
    ) -> None:
        self.cache = cache
        self.rows = rows
        self.special = special
        self.tokens = tokens
        self.longest = longest
        self.pair_share = pair_share
        self.masking = masking
        self.seed = seed
        self._lengths = cache.lengths

    def batches(self, epoch: int) -> Sequence[MaskedBatch]:
        """Return the batches of an epoch, of which every sentence is in one."""
        random = np.random.default_rng((self.seed, epoch))
        inputs = neighbour_inputs(
            self.rows,
            self._lengths,
            pair_share=self.pair_share,
            longest=self.longest,
            random=random,
        )
        return [
            MaskedBatch(epoch, inputs, members)
            for members in cut_batches(inputs.lengths, tokens=self.tokens, random=random)
        ]

    def make(self, batch: MaskedBatch) -> dict[str, torch.Tensor]:
        """Return the inputs of a batch with what is masked of them.

        Returns:
            ``input_ids``, ``token_type_ids`` and perhaps ``attention_mask`` (b, longest), and of
            all k masked tokens ``masked`` (k,), their position in the flattened input, and
            ``draws`` (k,) float64, each uniform on [0, 1).
        """
        arrays = assemble(batch.inputs, batch.members, self.cache, self.special)
        longest = arrays["input_ids"].shape[1]
        masked, draws = [], []
        for row, member in enumerate(batch.members):
            # The first sentence and whether it has a second one name the example.
            example = int(batch.inputs.first[member])
            random = np.random.default_rng((self.seed, batch.epoch, example))
            tokens = np.flatnonzero(self._is_text(arrays["input_ids"][row]))
            count = min(len(tokens), max(1, round(self.masking * len(tokens))))
            masked.append(row * longest + np.sort(random.permutation(tokens)[:count]))
            draws.append(random.random(count))
        return {
            **arrays,
            "masked": torch.from_numpy(np.concatenate(masked)),
            "draws": torch.from_numpy(np.concatenate(draws)),
        }

    def _is_text(self, ids: torch.Tensor) -> np.ndarray:
        special = (self.special.pad, self.special.cls, self.special.sep)
        return ~np.isin(ids.numpy(), special)
