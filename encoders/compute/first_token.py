"""The last layer for the first token alone, where nothing reads the others.

A classifier on BERT's first token, or the pooling of that token, needs of the last layer one row of
its output. The feed-forward network and the query are then computed for one token. So are the
projections of keys and values, which can be moved to the other side: with q the query of a head,
W and b what projects the hidden states x_t to its keys, and a_t the attention to them, which sum to
one,

    q (W x_t + b) = (q W) x_t + q b,  where q b is the same for every t and so leaves a_t alone,
    sum_t a_t (V x_t + c) = V sum_t a_t x_t + c.

What is left of the layer is hardly more than its work for one token.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

_FAMILIES = ("bert", "camembert", "electra", "roberta", "xlm-roberta")
"""transformers' ``model_type`` of those whose layers are BERT's and whose head reads one token."""


def is_supported(model: Any) -> bool:
    """Return whether a sentence-transformers model has layers that `for_first_token` knows.

    Inputs that are padded on the left have their first token elsewhere.
    """
    config = getattr(model.transformers_model, "config", None)
    return (
        config is not None
        and config.model_type in _FAMILIES
        and not config.is_decoder
        and model.tokenizer.padding_side == "right"
    )


def for_first_token(model: Any) -> nn.Module:
    """Return a view of a supported model that computes its last layer for the first token.

    The view has the same weights, in the same tensors, and leaves the model as it is.

    Args:
        model: one whose output depends on no other token of the last layer.
    """
    last = f".encoder.layer.{model.transformers_model.config.num_hidden_layers - 1}"
    path = next(name for name, _ in model.named_modules() if f".{name}".endswith(last))
    return _with(model, path, _FirstTokenLayer(model.get_submodule(path)))


class _FirstTokenLayer(nn.Module):
    """One of BERT's layers, (rows, tokens, h) to the first token's (rows, 1, h)."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, hidden: torch.Tensor, mask: torch.Tensor | None = None, *_: Any, **__: Any
    ) -> torch.Tensor:
        """Attend from the first token to all, then compute the rest of the layer for it.

        ``mask`` (rows, 1, 1 or tokens, tokens) is added to the products, or says what is seen.
        What is one vector a row is computed as a matrix, which exports leave in full precision.
        """
        attention = self.layer.attention
        parts = attention.self
        first = hidden[:, 0]
        queries = _by_heads(parts.query(first), parts) @ _by_heads(parts.key.weight.T, parts).mT
        weights = queries.transpose(0, 1) @ hidden.mT * parts.scaling
        if mask is not None:
            seen, lowest = mask[:, 0, :1], torch.finfo(weights.dtype).min
            weights = (
                weights.masked_fill(~seen, lowest) if seen.dtype == torch.bool else weights + seen
            )
        mixed = (weights.softmax(dim=-1) @ hidden).transpose(0, 1)
        values = (mixed @ _by_heads(parts.value.weight.T, parts)).transpose(0, 1).flatten(1)
        attended = attention.output(values + parts.value.bias, first)
        output: torch.Tensor = self.layer.feed_forward_chunk(attended)
        return output.unsqueeze(1)


def _by_heads(projected: torch.Tensor, attention: Any) -> torch.Tensor:
    """Return (n, h) as (heads, n, h / heads)."""
    return projected.unflatten(-1, (-1, attention.attention_head_size)).transpose(0, 1)


def _with(module: nn.Module, path: str, replacement: nn.Module) -> nn.Module:
    """Return a copy of a module in which another stands at ``path``; all else is shared."""
    if not path:
        return replacement
    name, _, rest = path.partition(".")
    view = copy.copy(module)
    view._modules = {**module._modules, name: _with(module.get_submodule(name), rest, replacement)}
    return view
