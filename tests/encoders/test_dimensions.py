"""Vectors cut to fewer dimensions: what they are, and the loss that trains an encoder for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kosim.encoders.bi import BiEncoder
from kosim.encoders.dimensions import check_dimensions, shortened, untrained
from kosim.encoders.errors import ConfigError
from kosim.encoders.records import LabelledPairs
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.losses import make_loss
from kosim.encoders.training.run import train
from tests.encoders.tiny import SENTENCES


def test_the_first_components_have_unit_length_again() -> None:
    vectors = np.array([[0.6, 0.0, 0.8], [0.0, 0.0, 1.0]], dtype=np.float32)
    np.testing.assert_array_equal(shortened(vectors, 2), [[1, 0], [0, 0]])
    assert shortened(vectors, 3) is vectors


@pytest.mark.parametrize("dimensions", [0, -1, 10_000])
def test_impossible_dimensions_are_named(bi: BiEncoder, dimensions: int) -> None:
    with pytest.raises(ConfigError, match=f"dimensions is {dimensions:,}, .* give 1 to"):
        check_dimensions(bi, dimensions)


@pytest.mark.parametrize("dimensions", ["64", 2.5, True, [2]])
def test_what_is_no_number_of_dimensions_is_named(bi: BiEncoder, dimensions: Any) -> None:
    with pytest.raises(ConfigError, match=r"dimensions is .*; give a whole number from 1 to"):
        check_dimensions(bi, dimensions)


def test_what_an_encoder_was_trained_for_is_known() -> None:
    training = {"config": {"matryoshka": [128, 64]}}
    assert untrained(training, 256, 256) is untrained(training, 256, 64) is None
    assert "trained for 32 dimensions (trained for: 128, 64)" in str(untrained(training, 256, 32))
    assert "(trained for: none)" in str(untrained({}, 256, 64))
    assert "it is not known" in str(untrained(None, 256, 64))


def test_the_loss_is_the_sum_of_those_of_every_number_of_dimensions(bi: BiEncoder) -> None:
    config = TrainingConfig(loss="cosine", matryoshka="2,4")  # type: ignore[arg-type]
    assert config.matryoshka == (4, 2)
    sentences, labels = SENTENCES[:4], torch.tensor([0.2, 0.9])
    model = bi.model.eval()
    features = [model.preprocess(sentences[:2]), model.preprocess(sentences[2:])]
    with torch.no_grad():
        loss = make_loss(bi, config)(features, labels)
    expected = 0.0
    vectors = bi.encode(sentences)
    for dimensions in (bi.dimension, 4, 2):
        cut = shortened(vectors, dimensions)
        cosines = (cut[:2] * cut[2:]).sum(axis=1)
        expected += float(np.mean((cosines - labels.numpy()) ** 2))
    assert float(loss) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("value", ["", "0", "8,x", [], [-2]])
def test_what_is_no_list_of_dimensions_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="matryoshka"):
        TrainingConfig(matryoshka=value)  # type: ignore[arg-type]


def test_more_dimensions_than_the_encoder_has_are_refused(bi: BiEncoder) -> None:
    pairs = LabelledPairs.from_lists([("가", "나"), ("다", "라")], [0.0, 5.0])
    with pytest.raises(ConfigError, match=r"matryoshka asks for 5,000 dimensions, .* give fewer"):
        train(bi, pairs, pairs, TrainingConfig(matryoshka=(5000, 2)))
