"""The cross-encoder: both sentences read together by one classifier with one output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kosim.encoders.backbone import (
    FULL_PRECISION,
    find_backbone,
    opening,
    seeded,
)
from kosim.encoders.base import FloatArray, PairEncoder
from kosim.encoders.compute.backends import check_machine
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import BackboneError
from kosim.encoders.network_files import check_finite
from kosim.encoders.records import Pair
from kosim.encoders.suitability import (
    check_scoring,
    classifier_arguments,
    fit_inputs,
    limited_length,
)


def _logistic(logits: FloatArray) -> FloatArray:
    # In the form of which neither side overflows.
    small = np.exp(-np.abs(logits))
    ratio = np.where(logits < 0, small, np.ones_like(small)) / (1 + small)
    return ratio.astype(np.float32, copy=False)


_ACTIVATIONS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "Sigmoid": _logistic,
    "Identity": lambda logits: logits,
    "Tanh": np.tanh,
}
"""What torch calls an activation, and the same without torch."""


class CrossEncoder(PairEncoder):
    """Reads a pair as one sequence; its raw score is the activated output of the classifier.

    The activation matches the loss it was trained with: the logistic function for binary
    cross-entropy (and before any training), none for the squared error.
    """

    kind = "cross"
    output = "scores"
    order_matters = True

    @classmethod
    def from_backbone(
        cls,
        model: str,
        *,
        revision: str | None = None,
        max_length: int = 128,
        device: str | None = None,
        seed: int = 0,
        backend: Backend | None = None,
        precision: Precision = "fp32",
        text_step: str | None = None,
    ) -> Self:
        """Make an untrained cross-encoder from a backbone folder or hub id.

        Args:
            model: a transformers model, by folder or hub id.
            revision: commit, tag or branch of a hub id.
            max_length: tokens after which a pair is cut.
            device: torch device; the best there is when None.
            seed: of the new classifier's weights.
            backend: what computes, as in `load`; the export goes to the user's
                cache.
            precision: arithmetic of the network, as in `load`.
            text_step: what is done to a text before the tokenizer, such as ``"morphemes"``; by
                default what the backbone's ``kosim.json`` says.

        Raises:
            BackboneError: the backbone is not there, is incomplete, or cannot be loaded.
            ConfigError: the text step is unknown, the length is not possible, or backend,
                precision and device do not fit.
            MissingExtraError: the backend or the text step needs a package that is not installed.
        """
        choice = ComputeChoice.of(backend, precision)
        device = choice.device(device)
        check_machine(ComputeChoice())
        from sentence_transformers import CrossEncoder as PairClassifier

        from kosim.encoders.provenance import read_provenance
        from kosim.encoders.tokenizers.text_step import apply_before

        backbone = find_backbone(model, revision=revision)
        with opening(f"backbone {model}"), seeded(seed):
            network = PairClassifier(
                str(backbone.path),
                num_labels=1,
                device=device,
                model_kwargs={
                    **FULL_PRECISION,
                    **classifier_arguments(backbone.path, model),
                },
            )
        check_finite(network, backbone.path, error=BackboneError)
        fit_inputs(network, model)
        network.max_seq_length = limited_length(max_length, network.transformers_model, model)
        apply_before(network.tokenizer, text_step or read_provenance(backbone.path).text_step)
        encoder = cls(network, backbone=backbone)
        check_scoring(encoder, f"backbone {model}")
        encoder.compute_with(choice)
        return encoder

    @classmethod
    def _model_type(cls) -> Any:
        from sentence_transformers import CrossEncoder as PairClassifier

        return PairClassifier

    def token_lengths(self, pairs: Sequence[Pair]) -> npt.NDArray[np.int64]:
        """Return the tokens of each pair as one sequence, uncut: (n,)."""
        return self.reader.pairs(pairs).lengths

    def _reads_first_token(self) -> bool:
        # Other heads, such as a pooling of all tokens, are modules behind a bare transformer.
        return type(self.model.transformers_model).__name__.endswith("ForSequenceClassification")

    def _raw_scores(
        self, pairs: list[Pair], *, batch_size: int | None, progress: bool
    ) -> FloatArray:
        positions = {pair: position for position, pair in enumerate(dict.fromkeys(pairs))}
        tokens = self.reader.pairs(list(positions))
        self.truncated += int((tokens.lengths > self.max_length).sum())
        logits = self.outputs(tokens.encodings, batch_size=batch_size, progress=progress)[:, 0]
        return self.activated(logits)[[positions[pair] for pair in pairs]]

    def activated(self, logits: FloatArray) -> FloatArray:
        """Return the raw scores that the classifier's logits mean, of any shape."""
        if self._exported is not None:
            name = self.settings().get("activation")
            if name in _ACTIVATIONS:
                return _ACTIVATIONS[name](logits)
        import torch

        scores: FloatArray = self.model.activation_fn(torch.from_numpy(logits)).numpy()
        return scores

    def _settings(self) -> dict[str, Any]:
        return {"activation": type(self.model.activation_fn).__name__}
