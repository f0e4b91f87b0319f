"""What a trial may change beside the settings of a training: losses and a decay by layer.

None of it is part of kosim: a variant enters the library only where a trial shows that it helps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from kosim.encoders.base import Kind
from kosim.encoders.training.losses import TRAINING_BY_KIND

_LAYER = re.compile(r"\.layer\.(\d+)\.")


_INNER = {"bce": "bce_with_logits_loss", "mse": "loss_fct"}
"""The attribute of sentence-transformers' losses that takes logits and targets."""


class Variant(BaseModel):
    """What is changed; every value has a default that changes nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer_decay: float = Field(1.0, gt=0, le=1, description="Factor of the rate a layer down.")
    smoothing: float = Field(0.0, ge=0, lt=1, description="Pull of the targets towards 0.5.")
    r_drop: float = Field(0.0, ge=0, description="Weight of the gap of two forward passes.")
    weighting: float = Field(
        0.0, ge=0, le=1, description="Power of the inverse label frequency that weighs a pair."
    )

    @property
    def changes_loss(self) -> bool:
        """Whether the loss of a trial is not the library's own."""
        return bool(self.smoothing or self.r_drop or self.weighting)


@contextmanager
def variant(kind: Kind, chosen: Variant, labels: Any) -> Iterator[None]:
    """Let ``train()`` use a variant for one kind while the context lasts.

    Args:
        kind: bi or cross.
        chosen: what is changed.
        labels: (n,) training labels on 0-5, whose frequencies weigh the pairs.
    """
    before = TRAINING_BY_KIND[kind]
    changed = before
    if chosen.layer_decay < 1:
        trainer = type("Decayed", (_LayerDecay, before.trainer), {"decay": chosen.layer_decay})
        changed = replace(changed, trainer=trainer)
    if chosen.changes_loss:
        if kind != "cross":
            raise ValueError("the variants of a loss are those of a cross-encoder")
        changed = replace(
            changed,
            losses={
                name: _wrapped(make, name, chosen, labels) for name, make in before.losses.items()
            },
        )
    TRAINING_BY_KIND[kind] = changed  # type: ignore[index]
    try:
        yield
    finally:
        TRAINING_BY_KIND[kind] = before  # type: ignore[index]


def depth_of(name: str, layers: int) -> int:
    """Return how many layers lie above a weight: 0 for the head, ``layers`` + 1 for embeddings."""
    if found := _LAYER.search(name):
        return layers - int(found.group(1))
    return layers + 1 if "embeddings" in name else 0


class _LayerDecay:
    """A trainer whose learning rate falls by a factor with every layer below the head."""

    decay: float

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        optimizer = super().create_optimizer(*args, **kwargs)  # type: ignore[misc]
        names = {id(weight): name for name, weight in self.model.named_parameters()}  # type: ignore[attr-defined]
        layers = 1 + max(int(found.group(1)) for n in names.values() if (found := _LAYER.search(n)))
        groups = []
        for group in optimizer.param_groups:
            rest = {key: value for key, value in group.items() if key != "params"}
            by_depth: dict[int, list[Any]] = {}
            for weight in group["params"]:
                by_depth.setdefault(depth_of(names[id(weight)], layers), []).append(weight)
            groups += [
                {**rest, "params": weights, "lr": group["lr"] * self.decay**depth}
                for depth, weights in by_depth.items()
            ]
        optimizer.param_groups.clear()
        for group in groups:
            optimizer.add_param_group(group)
        return optimizer


def _wrapped(
    make: Callable[[Any], nn.Module], name: str, chosen: Variant, labels: Any
) -> Callable[[Any], nn.Module]:
    def wrapped(model: Any) -> nn.Module:
        loss, each = make(model), _Elementwise(name, chosen, labels)
        setattr(loss, _INNER[name], each)
        return _RDrop(loss, each, chosen.r_drop) if chosen.r_drop else loss

    return wrapped


class _Elementwise(nn.Module):
    """Binary cross-entropy or squared error of each pair, smoothed and weighted."""

    def __init__(self, name: str, chosen: Variant, labels: Any) -> None:
        super().__init__()
        self.function = (
            nn.functional.binary_cross_entropy_with_logits
            if name == "bce"
            else nn.functional.mse_loss
        )
        self.smoothing = chosen.smoothing
        counts = torch.bincount(torch.as_tensor(labels).round().long(), minlength=6).clamp(min=1)
        weights = (1 / counts.double()) ** chosen.weighting
        frequencies = counts / counts.sum()
        self.weights = (weights / (weights * frequencies).sum()).float()

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        smooth = targets * (1 - self.smoothing) + self.smoothing / 2
        each = self.function(logits, smooth.to(logits.dtype), reduction="none")
        return (each * self.weights[(targets * 5).round().long()]).mean()


class _RDrop(nn.Module):
    """The loss of two passes with other dropout, and the squared gap of their logits.

    Liang et al. 2021, "R-Drop: Regularized Dropout for Neural Networks", for one output.
    """

    def __init__(self, loss: nn.Module, each: nn.Module, weight: float) -> None:
        super().__init__()
        self.loss = loss
        self.each = each
        self.weight = weight

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        seen: list[torch.Tensor] = []
        keep = self.each.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        total = (self.loss(*args, **kwargs) + self.loss(*args, **kwargs)) / 2
        keep.remove()
        return total + self.weight * (seen[0] - seen[1]).square().mean()  # type: ignore[no-any-return]
