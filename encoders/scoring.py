"""Scoring and ranking by the raw scores of an encoder, wherever they are computed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.compute.runtime import FloatArray
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.explanation import (
    ORDERS,
    Explanation,
    Masking,
    Unit,
    explain_pair,
    mask_token,
)
from kosim.encoders.records import Hit, Kind, Pair
from kosim.encoders.texts import as_pairs, as_text, as_texts


class PairScorer(ABC):
    """The part of an encoder that does not depend on what computes its raw scores."""

    kind: ClassVar[Kind]
    order_matters: ClassVar[bool]
    """Whether a pair can score differently when its sentences are swapped."""

    calibration: MonotoneCalibration
    threshold: float

    @property
    def calibrated(self) -> bool:
        """Whether scores were fitted to labels; else they are raw values spread over 0-5."""
        return self.calibration != MonotoneCalibration.identity()

    @property
    @abstractmethod
    def mask_token(self) -> str | None:
        """The text of the tokenizer's mask token, if it has one."""

    @abstractmethod
    def token_lengths(self, pairs: Sequence[Pair]) -> npt.NDArray[np.int64]:
        """Return the tokens that each pair costs, uncut: (n,).

        For a cross-encoder the pair as one sequence, for a bi-encoder the longer of its two
        sentences: the length to which a batch is padded.
        """

    @abstractmethod
    def _raw_scores(
        self, pairs: list[Pair], *, batch_size: int | None, progress: bool
    ) -> FloatArray:
        """Return the encoder's own values, (n,) float32."""

    def score(
        self,
        pairs: Iterable[Pair],
        *,
        batch_size: int | None = None,
        raw: bool = False,
        symmetric: bool = False,
        progress: bool = False,
    ) -> FloatArray:
        """Score pairs.

        Args:
            pairs: n pairs of sentences, in a list, an array or any iterable.
            batch_size: pairs or sentences computed at a time, at most; by default as many as
                a number of tokens allows.
            raw: return the model's own value (cosine, or the cross-encoder's activation)
                instead of a score on 0-5.
            symmetric: average the raw values of both orders of each pair, at twice the cost
                where the order matters.
            progress: show a progress bar on standard error.

        Returns:
            (n,) float32, on 0-5 unless ``raw``.

        Raises:
            DataError: ``pairs`` is a string or a table, or a member is not a pair of strings.
        """
        checked = as_pairs(pairs)
        if not checked:
            return np.zeros(0, dtype=np.float32)
        both = symmetric and self.order_matters
        # In one call, which makes tokens of every text once.
        asked = [*checked, *((second, first) for first, second in checked)] if both else checked
        values = self._raw_scores(asked, batch_size=batch_size, progress=progress)
        if both:
            values = (values[: len(checked)] + values[len(checked) :]) / np.float32(2)
        return values if raw else self.calibration(values)

    def rank(
        self,
        query: str,
        documents: Iterable[str],
        *,
        top_k: int | None = None,
        min_score: float | None = None,
        symmetric: bool = False,
    ) -> list[Hit]:
        """Rank documents by similarity to a query, best first, ties by position.

        Args:
            query: one sentence.
            documents: the texts to rank, in a list, an array, a Series or any iterable.
            top_k: how many hits to return; all when None.
            min_score: leave out documents that score below this on 0-5.
            symmetric: as for `score`.

        Raises:
            DataError: ``documents`` is a string or a table, a text is not a string, or the query
                is blank.
            ConfigError: ``top_k`` is below 1.
        """
        if top_k is not None and top_k < 1:
            raise ConfigError(f"top_k is {top_k}; ask for at least 1 hit")
        asked, texts = as_text(query, "the query"), as_texts(documents, "documents")
        if not asked.strip():
            raise DataError("the query is empty; give a sentence")
        pairs = [(asked, text) for text in texts]
        raw = self.score(pairs, raw=True, symmetric=symmetric)
        scores = self.calibration(raw)
        order = np.argsort(-raw, kind="stable")[:top_k]
        return [
            Hit(position=int(i), text=texts[i], score=float(scores[i]), raw=float(raw[i]))
            for i in order
            if min_score is None or scores[i] >= min_score
        ]

    def explain(
        self,
        sentence1: str,
        sentence2: str,
        *,
        unit: Unit = "word",
        masking: Masking = "removal",
        orders: int = ORDERS,
        seed: int = 0,
    ) -> Explanation:
        """Explain the score of a pair: what each word of both sentences adds to it, in points.

        Args:
            sentence1: the first sentence.
            sentence2: the second sentence.
            unit: words between spaces (eojeol), or Kiwi's morphemes.
            masking: what stands for a word that is left out: nothing, or the mask token.
            orders: even number of orders that are drawn where there are many words.
            seed: of the drawn orders.

        Raises:
            DataError: a sentence is not a string, both are blank, or they are too long.
            ConfigError: an option is unknown, or the tokenizer has no mask token.
            MissingExtraError: ``unit`` is morpheme and kiwipiepy is not installed.
        """
        pair = as_text(sentence1, "sentence 1"), as_text(sentence2, "sentence 2")
        mask = None if masking == "removal" else mask_token(self, masking)
        return explain_pair(self.score, pair, unit=unit, mask=mask, orders=orders, seed=seed)


def cosines(encode: Callable[[list[str]], FloatArray], pairs: Sequence[Pair]) -> FloatArray:
    """Return the cosine of the unit vectors of each pair, (n,) float32.

    Args:
        encode: makes (m, dimension) vectors of m texts.
        pairs: n pairs of texts.
    """
    vectors = encode([text for pair in pairs for text in pair])
    products = np.einsum("ij,ij->i", vectors[::2], vectors[1::2])
    return products.clip(-1, 1)  # float32 makes 1.0000004 of equal vectors
