"""ELECTRA's network for replaced token detection (Clark et al. 2020).

A small generator guesses masked tokens; what it draws replaces them, and the discriminator says of
every token whether it was replaced. Both share their embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import ElectraConfig, ElectraForPreTraining, ElectraModel
from transformers.models.electra.modeling_electra import (
    ElectraGeneratorPredictions,
    ElectraPreTrainedModel,
)
from transformers.utils import ModelOutput

_SHARED = ("word_embeddings", "position_embeddings", "token_type_embeddings")
_EMBEDDINGS = "discriminator.electra.embeddings"


@dataclass
class Detection(ModelOutput):
    """What one batch of b inputs of n tokens gave.

    ``loss`` is the weighted sum of both losses. ``logits`` (b, n) are above 0 where the
    discriminator says replaced, ``replaced`` (b, n) says what is true, and ``correct`` is the
    share of masked tokens that the generator drew rightly.
    """

    loss: torch.Tensor | None = None
    generator_loss: torch.Tensor | None = None
    discriminator_loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    replaced: torch.Tensor | None = None
    correct: torch.Tensor | None = None


class ReplacedTokenDetection(ElectraPreTrainedModel):
    """Generator and discriminator, trained together.

    Args:
        config: of the discriminator. Its extra entry ``generator`` holds what the generator's
            differs in, ``mask_token_id`` the token that it sees, and ``discriminator_weight`` the
            weight of the discriminator's loss.
    """

    _tied_weights_keys = {  # noqa: RUF012
        **{
            f"generator.embeddings.{name}.weight": f"{_EMBEDDINGS}.{name}.weight"
            for name in _SHARED
        },
        "vocabulary.weight": f"{_EMBEDDINGS}.word_embeddings.weight",
    }

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config)
        generator = ElectraConfig.from_dict({**config.to_dict(), **config.generator})
        self.discriminator = ElectraForPreTraining(config)
        self.generator = ElectraModel(generator)
        self.prediction = ElectraGeneratorPredictions(generator)
        self.vocabulary = nn.Linear(config.embedding_size, config.vocab_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the word embeddings that both networks share."""
        embeddings: nn.Module = self.discriminator.electra.embeddings.word_embeddings
        return embeddings

    def forward(
        self,
        input_ids: torch.Tensor,
        token_type_ids: torch.Tensor,
        masked: torch.Tensor,
        draws: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        **ignored: Any,
    ) -> Detection:
        """Mask, let the generator draw, and judge.

        Args:
            input_ids: (b, n), nothing masked yet.
            token_type_ids: (b, n).
            masked: (k,), the positions to mask in the flattened input.
            draws: (k,), uniform on [0, 1); they choose from the generator's distribution.
            attention_mask: (b, n); None where nothing is padded.
            ignored: what a trainer passes along.
        """
        flat = input_ids.flatten()
        original = flat[masked]
        seen = flat.index_fill(0, masked, self.config.mask_token_id).view_as(input_ids)
        hidden = self.generator(
            seen, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        # Logits of the masked tokens only: the vocabulary is the dearest layer of all.
        guesses = self.vocabulary(self.prediction(hidden.flatten(0, 1)[masked])).float()
        generator_loss = nn.functional.cross_entropy(guesses, original)
        drawn = _draw(guesses.detach(), draws)
        changed = flat.index_copy(0, masked, drawn).view_as(input_ids)
        replaced = changed != input_ids
        logits = self.discriminator(
            changed, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).logits
        real = logits if attention_mask is None else logits[attention_mask.bool()]
        labels = replaced if attention_mask is None else replaced[attention_mask.bool()]
        discriminator_loss = nn.functional.binary_cross_entropy_with_logits(
            real.float(), labels.float()
        )
        return Detection(
            loss=generator_loss + self.config.discriminator_weight * discriminator_loss,
            generator_loss=generator_loss.detach(),
            discriminator_loss=discriminator_loss.detach(),
            logits=logits.detach(),
            replaced=replaced,
            correct=(drawn == original).float().mean(),
        )


def _draw(logits: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Draw a token from each row of ``logits`` (k, v): where its distribution passes the draw."""
    distribution = torch.softmax(logits, dim=-1).cumsum(dim=-1)
    # The last value is 1 but for rounding.
    height = draws.to(distribution.dtype)[:, None] * distribution[:, -1:]
    drawn = torch.searchsorted(distribution, height, right=True)
    return drawn.squeeze(1).clamp_(max=logits.shape[1] - 1)
