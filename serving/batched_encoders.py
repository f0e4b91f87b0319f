"""Encoders whose every computation goes through a micro-batcher: the interface stays the same.

A text becomes tokens on the thread of its request, once; the network's thread gets the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from tokenizers import Encoding

from kosim.encoders.backbone import Backbone
from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.runtime import Backend, FloatArray, Precision
from kosim.encoders.compute.text_reader import Lengths, Tokens
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.records import Pair
from kosim.encoders.scoring import PairScorer, cosines
from kosim.encoders.texts import as_texts
from kosim.serving.microbatch import BatchReport, BatchSettings, MicroBatcher
from kosim.serving.ticket import count_tokens

Report = Callable[[BatchReport], None]
Wrapped = TypeVar("Wrapped", bound=PairEncoder)


class _Batched(PairScorer, Generic[Wrapped]):
    """An encoder that many threads may use; its network works on one thread of its own."""

    def __init__(self, encoder: Wrapped, settings: BatchSettings, report: Report) -> None:
        self._encoder = encoder
        self._reader = encoder.reader
        self.calibration, self.threshold = encoder.calibration, encoder.threshold
        self.batcher: MicroBatcher[Encoding] = MicroBatcher(
            f"{encoder.kind}-encoder",
            lambda some: encoder.outputs(some, batch_size=len(some)),
            lambda some: np.array([len(one) for one in some], dtype=np.int64),
            settings,
            report,
        )

    @property
    def backbone(self) -> Backbone:
        """What it was made from, and the folder that it is in."""
        return self._encoder.backbone

    @property
    def training(self) -> dict[str, Any] | None:
        """How it was trained; None for a model that kosim did not train."""
        return self._encoder.training

    @property
    def max_length(self) -> int:
        """The number of tokens after which an input is cut."""
        return self._reader.max_length

    @property
    def mask_token(self) -> str | None:
        """The text of the tokenizer's mask token, if it has one."""
        return self._reader.layout.mask_token

    @property
    def backend(self) -> Backend:
        """What computes."""
        return self._encoder.backend

    @property
    def precision(self) -> Precision:
        """The arithmetic of the network."""
        return self._encoder.precision

    def fingerprint(self) -> str:
        """Return that of the encoder."""
        return self._encoder.fingerprint()

    @property
    def alive(self) -> bool:
        """Whether the network's thread is at work."""
        return self.batcher.alive

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        self.batcher.close()

    def _computed(self, tokens: Tokens, rows: list[int]) -> FloatArray:
        """Return the network's output for the inputs at ``rows``, and count them."""
        count_tokens(tokens.lengths[rows], self.max_length)
        return self.batcher.submit(tokens.encodings)[rows]


class BatchedBiEncoder(_Batched[BiEncoder]):
    """A bi-encoder that many threads may use."""

    kind = "bi"
    order_matters = False

    @property
    def dimension(self) -> int:
        """The length of a sentence vector."""
        return self._encoder.dimension

    @property
    def pooling(self) -> str | None:
        """How the vectors of tokens become one; None where the model says nothing of it."""
        pooling: str | None = self._encoder.settings()["pooling"]
        return pooling

    def encode(
        self, texts: Iterable[str], *, batch_size: int | None = None, progress: bool = False
    ) -> FloatArray:
        """Encode sentences together with those of other requests: (n, dimension)."""
        texts = as_texts(texts)
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._computed(self._reader.texts(list(dict.fromkeys(texts))), _rows(texts))

    def texts_of_ids(self, inputs: Sequence[Sequence[int]]) -> list[str] | None:
        """Return the texts of lists of token ids, None if another tokenizer made them."""
        return self._reader.texts_of(inputs)

    def token_lengths(self, pairs: Sequence[Pair]) -> Lengths:
        """Return the tokens of each pair's longer sentence, prompt included, uncut: (n,)."""
        return self._encoder.token_lengths(pairs)

    def _raw_scores(
        self, pairs: list[Pair], *, batch_size: int | None, progress: bool
    ) -> FloatArray:
        return cosines(self.encode, pairs)


class BatchedCrossEncoder(_Batched[CrossEncoder]):
    """A cross-encoder that many threads may use."""

    kind = "cross"
    order_matters = True

    def token_lengths(self, pairs: Sequence[Pair]) -> Lengths:
        """Return the tokens of each pair as one sequence, uncut: (n,)."""
        return self._encoder.token_lengths(pairs)

    def score_counted(self, pairs: Sequence[Pair]) -> tuple[FloatArray, Lengths]:
        """Return the raw scores of n pairs and their tokens, uncut, for who counts elsewhere."""
        tokens = self._reader.pairs(list(dict.fromkeys(pairs)))
        rows = _rows(pairs)
        logits = self._computed(tokens, rows)[:, 0]
        return self._encoder.activated(logits), tokens.lengths[rows]

    def _raw_scores(
        self, pairs: list[Pair], *, batch_size: int | None, progress: bool
    ) -> FloatArray:
        return self.score_counted(pairs)[0]


def _rows(items: Sequence[Any]) -> list[int]:
    """Return for each item its row among the distinct ones, in their order."""
    positions = {item: row for row, item in enumerate(dict.fromkeys(items))}
    return [positions[item] for item in items]
