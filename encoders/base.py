"""The one interface that a bi-encoder and a cross-encoder share."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedTokenizerBase

from encoders.artifact import Manifest, write_artifact
from encoders.backbone import Backbone
from encoders.calibration import MonotoneCalibration
from encoders.errors import ConfigError, DataError
from encoders.records import DECISION_THRESHOLD, Hit, Pair
from encoders.tokenizers.text_step import step_of

Kind = Literal["bi", "cross"]
Precision = Literal["fp32", "bf16"]
FloatArray = npt.NDArray[np.float32]


class PairEncoder(ABC):
    """Scores sentence pairs and ranks documents; a bi-encoder and a cross-encoder alike.

    ``model`` is the sentence-transformers model underneath, ``backbone`` says what it was
    made from. ``calibration`` maps its raw values to 0-5 and ``threshold`` is the score
    from which a pair counts as similar; training chooses both on validation data.
    """

    kind: ClassVar[Kind]
    order_matters: ClassVar[bool]
    """Whether a pair can score differently when its sentences change places."""

    def __init__(
        self,
        model: Any,
        *,
        backbone: Backbone,
        calibration: MonotoneCalibration | None = None,
        threshold: float = DECISION_THRESHOLD,
        training: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.backbone = backbone
        self.calibration = calibration or MonotoneCalibration.identity()
        self.threshold = threshold
        self.training = training
        self.precision: Precision = "fp32"
        self._full_fingerprint: str | None = None

    @classmethod
    @abstractmethod
    def open(cls, folder: Path, manifest: Manifest, *, device: str | None) -> Self:
        """Open a verified artifact folder; use :func:`encoders.load`, which verifies it."""

    @abstractmethod
    def token_lengths(self, pairs: Sequence[Pair]) -> npt.NDArray[np.int64]:
        """Return the tokens that each pair costs, uncut: (n,).

        For a cross-encoder the pair as one sequence, for a bi-encoder the longer of its two
        sentences: the length to which a batch is padded.
        """

    @abstractmethod
    def _raw_scores(self, pairs: list[Pair], *, batch_size: int, progress: bool) -> FloatArray:
        """Return the model's own values, (n,) float32."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return what besides weights and tokenizer changes a score."""

    @property
    def max_length(self) -> int:
        """The number of tokens after which an input is cut."""
        return int(self.model.max_seq_length)

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the model underneath."""
        return self.model.tokenizer

    @property
    def parameters(self) -> int:
        """The number of the model's weights."""
        return sum(weight.numel() for weight in self.model.parameters())

    def score(
        self,
        pairs: Sequence[Pair],
        *,
        batch_size: int = 64,
        raw: bool = False,
        symmetric: bool = False,
        progress: bool = False,
    ) -> FloatArray:
        """Score pairs.

        Args:
            pairs: n pairs of sentences.
            batch_size: pairs or sentences encoded at a time.
            raw: return the model's own value (cosine, or the cross-encoder's activation)
                instead of a score on 0-5.
            symmetric: average the raw values of both orders of each pair, at twice the cost
                where the order matters.
            progress: show a progress bar on standard error.

        Returns:
            (n,) float32, on 0-5 unless ``raw``.

        Raises:
            DataError: a member of ``pairs`` is not a pair of strings.
        """
        checked = _check_pairs(pairs)
        if not checked:
            return np.zeros(0, dtype=np.float32)
        values = self._raw_scores(checked, batch_size=batch_size, progress=progress)
        if symmetric and self.order_matters:
            swapped = [(second, first) for first, second in checked]
            values = (
                values + self._raw_scores(swapped, batch_size=batch_size, progress=progress)
            ) / np.float32(2)
        return values if raw else self.calibration(values)

    def rank(self, query: str, documents: Sequence[str], *, top_k: int | None = None) -> list[Hit]:
        """Rank documents by similarity to a query, best first, ties by position.

        Args:
            query: one sentence.
            documents: the texts to rank.
            top_k: how many hits to return; all when None.

        Raises:
            DataError: a text is not a string, or the query is blank.
            ConfigError: ``top_k`` is below 1.
        """
        if top_k is not None and top_k < 1:
            raise ConfigError(f"top_k is {top_k}; ask for at least 1 hit")
        if isinstance(documents, str):
            raise DataError("documents is one string; give a list of texts")
        if not isinstance(query, str) or not query.strip():
            raise DataError("the query is empty; give a sentence")
        raw = self.score([(query, document) for document in documents], raw=True)
        scores = self.calibration(raw)
        order = np.argsort(-raw, kind="stable")[:top_k]
        return [
            Hit(position=int(i), text=documents[i], score=float(scores[i]), raw=float(raw[i]))
            for i in order
        ]

    def fingerprint(self) -> str:
        """Return a SHA-256 over everything that changes a raw score or a vector.

        That is the weights, the tokenizer with its text step and the settings of the kind
        (maximum length, pooling, prompt, activation); not the calibration, which changes no
        ranking. The same before saving and after loading, and in every precision.
        """
        if self._full_fingerprint is not None:
            return self._full_fingerprint
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        tokenizer = json.loads(self.tokenizer.backend_tokenizer.to_str())
        # Set by the last call, not by the tokenizer's maker.
        tokenizer.pop("truncation", None)
        tokenizer.pop("padding", None)
        settings = {"kind": self.kind, "max_length": self.max_length, **self._settings()}
        if (step := step_of(self.tokenizer)) is not None:
            settings["text_step"] = f"{step.name} {step.version}"
        for part in (tokenizer, settings):
            digest.update(json.dumps(part, sort_keys=True, ensure_ascii=False).encode())
        return digest.hexdigest()

    def lower(self, precision: Precision) -> None:
        """Compute in ``precision`` from now on; full precision cannot be brought back.

        Scores and vectors stay float32, and the fingerprint stays that of the full weights.

        Raises:
            ConfigError: the precision is unknown, or is higher than that of the weights.
        """
        if precision not in get_args(Precision):
            raise ConfigError(
                f"precision {precision!r} is unknown; choose from {', '.join(get_args(Precision))}"
            )
        if precision == self.precision:
            return
        if precision == "fp32":
            raise ConfigError(
                f"the weights were lowered to {self.precision}; load the encoder again for fp32"
            )
        self._full_fingerprint = self.fingerprint()
        self.model.to(torch.bfloat16)
        self.precision = precision

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the artifact: a sentence-transformers folder and ``kosim.json``, whole or not.

        Raises:
            StorageError: the folder exists and ``overwrite`` is false, or cannot be written.
            ConfigError: the weights were lowered to another precision.
        """
        if self.precision != "fp32":
            raise ConfigError(
                f"an encoder in {self.precision} is not saved: copy the artifact it was loaded from"
            )
        step = step_of(self.tokenizer)
        manifest = Manifest(
            kind=self.kind,
            backbone=self.backbone.name,
            revision=self.backbone.revision,
            settings={"max_length": self.max_length, **self._settings()},
            training=self.training,
            calibration=self.calibration,
            threshold=self.threshold,
            fingerprint=self.fingerprint(),
            text_step=step.name if step else None,
        )
        write_artifact(
            Path(folder), manifest, lambda place: self.model.save(str(place)), overwrite=overwrite
        )


def _check_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    checked: list[Pair] = []
    for number, pair in enumerate(pairs):
        if (
            isinstance(pair, str)
            or not isinstance(pair, Sequence | np.ndarray)
            or len(pair) != 2
            or not all(isinstance(sentence, str) for sentence in pair)
        ):
            raise DataError(
                f"pair {number} is {pair!r}; give (sentence1, sentence2), two strings each"
            )
        checked.append((pair[0], pair[1]))
    return checked
