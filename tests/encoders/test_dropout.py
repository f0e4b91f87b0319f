"""What QuickDropout computes, against closed forms and torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import Trainer

from kosim.encoders.pretraining.trainer import ScheduledTrainer
from kosim.encoders.training.dropout import QuickDropout
from kosim.encoders.training.losses import TRAINING_BY_KIND


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(7)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_component_is_dropped_with_p_and_the_rest_grows(p: float, dtype: torch.dtype) -> None:
    ones = torch.ones(401, 999, dtype=dtype)
    with QuickDropout():
        dropped = nn.Dropout(p)(ones)
    count = ones.numel()
    share = float((dropped == 0).sum()) / count
    assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / count) + 2**-16
    assert dropped.dtype == dtype
    near = 1e-2 if dtype == torch.bfloat16 else 1e-4
    assert dropped.unique().tolist() == pytest.approx([0, 1 / (1 - p)], rel=near)


def test_neighbours_are_dropped_independently() -> None:
    with QuickDropout():
        zeros = (functional.dropout(torch.ones(400_000), 0.5) == 0).double()
    for lag in range(1, 9):
        correlation = torch.corrcoef(torch.stack([zeros[:-lag], zeros[lag:]]))[0, 1]
        assert abs(correlation) < 5 / math.sqrt(400_000)


def test_the_gradient_is_that_of_what_was_kept() -> None:
    input = torch.ones(50, 30, requires_grad=True)
    with QuickDropout():
        output = functional.dropout(input, 0.3)
    output.sum().backward()
    torch.testing.assert_close(input.grad, output.detach())


def test_a_seed_repeats_the_draws() -> None:
    def drawn() -> torch.Tensor:
        torch.manual_seed(3)
        with QuickDropout():
            return torch.stack([functional.dropout(torch.ones(99), 0.2) for _ in range(2)])

    first = drawn()
    assert torch.equal(first, drawn())
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_ends_and_evaluation_are_torchs(p: float) -> None:
    input = torch.randn(20, 20)
    with QuickDropout():
        assert torch.equal(functional.dropout(input, p), input * (1 - p))
        assert torch.equal(nn.Dropout(0.4).eval()(input), input)


@pytest.mark.parametrize("mask", ["none", "bool", "float"])
@pytest.mark.parametrize("scale", [None, 0.2])
def test_attention_is_torchs_on_the_mean(mask: str, scale: float | None) -> None:
    query, key, value = torch.randn(3, 2, 3, 5, 8)
    seen = torch.tensor([True, True, False, True, False]).expand(2, 1, 5, 5)
    hidden = {"none": None, "bool": seen, "float": torch.where(seen, 0.0, -math.inf)}[mask]
    expected = functional.scaled_dot_product_attention(query, key, value, hidden, scale=scale)
    many = [tensor.expand(4000, *tensor.shape) for tensor in (query, key, value)]
    with QuickDropout():
        one = None if hidden is None else hidden.expand(4000, 2, 1, 5, 5)
        got = functional.scaled_dot_product_attention(*many, one, dropout_p=0.1, scale=scale)
        exact = functional.scaled_dot_product_attention(query, key, value, hidden, scale=scale)
    assert torch.equal(exact, expected)
    spread = got.std(dim=0) / math.sqrt(4000)
    assert ((got.mean(dim=0) - expected).abs() <= 5.5 * spread + 1e-4).all()
    assert (got.std(dim=0) > 0).all()


def test_causal_attention_is_left_to_torch() -> None:
    query = torch.randn(1, 1, 4, 8)
    torch.manual_seed(1)
    expected = functional.scaled_dot_product_attention(
        query, query, query, dropout_p=0.2, is_causal=True
    )
    torch.manual_seed(1)
    with QuickDropout():
        got = functional.scaled_dot_product_attention(
            query, query, query, dropout_p=0.2, is_causal=True
        )
    assert torch.equal(got, expected)


@pytest.mark.parametrize(
    "trainer", [*(of_kind.trainer for of_kind in TRAINING_BY_KIND.values()), ScheduledTrainer]
)
def test_every_trainer_computes_its_steps_so(
    trainer: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(self: object) -> torch.Tensor:
        return functional.dropout(torch.ones(1000), 0.25)

    monkeypatch.setattr(Trainer, "training_step", step)
    torch.manual_seed(2)
    got = trainer.__new__(trainer).training_step()
    torch.manual_seed(2)
    with QuickDropout():
        assert torch.equal(got, functional.dropout(torch.ones(1000), 0.25))
