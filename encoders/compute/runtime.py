"""The seam between an encoder and what computes for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")
Result = TypeVar("Result")

Backend = Literal["torch", "onnx"]
Precision = Literal["fp32", "bf16", "int8"]

TrainingPrecision = Literal["fp32", "bf16"]
"""Those in which weights can be learnt."""
Output = Literal["sentence_embedding", "scores"]
"""What sentence-transformers calls the output of a bi-encoder and of a cross-encoder."""

FloatArray = npt.NDArray[np.float32]
TokenBatch = Mapping[str, npt.NDArray[np.int64]]
"""What the tokenizer calls a model's inputs (``input_ids``, ``attention_mask``, perhaps
``token_type_ids``), each (rows, tokens)."""


class Runtime(ABC):
    """Computes the output of one encoder's network."""

    backend: ClassVar[Backend]
    precision: Precision

    @property
    @abstractmethod
    def token_budget(self) -> int:
        """The padded tokens that a batch should hold at most."""

    @property
    def at_once(self) -> int:
        """How many batches are computed at the same time."""
        return 1

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield what work makes of each item, in order; ``at_once`` are worked on together."""
        return map(work, items)

    @abstractmethod
    def run(self, batch: TokenBatch) -> FloatArray:
        """Return the network's output for each row, (rows, width) float32.

        A bi-encoder's output is unit vectors, a cross-encoder's is logits of width 1. The
        arrays of ``batch`` may be overwritten after the call.
        """
