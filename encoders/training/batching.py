"""Batches of sentences that are about equally long, so that little is padded.

Random batches are padded to their longest member, about twice the mean length of KLUE-STS;
grouping by length halves the work of an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from accelerate.data_loader import prepare_data_loader
from sentence_transformers.base.sampler import DefaultBatchSampler
from torch.utils.data import SequentialSampler

from kosim.encoders.training import ranks

_POOL_BATCHES = 64

Lengths = npt.NDArray[np.int64]


def deal(batch: list[int], lengths: Lengths, hands: int) -> list[list[int]]:
    """Return the shares of a batch: as many of them, equally many examples, about equally long.

    The examples go round by length, and every other round the other way about. So a rank waits
    little for another's longest.

    Raises:
        ValueError: the batch cannot be dealt evenly.
    """
    if hands == 1:
        return [batch]
    by_length = np.array(sorted(batch, key=lengths.__getitem__))
    rounds = by_length.reshape(-1, hands)
    rounds[1::2] = rounds[1::2, ::-1].copy()
    shares: list[list[int]] = rounds.T.tolist()
    return shares


class LengthGroupedBatchSampler(DefaultBatchSampler):
    """Yields batches of similar length, in an order that depends on (seed, epoch) alone.

    The examples are shuffled, cut into pools of 64 batches, sorted by length within a pool and
    cut into batches; the batches of all pools come in random order, an incomplete one last. So
    an epoch differs from the next, a batch holds random examples of one length, and a resumed
    run sees the batches that it would have seen. Without ``grouped`` nothing is sorted.

    Of several ranks each gets its share of every batch, by `deal`: all of them together
    see the batches that one process would see. An incomplete batch goes to every rank whole, so
    that the mean over ranks is the mean over its examples.

    Args:
        lengths: (n,) tokens of each example.
        batch_size: examples of a batch, of all ranks together; a multiple of ``hands``.
        drop_last: leave out an incomplete batch.
        seed: of the order.
        grouped: sort by length.
        hand: which share to yield, from 0.
        hands: the number of ranks.
    """

    def __init__(
        self,
        lengths: Lengths,
        *,
        batch_size: int,
        drop_last: bool = False,
        seed: int = 0,
        grouped: bool = True,
        hand: int = 0,
        hands: int = 1,
    ) -> None:
        super().__init__(
            SequentialSampler(range(len(lengths))), batch_size=batch_size, drop_last=drop_last
        )
        self.lengths = lengths
        self.seed = seed
        self.epoch = 0
        self.grouped = grouped
        self.hand = hand
        self.hands = hands

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches come next; the trainer calls it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._batches():
            whole = len(batch) < self.batch_size
            yield batch if whole else deal(batch, self.lengths, self.hands)[self.hand]

    def _batches(self) -> Iterator[list[int]]:
        random = np.random.default_rng((self.seed, self.epoch))
        order = random.permutation(len(self.lengths))
        if not self.grouped:
            yield from self._cut(order)
            return
        pool = self.batch_size * _POOL_BATCHES
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            members = order[start : start + pool]
            batches += self._cut(members[np.argsort(self.lengths[members], kind="stable")])
        full = len(self.lengths) // self.batch_size
        for number in random.permutation(full):
            yield batches[number]
        yield from batches[full:]

    def _cut(self, order: Lengths) -> list[list[int]]:
        end = len(order) - len(order) % self.batch_size if self.drop_last else len(order)
        starts = range(0, end, self.batch_size)
        return [order[start : start + self.batch_size].tolist() for start in starts]

    def __len__(self) -> int:
        full, rest = divmod(len(self.lengths), self.batch_size)
        return full + (rest > 0 and not self.drop_last)


class LengthGroupedTrainerMixin:
    """Gives either of sentence-transformers' trainers batches grouped by length.

    ``count_tokens`` (sentence pairs -> (n,) token counts) is to be set before training. The
    batch sizes of the trainer's arguments are those of one rank.
    """

    count_tokens: Any
    group_by_length: bool = True

    def get_batch_sampler(
        self, dataset: Any, batch_size: int, drop_last: bool, seed: int = 0, **rest: Any
    ) -> LengthGroupedBatchSampler:
        """Return the sampler; the trainer calls it for training and for the validation loss.

        The trainer would drop an incomplete batch on several ranks, because accelerate could not
        deal it out.
        """
        pairs = list(zip(dataset["sentence1"], dataset["sentence2"], strict=True))
        return LengthGroupedBatchSampler(
            self.count_tokens(pairs),
            batch_size=batch_size * ranks.world_size(),
            seed=seed,
            grouped=self.group_by_length,
            hand=ranks.rank(),
            hands=ranks.world_size(),
        )

    def _build_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        """Prepare a loader as accelerate does, but for one process: the sampler deals by itself."""
        accelerator = self.accelerator  # type: ignore[attr-defined]
        loader = prepare_data_loader(
            super()._build_dataloader(*args, **kwargs),  # type: ignore[misc]
            accelerator.device,
            num_processes=1,
            process_index=0,
            put_on_device=accelerator.device_placement,
        )
        loader._is_accelerate_prepared = True  # or it would be dealt out once more
        return loader

    def _save_rng_state(self, output_dir: str) -> None:
        """Save every rank's random state before the file that says that a checkpoint is whole."""
        super()._save_rng_state(output_dir)  # type: ignore[misc]
        ranks.barrier()
