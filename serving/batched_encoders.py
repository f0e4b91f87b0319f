"""Encoders whose every computation goes through a micro-batcher: the interface stays the same.

A text becomes tokens on the thread of its request, once; the network's thread gets the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Encoding

from kosim.encoders.base import FloatArray, PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.inference import outputs
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.records import Pair
from kosim.encoders.texts import as_texts
from kosim.serving.microbatch import BatchReport, BatchSettings, MicroBatcher
from kosim.serving.ticket import count_tokens
from kosim.serving.tokens import Lengths, TokenReader, Tokens

Report = Callable[[BatchReport], None]


class BatchedBiEncoder(BiEncoder):
    """A bi-encoder that many threads may use; its network works on one thread of its own."""

    def __init__(self, encoder: BiEncoder, settings: BatchSettings, report: Report) -> None:
        super().__init__(encoder.model, **described(encoder))
        self.compute_as(encoder)
        self._tokens = TokenReader(encoder, prompt=encoder.prompt)
        self.batcher = _batcher("bi-encoder", encoder, settings, report)

    @property
    def alive(self) -> bool:
        """Whether the network's thread is at work."""
        return self.batcher.alive

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        self.batcher.close()

    def encode(
        self, texts: Iterable[str], *, batch_size: int | None = None, progress: bool = False
    ) -> FloatArray:
        """Encode sentences together with those of other requests: (n, dimension)."""
        texts = as_texts(texts)
        if not texts:
            return super().encode(texts)
        rows = _rows(texts)
        tokens = self._tokens.texts(list(dict.fromkeys(texts)))
        count_tokens(tokens.lengths[rows], self.max_length)
        return _computed(self.batcher, tokens)[rows]

    @property
    def pooling(self) -> str | None:
        """How the vectors of tokens become one; None where the model says nothing of it."""
        modes = [str(one.pooling_mode) for one in self.model if hasattr(one, "pooling_mode")]
        return modes[0] if modes else None

    def texts_of_ids(self, inputs: Sequence[Sequence[int]]) -> list[str] | None:
        """Return the texts of lists of token ids, None if another tokenizer made them."""
        return self._tokens.texts_of(inputs)

    def token_lengths(self, pairs: Sequence[Pair]) -> Lengths:
        """Return the tokens of each pair's longer sentence, prompt included, uncut: (n,)."""
        firsts = self._tokens.texts([first for first, _ in pairs]).lengths
        seconds = self._tokens.texts([second for _, second in pairs]).lengths
        return np.maximum(firsts, seconds)


class BatchedCrossEncoder(CrossEncoder):
    """A cross-encoder that many threads may use; its network works on one thread of its own."""

    def __init__(self, encoder: CrossEncoder, settings: BatchSettings, report: Report) -> None:
        super().__init__(encoder.model, **described(encoder))
        self.compute_as(encoder)
        self._tokens = TokenReader(encoder)
        self.batcher = _batcher("cross-encoder", encoder, settings, report)

    @property
    def alive(self) -> bool:
        """Whether the network's thread is at work."""
        return self.batcher.alive

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        self.batcher.close()

    def token_lengths(self, pairs: Sequence[Pair]) -> Lengths:
        """Return the tokens of each pair as one sequence, uncut: (n,)."""
        return self._tokens.pairs(pairs).lengths

    def _raw_scores(
        self, pairs: list[Pair], *, batch_size: int | None, progress: bool
    ) -> FloatArray:
        rows = _rows(pairs)
        tokens = self._tokens.pairs(list(dict.fromkeys(pairs)))
        count_tokens(tokens.lengths[rows], self.max_length)
        logits = torch.from_numpy(_computed(self.batcher, tokens)[:, 0])
        scores: FloatArray = self.model.activation_fn(logits).numpy()
        return scores[rows]


def described(encoder: PairEncoder) -> dict[str, Any]:
    """Return the arguments that make another encoder object around the same model."""
    return {
        "backbone": encoder.backbone,
        "calibration": encoder.calibration,
        "threshold": encoder.threshold,
        "training": encoder.training,
    }


def _batcher(
    name: str, encoder: PairEncoder, settings: BatchSettings, report: Report
) -> MicroBatcher[Encoding]:
    return MicroBatcher(
        name,
        lambda some: outputs(encoder.runtime, encoder.tokenizer, some, batch_size=len(some)),
        lambda some: np.array([len(one) for one in some], dtype=np.int64),
        settings,
        report,
    )


def _computed(batcher: MicroBatcher[Encoding], tokens: Tokens) -> FloatArray:
    return batcher.submit(tokens.encodings)


def _rows(items: Sequence[Any]) -> list[int]:
    """Return for each item its row among the distinct ones, in their order."""
    positions = {item: row for row, item in enumerate(dict.fromkeys(items))}
    return [positions[item] for item in items]
