"""The student: a backbone with the heads through which it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import ModelOutput

from kosim.encoders.backbone import FULL_PRECISION, opening, seeded
from kosim.encoders.bi import BiEncoder
from kosim.encoders.distillation.geometry import SentenceGeometry
from kosim.encoders.pretraining.start import WORDS

Objective = Literal["embedding", "similarity"]
_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob")

SIMILARITY_WEIGHT = 10.0
"""Brings the squared error of cosines to the size of the other losses."""


class Student(nn.Module):
    """A network that is a bi-encoder for sentences alone and a cross-encoder for pairs.

    Its sentence vector is the mean of its token vectors. The similarity of a pair is read from the
    classifier that a cross-encoder has, which is kept: fine-tuning goes on from it.

    Args:
        path: a backbone folder.
        objective: what a sentence alone is to teach: ``embedding``, the cosine of its vector
            with the target is to be 1; ``similarity``, the cosines within a batch are to be those
            of the targets.
        seed: of the classifier's weights.

    Raises:
        BackboneError: the backbone cannot be loaded.
    """

    def __init__(self, path: Path, *, objective: Objective, seed: int) -> None:
        super().__init__()
        with opening(f"student {path}"), seeded(seed), torch.device("cpu"):
            self.settings = AutoConfig.from_pretrained(str(path), local_files_only=True)
            still = {name: 0.0 for name in _DROPOUTS if hasattr(self.settings, name)}
            self.network: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
                str(path), num_labels=1, local_files_only=True, **still, **FULL_PRECISION
            )
        self.objective = objective

    @property
    def width(self) -> int:
        """The length of a sentence vector."""
        return int(self.network.config.hidden_size)

    def encode(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the unit vectors of sentences alone: (b, width)."""
        mask = inputs.get("attention_mask")
        hidden = self.network.base_model(**inputs).last_hidden_state.float()
        if mask is None:
            mean = hidden.mean(dim=1)
        else:
            weights = mask.unsqueeze(2).to(hidden.dtype)
            mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        return nn.functional.normalize(mean, dim=1)

    def judge(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the logit of each pair's similarity: (b,)."""
        logits: torch.Tensor = self.network(**inputs).logits.squeeze(1).float()
        return logits

    def forward(
        self,
        input_ids: torch.Tensor,
        token_type_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        target: torch.Tensor | None = None,
        similarity: torch.Tensor | None = None,
        **ignored: Any,
    ) -> ModelOutput:
        """Return the ``loss`` of a batch of sentences (``target``) or of pairs (``similarity``)."""
        inputs = {"input_ids": input_ids, "token_type_ids": token_type_ids}
        if attention_mask is not None:
            inputs["attention_mask"] = attention_mask
        if target is None:
            logits = self.judge(**inputs)
            wanted = similarity.clamp(0, 1) if similarity is not None else torch.zeros_like(logits)
            return ModelOutput(loss=nn.functional.binary_cross_entropy_with_logits(logits, wanted))
        vectors = self.encode(**inputs)
        if self.objective == "embedding":
            return ModelOutput(loss=(1 - (vectors * target).sum(dim=1)).mean())
        gap = vectors @ vectors.T - target @ target.T
        pairs = max(1, len(gap) * (len(gap) - 1))
        return ModelOutput(loss=SIMILARITY_WEIGHT * gap.square().sum() / pairs)

    def finished(self) -> PreTrainedModel:
        """Return the network to keep, with the dropout that it came with."""
        for name in _DROPOUTS:
            if hasattr(self.settings, name):
                setattr(self.network.config, name, getattr(self.settings, name))
        return self.network


def put_token_vectors(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, teacher: BiEncoder
) -> None:
    """Replace a student's word embeddings, in place, by the teacher's vectors of its tokens.

    Each token is given to the teacher as a text of its own, and the vectors are turned to as many
    principal axes as an embedding has, as Model2Vec (Tulkens and van Dongen 2024) does. Special
    tokens keep the embeddings that they have.

    Args:
        network: the student.
        tokenizer: its tokenizer, of v tokens.
        teacher: encodes the texts of the tokens.
    """
    words = network.get_input_embeddings().weight
    special = set(tokenizer.all_special_ids)
    ids = [number for number in range(len(tokenizer)) if number not in special]
    vectors = teacher.encode([_text(tokenizer, number) for number in ids])
    geometry = SentenceGeometry.fit(vectors, words.shape[1])
    turned = (vectors - geometry.mean) @ geometry.axes
    embeddings = torch.from_numpy(turned * (WORDS / max(float(turned.std()), 1e-12)))
    with torch.no_grad():
        words[ids] = embeddings.to(words.dtype)


def _text(tokenizer: PreTrainedTokenizerBase, number: int) -> str:
    """Return a token as text, without the mark of a word's middle."""
    token = str(tokenizer.convert_ids_to_tokens(number))
    return tokenizer.convert_tokens_to_string([token]).removeprefix("##").strip() or token
