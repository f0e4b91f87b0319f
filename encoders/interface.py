"""What every encoder can do, whatever computes: here, on another thread or on another machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kosim.encoders.backbone import Backbone
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.compute.runtime import FloatArray, Precision
from kosim.encoders.explanation import ORDERS, Explanation, Masking, Unit
from kosim.encoders.records import Hit, Kind, Pair


class Encoder(Protocol):
    """Scores pairs of sentences and ranks documents.

    A bi-encoder is a `SentenceEncoder` too.
    """

    @property
    def kind(self) -> Kind:
        """Whether it reads sentences alone or in pairs."""

    @property
    def backbone(self) -> Backbone:
        """What it was made from, and the folder that it is in."""

    @property
    def order_matters(self) -> bool:
        """Whether a pair can score differently when its sentences are swapped."""

    @property
    def calibration(self) -> MonotoneCalibration:
        """The map from raw scores to 0-5."""

    @property
    def threshold(self) -> float:
        """The score from which a pair counts as similar."""

    @property
    def calibrated(self) -> bool:
        """Whether scores were fitted to labels; else they are raw values spread over 0-5."""

    @property
    def max_length(self) -> int:
        """The number of tokens after which an input is cut."""

    @property
    def precision(self) -> Precision:
        """The arithmetic of the network."""

    def fingerprint(self) -> str:
        """Return a SHA-256 over everything that changes a raw score or a vector."""

    def token_lengths(self, pairs: Sequence[Pair]) -> npt.NDArray[np.int64]:
        """Return the tokens that each pair costs, uncut: (n,)."""

    def score(
        self,
        pairs: Iterable[Pair],
        *,
        batch_size: int | None = None,
        raw: bool = False,
        symmetric: bool = False,
        progress: bool = False,
    ) -> FloatArray:
        """Score pairs: (n,) float32, on 0-5 unless ``raw``."""

    def rank(
        self,
        query: str,
        documents: Iterable[str],
        *,
        top_k: int | None = None,
        min_score: float | None = None,
        symmetric: bool = False,
    ) -> list[Hit]:
        """Rank documents by similarity to a query, best first."""

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
        """Explain the score of a pair: what each word of both sentences adds to it."""


class SentenceEncoder(Encoder, Protocol):
    """Makes a vector of a sentence; pairs are scored by the cosine of theirs."""

    @property
    def training(self) -> dict[str, Any] | None:
        """How it was trained; None for a model that kosim did not train."""

    @property
    def dimension(self) -> int:
        """The length of a sentence vector."""

    def encode(
        self, texts: Iterable[str], *, batch_size: int | None = None, progress: bool = False
    ) -> FloatArray:
        """Encode sentences: (n, dimension) float32, rows of unit length."""
