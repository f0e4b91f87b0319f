"""Batches of sentences that are about equally long, so that little is padded.

Random batches are padded to their longest member, about twice the mean length of KLUE-STS;
grouping by length halves the work of an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sentence_transformers.base.sampler import DefaultBatchSampler
from torch.utils.data import SequentialSampler

_POOL_BATCHES = 64


class LengthGroupedBatchSampler(DefaultBatchSampler):
    """Yields batches of similar length, in an order that depends on (seed, epoch) alone.

    The examples are shuffled, cut into pools of 64 batches, sorted by length within a pool and
    cut into batches; the batches of all pools come in random order. So an epoch differs from
    the next, a batch holds random examples of one length, and a resumed run sees the batches
    that it would have seen.
    """

    def __init__(
        self,
        lengths: npt.NDArray[np.int64],
        *,
        batch_size: int,
        drop_last: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(
            SequentialSampler(range(len(lengths))), batch_size=batch_size, drop_last=drop_last
        )
        self.lengths = lengths
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches come next; the trainer calls it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng((self.seed, self.epoch))
        order = random.permutation(len(self.lengths))
        pool = self.batch_size * _POOL_BATCHES
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            members = order[start : start + pool]
            by_length = members[np.argsort(self.lengths[members], kind="stable")]
            batches += [
                by_length[at : at + self.batch_size].tolist()
                for at in range(0, len(by_length), self.batch_size)
            ]
        if self.drop_last:
            batches = [batch for batch in batches if len(batch) == self.batch_size]
        for place in random.permutation(len(batches)):
            yield batches[place]

    def __len__(self) -> int:
        if self.drop_last:
            return sum(
                min(pool, len(self.lengths) - start) // self.batch_size
                for pool in [self.batch_size * _POOL_BATCHES]
                for start in range(0, len(self.lengths), pool)
            )
        return -(-len(self.lengths) // self.batch_size)


class LengthGroupedTrainerMixin:
    """Gives either of sentence-transformers' trainers batches grouped by length.

    Set ``count_tokens`` (sentence pairs -> (n,) token counts) before training; while it is
    None, batches are random as the trainer makes them.
    """

    count_tokens: Any = None

    def get_batch_sampler(
        self, dataset: Any, batch_size: int, drop_last: bool, seed: int = 0, **rest: Any
    ) -> Any:
        """Return the sampler; the trainer calls it for training and for the validation loss."""
        if self.count_tokens is None:
            return super().get_batch_sampler(  # type: ignore[misc]
                dataset, batch_size, drop_last, seed=seed, **rest
            )
        pairs = list(zip(dataset["sentence1"], dataset["sentence2"], strict=True))
        return LengthGroupedBatchSampler(
            self.count_tokens(pairs), batch_size=batch_size, drop_last=drop_last, seed=seed
        )
