"""The losses of each kind, and all else about training that differs by kind, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sentence_transformers import (
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss, MSELoss
from sentence_transformers.sentence_transformer.losses import (
    AnglELoss,
    CoSENTLoss,
    CosineSimilarityLoss,
    MatryoshkaLoss,
)
from torch import nn

from kosim.encoders.base import Kind, PairEncoder
from kosim.encoders.training.batching import LengthGroupedTrainerMixin
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.dropout import QuickDropoutTrainerMixin


class BiTrainer(LengthGroupedTrainerMixin, QuickDropoutTrainerMixin, SentenceTransformerTrainer):
    """sentence-transformers' trainer of bi-encoders, with kosim's batches and dropout."""


class CrossTrainer(LengthGroupedTrainerMixin, QuickDropoutTrainerMixin, CrossEncoderTrainer):
    """sentence-transformers' trainer of cross-encoders, with kosim's batches and dropout."""


def _squared_error(model: Any) -> nn.Module:
    model.activation_fn = nn.Identity()
    return MSELoss(model)


def _cross_entropy(model: Any) -> nn.Module:
    model.activation_fn = nn.Sigmoid()
    return BinaryCrossEntropyLoss(model)


@dataclass(frozen=True)
class KindTraining:
    """How one kind is trained.

    ``losses`` maps a name to a function that makes the loss for a model and gives the model
    the activation that matches it. ``find_unused`` is for several ranks: whether to look for
    weights that a loss does not reach, such as a pooler's. sentence-transformers' cross-encoder
    trainer must not.
    """

    trainer: type[Any]
    arguments: type[Any]
    losses: Mapping[str, Callable[[Any], nn.Module]]
    default_loss: str
    prompt: Callable[[PairEncoder], str | None]
    find_unused: bool


def make_loss(encoder: PairEncoder, config: TrainingConfig) -> nn.Module:
    """Return the loss of a training, whose settings were checked, for the encoder's model.

    With ``matryoshka`` it is the sum of the loss of whole vectors and of those cut to each number
    of dimensions (Kusupati et al. 2022, arXiv:2205.13147).
    """
    of_kind = TRAINING_BY_KIND[encoder.kind]
    loss = of_kind.losses[config.loss or of_kind.default_loss](encoder.model)
    if config.matryoshka is None:
        return loss
    whole = int(encoder.model.get_embedding_dimension())
    dimensions = [whole, *(one for one in config.matryoshka if one != whole)]
    return MatryoshkaLoss(encoder.model, loss, matryoshka_dims=dimensions)


TRAINING_BY_KIND: Mapping[Kind, KindTraining] = {
    "bi": KindTraining(
        trainer=BiTrainer,
        arguments=SentenceTransformerTrainingArguments,
        losses={"cosine": CosineSimilarityLoss, "cosent": CoSENTLoss, "angle": AnglELoss},
        default_loss="cosine",
        prompt=lambda encoder: getattr(encoder, "prompt", None) or None,
        find_unused=True,
    ),
    "cross": KindTraining(
        trainer=CrossTrainer,
        arguments=CrossEncoderTrainingArguments,
        losses={"bce": _cross_entropy, "mse": _squared_error},
        default_loss="bce",
        prompt=lambda encoder: None,
        find_unused=False,
    ),
}
