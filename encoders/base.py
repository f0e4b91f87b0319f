"""The one interface that a bi-encoder and a cross-encoder share."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Encoding
from transformers import PreTrainedTokenizerBase

from kosim.encoders.artifact import Manifest, write_artifact
from kosim.encoders.backbone import Backbone
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.classic_layout import write_classic_layout
from kosim.encoders.compute.backends import start
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.export_store import ExportStore
from kosim.encoders.compute.first_token import is_supported
from kosim.encoders.compute.inference import outputs
from kosim.encoders.compute.network import Network, Output
from kosim.encoders.compute.runtime import Backend, FloatArray, Precision, Runtime
from kosim.encoders.compute.tokens import count_cut
from kosim.encoders.compute.torch_runtime import TorchRuntime
from kosim.encoders.errors import ArtifactError, ConfigError, DataError
from kosim.encoders.explanation import (
    ORDERS,
    Explanation,
    Masking,
    Unit,
    explain_pair,
    mask_token,
)
from kosim.encoders.records import DECISION_THRESHOLD, Hit, Kind, Pair
from kosim.encoders.suitability import limited_length, position_limit
from kosim.encoders.texts import as_pairs, as_text, as_texts
from kosim.encoders.tokenizers.composition import compose_before, pipeline_content, uncomposed
from kosim.encoders.tokenizers.text_step import step_of

__all__ = ["FloatArray", "Kind", "PairEncoder"]


class PairEncoder(ABC):
    """Scores sentence pairs and ranks documents; a bi-encoder and a cross-encoder alike.

    ``model`` is the sentence-transformers model underneath, ``backbone`` says what it was
    made from, ``runtime`` is what computes. ``calibration`` maps its raw values to 0-5 and
    ``threshold`` is the score from which a pair counts as similar; training chooses both on
    validation data. ``truncated`` counts the inputs that were cut since it was opened. Every
    encoder composes its texts (NFC); ``composed`` says whether its fingerprint tells, which those
    saved by version 0.1 do not.
    """

    kind: ClassVar[Kind]
    output: ClassVar[Output]
    """The output of the network that a score is made of."""

    order_matters: ClassVar[bool]
    """Whether a pair can score differently when its sentences are swapped."""

    def __init__(
        self,
        model: Any,
        *,
        backbone: Backbone,
        calibration: MonotoneCalibration | None = None,
        threshold: float = DECISION_THRESHOLD,
        training: dict[str, Any] | None = None,
        composed: bool = True,
    ) -> None:
        self.model = model
        compose_before(model.tokenizer)
        self.composed = composed
        self.backbone = backbone
        self.calibration = calibration or MonotoneCalibration.identity()
        self.threshold = threshold
        self.training = training
        self.truncated = 0
        self._positions = position_limit(model.transformers_model)
        self.runtime: Runtime = TorchRuntime(self._network())
        self._full_fingerprint: str | None = None

    @classmethod
    @abstractmethod
    def open(
        cls, folder: Path, manifest: Manifest, *, device: str | None, weights: bool = True
    ) -> Self:
        """Open a verified artifact folder; use :func:`kosim.load`, which verifies it.

        Without ``weights`` the encoder can compute only from an export.
        """

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
        """Return the model's own values, (n,) float32."""

    @abstractmethod
    def _reads_first_token(self) -> bool:
        """Return whether the output depends on the first token of the last layer alone."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return what of the settings only this kind has."""

    def _network(self) -> Network:
        """Return the network as one module, for whatever is to compute it."""
        return Network(self.model, self.output, first_token=self.first_token_only)

    def _outputs(
        self, encodings: Sequence[Encoding], *, batch_size: int | None, progress: bool
    ) -> FloatArray:
        """Return the network's output for each tokenised input, (n, width) float32.

        Raises:
            ArtifactError: an output is NaN or infinite.
        """
        self.truncated += count_cut(encodings)
        found = outputs(
            self.runtime, self.tokenizer, encodings, batch_size=batch_size, progress=progress
        )
        if not np.isfinite(found).all():
            raise ArtifactError(
                f"{self.backbone.path} computes values that are no numbers in {self.precision} by "
                f"{self.backend}; its weights cannot be used"
            )
        return found

    @property
    def first_token_only(self) -> bool:
        """Whether the last layer is computed for the first token alone; no output hangs on it."""
        return self._reads_first_token() and is_supported(self.model)

    @property
    def backend(self) -> Backend:
        """What computes."""
        return self.runtime.backend

    @property
    def precision(self) -> Precision:
        """The arithmetic of the network; scores and vectors are float32 in any."""
        return self.runtime.precision

    @property
    def has_full_weights(self) -> bool:
        """Whether the weights are in memory as they were trained: to be trained or saved."""
        return ComputeChoice(self.backend, self.precision) == ComputeChoice()

    @property
    def calibrated(self) -> bool:
        """Whether scores were fitted to labels; else they are raw values spread over 0-5."""
        return self.calibration != MonotoneCalibration.identity()

    @property
    def max_length(self) -> int:
        """The number of tokens after which an input is cut, at most those of the network."""
        return min(self._stated_length, self._positions or self._stated_length)

    def limit_length(self, tokens: int) -> None:
        """Cut inputs at another number of tokens from now on.

        Raises:
            ConfigError: the network has fewer positions, or no text fits.
        """
        self.model.max_seq_length = limited_length(
            tokens, self.model.transformers_model, self.backbone.name
        )

    @property
    def _stated_length(self) -> int:
        # An encoder of version 0.1 may state more than its network can read.
        return int(self.model.max_seq_length)

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the model underneath."""
        return self.model.tokenizer

    @property
    def parameters(self) -> int:
        """The number of the model's weights."""
        return sum(weight.numel() for weight in self.model.parameters())

    @property
    def hidden_size(self) -> int | None:
        """The width of the network, or None where its config does not say."""
        config = getattr(self.model.transformers_model, "config", None)
        return getattr(config, "hidden_size", None)

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
            ArtifactError: the network computes no numbers, as after a training that diverged.
        """
        checked = as_pairs(pairs)
        if not checked:
            return np.zeros(0, dtype=np.float32)
        values = self._raw_scores(checked, batch_size=batch_size, progress=progress)
        if symmetric and self.order_matters:
            swapped = [(second, first) for first, second in checked]
            values = (
                values + self._raw_scores(swapped, batch_size=batch_size, progress=progress)
            ) / np.float32(2)
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
            symmetric: as for :meth:`score`.

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

    def settings(self) -> dict[str, Any]:
        """Return what besides weights and tokenizer changes a score, JSON values."""
        return {"max_length": self._stated_length, **self._settings()}

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
        mask = None if masking == "removal" else mask_token(self.tokenizer, masking)
        return explain_pair(self.score, pair, unit=unit, mask=mask, orders=orders, seed=seed)

    def fingerprint(self) -> str:
        """Return a SHA-256 over everything that changes a raw score or a vector.

        That is the weights, the tokenizer with its text step and the settings of the kind
        (maximum length, pooling, prompt, activation); not the calibration, which changes no
        ranking. The same before saving and after loading, and in every precision. It covers that
        texts are composed, except in an encoder that was saved before they were: that one keeps
        the fingerprint by which its indexes know it.
        """
        if self._full_fingerprint is not None:
            return self._full_fingerprint
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        tokenizer = pipeline_content(self.tokenizer, composed=self.composed)
        settings = {"kind": self.kind, **self.settings()}
        if (step := step_of(self.tokenizer)) is not None:
            settings["text_step"] = f"{step.name} {step.version}"
        for part in (tokenizer, settings):
            digest.update(json.dumps(part, sort_keys=True, ensure_ascii=False).encode())
        return digest.hexdigest()

    def compute_with(self, choice: ComputeChoice, exports: ExportStore | None = None) -> None:
        """Compute with another backend or in another precision from now on.

        Scores and vectors stay float32, and the fingerprint stays that of the full weights,
        which may be gone from memory afterwards.

        Args:
            choice: the backend and precision.
            exports: where exported graphs are kept; the user's cache when None.

        Raises:
            ConfigError: the full weights, which another choice needs, are gone.
            MissingExtraError: the backend's packages are not installed.
            StorageError: an export cannot be written.
        """
        present = ComputeChoice(self.backend, self.precision)
        if choice == present:
            return
        if not self.has_full_weights:
            raise ConfigError(f"this encoder was opened for {present}; load it again for {choice}")
        self.runtime, self._full_fingerprint = start(
            choice,
            self._network(),
            lambda: exports or ExportStore(self.fingerprint()),
            self.fingerprint,
        )

    def compute_as(self, encoder: PairEncoder) -> None:
        """Compute by the runtime of another encoder, which has the same weights."""
        self.runtime = encoder.runtime
        self.composed = encoder.composed
        self._full_fingerprint = encoder._full_fingerprint

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the artifact: a sentence-transformers folder and ``kosim.json``, whole or not.

        Raises:
            StorageError: the folder exists and ``overwrite`` is false, or cannot be written.
            ConfigError: the encoder computes in another precision or with another backend.
        """
        if not self.has_full_weights:
            raise ConfigError(
                f"an encoder in {self.precision} by {self.backend} is not saved: copy the artifact "
                "it was loaded from, or save it before it is given another backend or precision"
            )
        step = step_of(self.tokenizer)
        manifest = Manifest(
            kind=self.kind,
            backbone=self.backbone.name,
            revision=self.backbone.revision,
            settings=self.settings(),
            training=self.training,
            calibration=self.calibration,
            threshold=self.threshold,
            fingerprint=self.fingerprint(),
            text_step=step.name if step else None,
            composed="NFC" if self.composed else None,
        )
        write_artifact(
            Path(folder),
            manifest,
            self._write_model,
            overwrite=overwrite,
        )

    def _write_model(self, folder: Path) -> None:
        # An encoder of version 0.1 keeps the tokenizer by which its fingerprint was taken.
        with nullcontext() if self.composed else uncomposed(self.tokenizer):
            self.model.save(str(folder))
        write_classic_layout(
            folder,
            max_length=self._stated_length,
            tokenizer_inputs=self.tokenizer.model_input_names,
        )
