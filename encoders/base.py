"""What a bi-encoder and a cross-encoder share: a tokenizer, a calibration, and what computes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from kosim.encoders.artifact import Manifest, saved_model_arguments, write_artifact
from kosim.encoders.backbone import Backbone
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.compute.backends import check_machine
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.export_store import Export, ExportStore
from kosim.encoders.compute.inference import outputs
from kosim.encoders.compute.onnx_runtime import OnnxRuntime
from kosim.encoders.compute.runtime import Backend, FloatArray, Output, Precision, Runtime
from kosim.encoders.compute.text_reader import TextReader
from kosim.encoders.errors import ArtifactError, ConfigError
from kosim.encoders.network_files import check_sizes
from kosim.encoders.records import DECISION_THRESHOLD, Kind
from kosim.encoders.scoring import PairScorer
from kosim.encoders.suitability import limited_length, position_limit

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase

    from kosim.encoders.compute.network import Network

__all__ = ["FloatArray", "Kind", "PairEncoder"]


class PairEncoder(PairScorer):
    """Scores sentence pairs and ranks documents; a bi-encoder and a cross-encoder alike.

    ``backbone`` says what it was made from, ``runtime`` is what computes. ``calibration`` maps its
    raw values to 0-5 and ``threshold`` is the score from which a pair counts as similar; training
    chooses both on validation data. ``truncated`` counts the inputs that were cut since it was
    opened. Every encoder composes its texts (NFC); ``composed`` says whether its fingerprint tells,
    which those saved by version 0.1 do not.

    It is made around a sentence-transformers ``model``, which torch computes, or around an export
    of one, which needs no torch: then the model is opened when something asks for it.
    """

    output: ClassVar[Output]
    """The output of the network that a score is made of."""

    def __init__(
        self,
        model: Any = None,
        *,
        backbone: Backbone,
        calibration: MonotoneCalibration | None = None,
        threshold: float = DECISION_THRESHOLD,
        training: dict[str, Any] | None = None,
        composed: bool = True,
        exported: tuple[Manifest, Export] | None = None,
    ) -> None:
        self.composed = composed
        self.backbone = backbone
        self.calibration = calibration or MonotoneCalibration.identity()
        self.threshold = threshold
        self.training = training
        self.truncated = 0
        self._model: Any = None
        self._exported = exported
        self._reader: TextReader | None = None
        self._full_fingerprint: str | None = None
        self.runtime: Runtime
        if exported is not None:
            export = exported[1]
            self._full_fingerprint = export.record.fingerprint
            self._positions = export.record.positions
            self.runtime = OnnxRuntime(export.graph, export.precision, weights=export.weights)
        else:
            from kosim.encoders.compute.torch_runtime import TorchRuntime

            self._take(model)
            self._positions = position_limit(model.transformers_model)
            self.runtime = TorchRuntime(self._network())

    @classmethod
    def open(cls, folder: Path, manifest: Manifest, *, device: str | None) -> Self:
        """Open a verified artifact folder; use `load`, which verifies it."""
        model = cls._open_model(folder, manifest, device=device, weights=True)
        return cls(model, **manifest.encoder_arguments(folder))

    @classmethod
    def open_export(cls, folder: Path, manifest: Manifest, export: Export) -> Self:
        """Open the export of a verified artifact folder, without torch.

        Raises:
            ArtifactError: onnxruntime cannot run it on this machine.
        """
        encoder = cls(**manifest.encoder_arguments(folder), exported=(manifest, export))
        encoder._reader = encoder._open_reader()  # what cannot be read is found now
        return encoder

    @classmethod
    def _open_model(
        cls, folder: Path, manifest: Manifest, *, device: str | None, weights: bool
    ) -> Any:
        """Return the sentence-transformers model of an artifact, which is checked before.

        Raises:
            ArtifactError: its config asks for another network than that of its weights.
        """
        from kosim.encoders.tokenizers.text_step import apply_before

        check_sizes(folder, error=ArtifactError)
        model = cls._model_type()(str(folder), **saved_model_arguments(device, weights=weights))
        apply_before(model.tokenizer, manifest.text_step)
        return model

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.backbone.name!r}, at most {self.max_length} tokens, "
            f"{self.backend} {self.precision})"
        )

    @classmethod
    @abstractmethod
    def _model_type(cls) -> Any:
        """Return the class of sentence-transformers that opens a model of this kind."""

    @abstractmethod
    def _reads_first_token(self) -> bool:
        """Return whether the output depends on the first token of the last layer alone."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return what of the model's settings only this kind has."""

    def settings(self) -> dict[str, Any]:
        """Return what besides weights and tokenizer changes a score, JSON values."""
        if self._exported is None:
            return {"max_length": self._stated_length, **self._settings()}
        return self._exported[1].record.settings

    def _take(self, model: Any) -> None:
        from kosim.encoders.tokenizers.composition import compose_before

        compose_before(model.tokenizer)
        self._model = model

    @property
    def model(self) -> Any:
        """The sentence-transformers model underneath.

        That of an export is opened when it is first asked for, with its weights where they are
        those that were exported.
        """
        if self._model is None and self._exported is not None:
            check_machine(ComputeChoice())
            manifest, _ = self._exported
            full = self.precision == "fp32"
            self._take(self._open_model(self.backbone.path, manifest, device=None, weights=full))
        return self._model

    def _network(self) -> Network:
        """Return the network as one module, for whatever is to compute it."""
        from kosim.encoders.compute.network import Network

        return Network(self.model, self.output, first_token=self.first_token_only)

    def outputs(
        self,
        encodings: Sequence[Encoding],
        *,
        batch_size: int | None = None,
        progress: bool = False,
    ) -> FloatArray:
        """Return the network's output for each of n >= 1 tokenised inputs, (n, width) float32.

        Raises:
            ArtifactError: an output is NaN or infinite.
        """
        found = outputs(
            self.runtime, self.reader.layout, encodings, batch_size=batch_size, progress=progress
        )
        if not np.isfinite(found).all():
            raise ArtifactError(
                f"{self.backbone.path} computes values that are not numbers in {self.precision} by "
                f"{self.backend}; its weights cannot be used"
            )
        return found

    @property
    def first_token_only(self) -> bool:
        """Whether the last layer is computed for the first token alone; no output hangs on it."""
        from kosim.encoders.compute.first_token import is_supported

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
        """Whether the weights can be trained or saved: they are there as they were trained."""
        if self._exported is not None:
            return self.precision == "fp32"
        return ComputeChoice(self.backend, self.precision) == ComputeChoice()

    @property
    def max_length(self) -> int:
        """The number of tokens after which an input is cut, at most those of the network."""
        return min(self._stated_length, self._positions or self._stated_length)

    def limit_length(self, tokens: int) -> None:
        """Cut inputs at another number of tokens from now on; torch computes then.

        Raises:
            ConfigError: the network has fewer positions, or no text fits.
        """
        if self._exported is not None:
            self.compute_with(ComputeChoice())
        self.model.max_seq_length = limited_length(
            tokens, self.model.transformers_model, self.backbone.name
        )

    @property
    def _stated_length(self) -> int:
        # An encoder of version 0.1 may state more than its network can read.
        if self._exported is not None:
            return int(self._exported[1].record.settings["max_length"])
        return int(self.model.max_seq_length)

    @property
    def reader(self) -> TextReader:
        """What makes tokens of texts and pairs."""
        if self._reader is None or self._reader.max_length != self.max_length:
            self._reader = self._open_reader()
        return self._reader

    def _open_reader(self) -> TextReader:
        if self._exported is None:
            return TextReader.of(self.tokenizer, self.max_length, prompt=self.prompt)
        manifest, export = self._exported
        return TextReader.open(
            export.tokenizer,
            export.record.layout,
            self.max_length,
            prompt=self.prompt,
            text_step=manifest.text_step,
        )

    @property
    def prompt(self) -> str:
        """The text put before every sentence; empty when there is none."""
        return ""

    @property
    def mask_token(self) -> str | None:
        """The text of the tokenizer's mask token, if it has one."""
        return self.reader.layout.mask_token

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer of the model underneath."""
        return self.model.tokenizer

    @property
    def parameters(self) -> int:
        """The number of the model's weights."""
        if self._exported is not None:
            return self._exported[1].record.parameters
        return sum(weight.numel() for weight in self.model.parameters())

    @property
    def hidden_size(self) -> int | None:
        """The width of the network, or None where its config does not say."""
        if self._exported is not None:
            return self._exported[1].record.hidden_size
        config = getattr(self.model.transformers_model, "config", None)
        return getattr(config, "hidden_size", None)

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
        from kosim.encoders.weights import fingerprint_of

        settings = {"kind": self.kind, **self.settings()}
        return fingerprint_of(self.model, settings, composed=self.composed)

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
        check_machine(choice)
        from kosim.encoders.compute.torch_runtime import TorchRuntime

        network = self._network()  # opens the model of an export
        self._exported = None
        self._full_fingerprint = None  # of weights that may have been changed since
        fingerprint = self.fingerprint()
        if choice.backend == "torch":
            self.runtime = TorchRuntime(network, choice.precision)
            self._full_fingerprint = None if choice == ComputeChoice() else fingerprint
            return
        exports = exports or ExportStore(fingerprint)
        export = exports.find(choice.precision) or exports.make(
            network, choice.precision, fingerprint, self.settings()
        )
        self._full_fingerprint = export.record.fingerprint
        network.model.to("meta")  # keeps shapes and settings, and frees the weights
        self.runtime = OnnxRuntime(export.graph, choice.precision, weights=export.weights)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the artifact: a sentence-transformers folder and ``kosim.json``, whole or not.

        torch computes from then on, where an export in full precision did before.

        Raises:
            StorageError: the folder exists and ``overwrite`` is false, or cannot be written.
            ConfigError: the encoder computes in another precision or with another backend.
        """
        if not self.has_full_weights:
            raise ConfigError(
                f"an encoder in {self.precision} by {self.backend} is not saved: copy the artifact "
                "it was loaded from, or save it before it is given another backend or precision"
            )
        self.compute_with(ComputeChoice())
        from kosim.encoders.tokenizers.text_step import step_of
        from kosim.encoders.weights import write_model

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
            lambda target: write_model(
                self.model, target, composed=self.composed, max_length=self._stated_length
            ),
            overwrite=overwrite,
        )
