"""Batches of about equally long inputs that hold a fixed number of tokens.

What an epoch's inputs are, and in which batches they come, depends on (seed, epoch) alone, so that
a killed run goes on with the batches that it would have seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedTokenizerBase

from kosim.encoders.errors import BackboneError
from kosim.encoders.pretraining.corpus import TokenCache

Rows = npt.NDArray[np.int64]

ALONE = -1
"""The partner of a sentence that is read alone."""


@dataclass(frozen=True)
class SpecialTokens:
    """The numbers that a tokenizer has for its special tokens."""

    pad: int
    cls: int
    sep: int
    mask: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> SpecialTokens:
        """Return those of a tokenizer with the input format of BERT.

        Raises:
            BackboneError: it lacks one of them.
        """
        numbers = {
            name: getattr(tokenizer, f"{name}_token_id") for name in ("pad", "cls", "sep", "mask")
        }
        missing = [name for name, number in numbers.items() if number is None]
        if missing:
            raise BackboneError(
                f"the tokenizer has no {missing[0]} token; give one in the format of BERT, such as "
                "`kosim tokenizer train` makes"
            )
        return SpecialTokens(**numbers)


@dataclass(frozen=True)
class Inputs:
    """An epoch's m inputs: the row of each one's sentence, and of a second one or `ALONE`.

    ``lengths`` (m,) counts the tokens with the special ones.
    """

    first: Rows
    second: Rows
    lengths: Rows


def single_inputs(rows: Rows, lengths: npt.NDArray[np.int64]) -> Inputs:
    """Return each sentence of ``rows`` alone; ``lengths`` are those of all sentences."""
    return Inputs(rows, np.full(len(rows), ALONE), lengths[rows] + 2)


def paired_inputs(first: Rows, second: Rows, lengths: npt.NDArray[np.int64]) -> Inputs:
    """Return pairs of sentences, each read as one input of two segments."""
    return Inputs(first, second, lengths[first] + lengths[second] + 3)


def joined(*parts: Inputs) -> Inputs:
    """Return several groups of inputs as one."""
    return Inputs(
        np.concatenate([part.first for part in parts]),
        np.concatenate([part.second for part in parts]),
        np.concatenate([part.lengths for part in parts]),
    )


def neighbour_inputs(
    rows: Rows,
    lengths: npt.NDArray[np.int64],
    *,
    pair_share: float,
    longest: int,
    random: np.random.Generator,
) -> Inputs:
    """Return sentences, some of them with the one that follows them as their second segment.

    Single sentences alone would leave the second segment and the later positions, which a
    cross-encoder needs, as they were drawn.

    Args:
        rows: the sentences, in the order of the corpus.
        lengths: the tokens of all sentences.
        pair_share: the share of sentences that are in pairs, where two are not too long.
        longest: the most tokens of an input.
        random: decides where pairs begin and which are made.
    """
    start = int(random.integers(2))
    even = (len(rows) - start) // 2 * 2
    couples = rows[start : start + even].reshape(-1, 2)
    fits = lengths[couples].sum(axis=1) + 3 <= longest
    together = fits & (random.random(len(couples)) < pair_share)
    pairs, apart = couples[together], couples[~together].ravel()
    alone = np.concatenate([rows[:start], apart, rows[start + even :]])
    return joined(paired_inputs(pairs[:, 0], pairs[:, 1], lengths), single_inputs(alone, lengths))


def cut_batches(
    lengths: npt.NDArray[np.int64], *, tokens: int, random: np.random.Generator
) -> list[Rows]:
    """Cut inputs of ``lengths`` (m,) into batches of at most ``tokens``, padding included.

    Inputs of one length come in random order, and so do the batches. An input longer than
    ``tokens`` is a batch of its own.
    """
    order = random.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    sorted_lengths = lengths[order]
    batches, start = [], 0
    while start < len(order):
        end = min(len(order), start + max(1, tokens // int(sorted_lengths[start])))
        while end - start > 1 and (end - start) * sorted_lengths[end - 1] > tokens:
            end = max(start + 1, min(end - 1, start + tokens // int(sorted_lengths[end - 1])))
        batches.append(order[start:end])
        start = end
    return [batches[number] for number in random.permutation(len(batches))]


def assemble(
    inputs: Inputs, members: Rows, cache: TokenCache, special: SpecialTokens
) -> dict[str, torch.Tensor]:
    """Return the inputs at ``members`` as a network reads them, each tensor (b, longest).

    There is no attention mask where nothing is padded.
    """
    longest = int(inputs.lengths[members].max())
    ids = np.full((len(members), longest), special.pad, dtype=np.int64)
    segments = np.zeros_like(ids)
    mask = np.zeros_like(ids)
    for number, member in enumerate(members):
        row, end = ids[number], int(inputs.lengths[member])
        first = cache[inputs.first[member]]
        row[0] = special.cls
        row[1 : len(first) + 1] = first
        row[len(first) + 1] = special.sep
        if inputs.second[member] != ALONE:
            row[len(first) + 2 : end - 1] = cache[inputs.second[member]]
            row[end - 1] = special.sep
            segments[number, len(first) + 2 : end] = 1
        mask[number, :end] = 1
    batch = {"input_ids": torch.from_numpy(ids), "token_type_ids": torch.from_numpy(segments)}
    if not mask.all():
        batch["attention_mask"] = torch.from_numpy(mask)
    return batch


Batch = TypeVar("Batch")


class EpochBatches(ABC, Generic[Batch]):
    """What a run learns from: the batches of each epoch, made whole when their turn comes."""

    @abstractmethod
    def batches(self, epoch: int) -> Sequence[Batch]:
        """Return the batches of an epoch in order, each as whatever `make` understands."""

    @abstractmethod
    def make(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return what the network takes for a batch."""

    def __getitems__(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return a whole batch; PyTorch's loader asks for it so."""
        return self.make(batch)


class Schedule(Generic[Batch]):
    """The batches of all steps of a run, as a batch sampler: epoch after epoch until ``steps``."""

    def __init__(self, source: EpochBatches[Batch], steps: int) -> None:
        self.source = source
        self.steps = steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        left, epoch = self.steps, 0
        while left > 0:
            for batch in self.source.batches(epoch)[:left]:
                left -= 1
                yield batch
            epoch += 1
