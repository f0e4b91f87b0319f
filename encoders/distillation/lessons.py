"""What a student reads: sentences alone, and pairs from the same meaning to none in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kosim.encoders.distillation.geometry import SentenceGeometry
from kosim.encoders.pretraining.batches import (
    EpochBatches,
    Inputs,
    Rows,
    SpecialTokens,
    assemble,
    cut_batches,
    paired_inputs,
    single_inputs,
)
from kosim.encoders.pretraining.corpus import TokenCache

_BLOCK = 4_096
"""Sentences among which a partner is looked for."""


@dataclass(frozen=True)
class Lesson:
    """The members of one batch among an epoch's inputs, which are all alone or all pairs."""

    inputs: Inputs
    members: Rows


class Lessons(EpochBatches[Lesson]):
    """Sentences with their target vectors, and pairs with their similarity.

    A pair's second sentence is the one of a random rank among the nearest of 4,096: the rank's
    logarithm is uniform, so that near, middling and far pairs are about equally many. For a
    random pair is nearly always far.

    Args:
        cache: the tokens of the corpus.
        rows: the sentences to use.
        geometry: what is to be learnt.
        special: the numbers of the special tokens.
        tokens: the most tokens of a batch.
        longest: the most tokens of an input.
        pairs: how many pairs there are for each sentence alone.
        seed: of everything that is drawn.
    """

    def __init__(
        self,
        cache: TokenCache,
        rows: Rows,
        geometry: SentenceGeometry,
        special: SpecialTokens,
        *,
        tokens: int,
        longest: int,
        pairs: float,
        seed: int,
    ) -> None:
        self.cache = cache
        self.rows = rows
        self.geometry = geometry
        self.special = special
        self.tokens = tokens
        self.longest = longest
        self.pairs = pairs
        self.seed = seed
        self._lengths = cache.lengths

    def batches(self, epoch: int) -> Sequence[Lesson]:
        """Return the batches of an epoch, of which every sentence is in one alone."""
        random = np.random.default_rng((self.seed, epoch))
        groups = [single_inputs(self.rows, self._lengths)]
        if self.pairs:
            groups.append(self._pairs(random))
        lessons = [
            Lesson(inputs, members)
            for inputs in groups
            for members in cut_batches(inputs.lengths, tokens=self.tokens, random=random)
        ]
        return [lessons[number] for number in random.permutation(len(lessons))]

    def _pairs(self, random: np.random.Generator) -> Inputs:
        """Return the pairs of an epoch: block by block of sentences in random order."""
        order = random.permutation(self.rows)
        firsts, seconds = [], []
        for start in range(0, len(order), _BLOCK):
            block = order[start : start + _BLOCK]
            count = round(self.pairs * len(block))
            if len(block) < 2 or not count:
                continue
            chosen = random.integers(len(block), size=count)
            targets = self.geometry.targets(block)
            similar = targets[chosen] @ targets.T
            similar[np.arange(count), chosen] = -np.inf  # nobody is his own partner
            others = len(block) - 1
            ranks = np.minimum(others - 1, (others ** random.random(count) - 1).astype(np.int64))
            partners = [
                int(np.argpartition(-row, rank)[rank])
                for row, rank in zip(similar, ranks, strict=True)
            ]
            firsts.append(block[chosen])
            seconds.append(block[partners])
        if not firsts:
            return paired_inputs(self.rows[:0], self.rows[:0], self._lengths)
        inputs = paired_inputs(np.concatenate(firsts), np.concatenate(seconds), self._lengths)
        fits = inputs.lengths <= self.longest
        return Inputs(inputs.first[fits], inputs.second[fits], inputs.lengths[fits])

    def make(self, batch: Lesson) -> dict[str, torch.Tensor]:
        """Return the inputs of a batch with what is to be said of them.

        Returns:
            ``input_ids``, ``token_type_ids`` and perhaps ``attention_mask`` (b, longest), and
            either ``target`` (b, width) of sentences alone, or ``similarity`` (b,) of pairs.
        """
        inputs, members = batch.inputs, batch.members
        arrays = assemble(inputs, members, self.cache, self.special)
        first = self.geometry.targets(inputs.first[members])
        if inputs.second[members[0]] < 0:
            return {**arrays, "target": torch.from_numpy(first)}
        second = self.geometry.targets(inputs.second[members])
        similarity = np.einsum("ij,ij->i", first, second)
        return {**arrays, "similarity": torch.from_numpy(similarity)}
