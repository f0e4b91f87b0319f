"""The last layer for one token: equal outputs by every family of layers, and nothing changed.

The reference is the model itself, all of whose tokens are computed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
)

from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.first_token import for_first_token, is_supported
from kosim.encoders.cross import CrossEncoder
from tests.encoders.tiny import PROMPT, SENTENCES, VOCABULARY

FAMILIES = ["bert", "camembert", "electra", "roberta", "xlm-roberta"]
PAIRS = [(first, second) for first in SENTENCES for second in SENTENCES]


def write_classifier(folder: Path, family: str, koelectra: Path) -> Path:
    """Write a classifier of random weights, large enough that its scores differ clearly."""
    small = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 300,
        "type_vocab_size": 2,
        "initializer_range": 0.3,
        "pad_token_id": 0,
        "num_labels": 1,
    }
    if family == "distilbert":
        small = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, **small}
    config = AutoConfig.for_model(family, **small)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = AutoModelForSequenceClassification.from_config(config)
        for name, weight in model.named_parameters():
            if name.endswith("bias"):  # they start at 0
                torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(koelectra).save_pretrained(folder)
    return folder


@pytest.fixture
def classifier(family: str, tmp_path: Path, koelectra: Path) -> Path:
    return write_classifier(tmp_path / family, family, koelectra)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_scores_are_those_of_the_whole_layer(classifier: Path, attention: str) -> None:
    encoder = CrossEncoder.from_backbone(str(classifier), device="cpu")
    plain = sentence_transformers.CrossEncoder(str(classifier), num_labels=1, device="cpu")
    for model in (encoder.model, plain):
        model.transformers_model.set_attn_implementation(attention)
    assert encoder.first_token_only
    expected = np.asarray(plain.predict(PAIRS))
    assert expected.std() > 0.001
    np.testing.assert_allclose(encoder.score(PAIRS, raw=True), expected, atol=2e-6)


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, marks=() if family == "electra" else pytest.mark.slow)
        for family in FAMILIES
    ],
)
def test_an_export_computes_the_same(classifier: Path, monkeypatch: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    exported = CrossEncoder.from_backbone(str(classifier), backend="onnx")
    plain = sentence_transformers.CrossEncoder(str(classifier), num_labels=1, device="cpu")
    expected = np.asarray(plain.predict(PAIRS))
    np.testing.assert_allclose(exported.score(PAIRS, raw=True), expected, atol=2e-6)


@pytest.mark.parametrize("family", ["electra"])
def test_the_view_shares_weights_and_leaves_the_model_as_it_is(classifier: Path) -> None:
    model: Any = sentence_transformers.CrossEncoder(str(classifier), num_labels=1, device="cpu")
    before = {name: id(module) for name, module in model.named_modules()}
    view = for_first_token(model)
    assert {name: id(module) for name, module in model.named_modules()} == before
    shared = {id(weight) for weight in model.parameters()}
    assert {id(weight) for weight in view.parameters()} == shared
    ids = torch.ones((2, 9), dtype=torch.int64)
    layers: PreTrainedModel = model.transformers_model.electra
    assert layers(input_ids=ids).last_hidden_state.shape == (2, 9, 32)


@pytest.mark.parametrize("family", ["distilbert"])
def test_other_layers_are_computed_whole(classifier: Path) -> None:
    encoder = CrossEncoder.from_backbone(str(classifier), device="cpu")
    assert not encoder.first_token_only
    plain = sentence_transformers.CrossEncoder(str(classifier), num_labels=1, device="cpu")
    raw = encoder.score(PAIRS, raw=True)
    np.testing.assert_allclose(raw, np.asarray(plain.predict(PAIRS)), atol=2e-6)


@pytest.mark.parametrize("family", ["bert"])
def test_inputs_padded_on_the_left_are_computed_whole(classifier: Path) -> None:
    model: Any = sentence_transformers.CrossEncoder(str(classifier), num_labels=1, device="cpu")
    assert is_supported(model)
    model.tokenizer.padding_side = "left"
    assert not is_supported(model)


@pytest.mark.parametrize("prompt", ["", PROMPT])
@pytest.mark.parametrize(("pooling", "one"), [("cls", True), ("mean", False), ("max", False)])
def test_vectors_are_those_of_the_whole_layer(
    koelectra: Path, tmp_path: Path, pooling: Any, one: bool, prompt: str
) -> None:
    encoder = BiEncoder.from_backbone(str(koelectra), pooling=pooling, prompt=prompt, device="cpu")
    assert encoder.first_token_only is one
    encoder.save(tmp_path / "saved")
    plain = sentence_transformers.SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    expected = plain.encode(SENTENCES, normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode(SENTENCES), expected, atol=2e-6)


def test_a_head_that_may_read_all_tokens_gets_them(bi: BiEncoder) -> None:
    assert not CrossEncoder(bi.model, backbone=bi.backbone).first_token_only


def test_training_goes_through_the_whole_model(koelectra: Path) -> None:
    encoder = CrossEncoder.from_backbone(str(koelectra), device="cpu")
    before = encoder.score(PAIRS, raw=True)
    with torch.no_grad():
        encoder.model.transformers_model.electra.encoder.layer[-1].output.dense.weight.mul_(-1)
    assert np.abs(encoder.score(PAIRS, raw=True) - before).max() > 1e-3
