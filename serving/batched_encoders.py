"""Encoders whose every computation goes through a micro-batcher: the interface stays the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kosim.encoders.base import FloatArray, PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.records import Pair
from kosim.serving.microbatch import BatchReport, BatchSettings, MicroBatcher
from kosim.serving.tokens import Lengths, TokenCounter

Report = Callable[[BatchReport], None]


class BatchedBiEncoder(BiEncoder):
    """A bi-encoder that many threads may use; its network works on one thread of its own."""

    def __init__(self, encoder: BiEncoder, settings: BatchSettings, report: Report) -> None:
        super().__init__(encoder.model, **described(encoder))
        self.compute_as(encoder)
        self._counter = TokenCounter(encoder, prompt=encoder.prompt)
        self.batcher: MicroBatcher[str] = MicroBatcher(
            "bi-encoder",
            lambda texts: encoder.encode(texts, batch_size=len(texts)),
            self.computed_tokens,
            settings,
            report,
        )

    @property
    def alive(self) -> bool:
        """Whether the network's thread is at work."""
        return self.batcher.alive

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        self.batcher.close()

    def encode(
        self, texts: Sequence[str], *, batch_size: int | None = None, progress: bool = False
    ) -> FloatArray:
        """Encode sentences together with those of other requests: (n, dimension)."""
        return self.batcher.submit(texts) if texts else super().encode(texts)

    def computed_tokens(self, texts: Sequence[str]) -> Lengths:
        """Return the tokens of n texts, prompt included and cut at the maximum length: (n,)."""
        return self._counter.texts(texts).clip(max=self.max_length)

    def token_lengths(self, pairs: Sequence[Pair]) -> Lengths:
        """Return the tokens of each pair's longer sentence, prompt included, uncut: (n,)."""
        firsts = self._counter.texts([first for first, _ in pairs])
        seconds = self._counter.texts([second for _, second in pairs])
        return np.maximum(firsts, seconds)


class BatchedCrossEncoder(CrossEncoder):
    """A cross-encoder that many threads may use; its network works on one thread of its own."""

    def __init__(self, encoder: CrossEncoder, settings: BatchSettings, report: Report) -> None:
        super().__init__(encoder.model, **described(encoder))
        self.compute_as(encoder)
        self._counter = TokenCounter(encoder)
        self.batcher: MicroBatcher[Pair] = MicroBatcher(
            "cross-encoder",
            lambda pairs: encoder.score(pairs, batch_size=len(pairs), raw=True),
            lambda pairs: self.token_lengths(pairs).clip(max=encoder.max_length),
            settings,
            report,
        )

    @property
    def alive(self) -> bool:
        """Whether the network's thread is at work."""
        return self.batcher.alive

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        self.batcher.close()

    def token_lengths(self, pairs: Sequence[Pair]) -> Lengths:
        """Return the tokens of each pair as one sequence, uncut: (n,)."""
        return self._counter.pairs(pairs)

    def _raw_scores(
        self, pairs: list[Pair], *, batch_size: int | None, progress: bool
    ) -> FloatArray:
        return self.batcher.submit(pairs)


def described(encoder: PairEncoder) -> dict[str, Any]:
    """Return what another encoder object around the same model is made with."""
    return {
        "backbone": encoder.backbone,
        "calibration": encoder.calibration,
        "threshold": encoder.threshold,
        "training": encoder.training,
    }
