"""An encoder's whole network as one module, from token ids to its output."""

from __future__ import annotations

from typing import Any

import torch

from kosim.encoders.compute.first_token import for_first_token
from kosim.encoders.compute.runtime import Output
from kosim.encoders.compute.text_reader import input_names


class Network(torch.nn.Module):
    """Transformer, pooling and normalisation, or transformer and classifier.

    Both backends run this: torch as it is, onnx after an export. It computes in the arithmetic of
    the weights, also while a trainer in bf16 has put an autocast around the model's ``forward``.

    Args:
        model: the sentence-transformers model.
        output: its output that is wanted.
        prompt_tokens: tokens at the start that a pooling may have to leave out.
        first_token: compute the last layer for the first token alone, on which the output depends.
    """

    def __init__(
        self, model: Any, output: Output, *, prompt_tokens: int = 0, first_token: bool = False
    ) -> None:
        super().__init__()
        self.model = model
        self.computed = for_first_token(model) if first_token else model
        self.output = output
        self.prompt_tokens = prompt_tokens
        self.inputs = input_names(model.tokenizer)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the output (rows, width) for inputs (rows, tokens), in the order of ``inputs``."""
        features: dict[str, Any] = dict(zip(self.inputs, inputs, strict=True))
        features["modality"] = "text"
        if self.prompt_tokens:
            features["prompt_length"] = self.prompt_tokens
        forward = type(self.computed).forward  # not the instance's own, which a trainer replaces
        output: torch.Tensor = forward(self.computed, features)[self.output]
        return output
